"""Runs of curves: their rows, their padding, and what their axes must be. Oracle: the same numbers row by row."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core import quantities as q
from jaxscale.core.errors import BadInput
from jaxscale.core.evaluate import predict
from jaxscale.core.law import AbstractLaw, signature
from jaxscale.core.runs import Runs, check_axes


class Curve(AbstractLaw):
    """The logarithm of the steps, N times, and a number of its group."""

    def __call__(self, N: q.Params, S: q.CurveSteps, group: q.Group) -> q.LossCurve:
        return N * jnp.log(S) + group.astype(S.dtype)


N = np.array([1.0, 2.0, 3.0])
S = np.arange(1.0, 9.0).reshape(1, 8) * N[:, None]
WEIGHT = np.where(np.arange(8) < np.array([[8], [5], [7]]), 1.0, 0.0)


def runs(**changes: Any) -> Runs:
    given = {"inputs": {"N": N, "S": S}, "target": np.ones((3, 8)), "weight": WEIGHT, "group": [0, 1, 1]}
    return Runs.of(**{**given, **changes})


def test_axes_are_those_of_the_annotation() -> None:
    wanted = signature(Curve())
    assert (wanted.inputs["N"].axes, wanted.inputs["S"].axes, wanted.output.axes) == ((), ("step",), ("step",))
    assert wanted.output == q.NATS  # the same kind of number as one loss
    assert q.quantity_of(q.Schedule).axes == ("segment", "field")


def test_a_prediction_has_the_shape_of_the_target(eps: float) -> None:
    expected = N[:, None] * np.log(S) + np.array([[0], [1], [1]])
    np.testing.assert_allclose(predict(Curve(), runs()), expected, rtol=8 * eps)
    np.testing.assert_allclose(predict(Curve(), runs().flattened()), expected.reshape(-1), rtol=8 * eps)


def test_flattened_runs_have_a_row_for_every_number() -> None:
    flat = runs(noise=[0.1, 0.2, 0.3]).flattened()
    assert (flat.size, flat.each) == (24, 8)
    assert flat.flattened() is flat
    np.testing.assert_array_equal(flat.by_run().weight, WEIGHT)
    np.testing.assert_array_equal(flat.by_run().group, [0, 1, 1])
    np.testing.assert_array_equal(flat.weight, WEIGHT.reshape(-1))
    np.testing.assert_array_equal(flat.cluster, np.repeat([0, 1, 2], 8))
    np.testing.assert_array_equal(flat.group, np.repeat([0, 1, 1], 8))
    np.testing.assert_allclose(flat.noise, np.repeat([0.1, 0.2, 0.3], 8), rtol=1e-6)
    np.testing.assert_array_equal(flat.columns["N"], np.repeat(N, 8))
    np.testing.assert_array_equal(flat.columns["S"], S.reshape(-1))


def test_padding_adds_whole_runs_of_weight_zero() -> None:
    flat = runs().flattened()
    padded = flat.padded()
    assert (padded.size, padded.each, padded.inputs["S"].shape) == (64, 8, (8, 8))
    np.testing.assert_array_equal(padded.weight[24:], 0)
    again = padded.take(slice(3))
    for name in ("target", "weight", "group", "cluster", "noise"):
        np.testing.assert_array_equal(getattr(again, name), getattr(flat, name))
    np.testing.assert_array_equal(again.inputs["S"], S)


def test_runs_left_out_take_the_inputs_of_one_that_counts() -> None:
    out = runs(weight=WEIGHT * np.array([[0.0], [1.0], [1.0]])).flattened().sheltered()
    np.testing.assert_array_equal(out.inputs["N"], [2, 2, 3])
    np.testing.assert_array_equal(out.inputs["S"], S[[1, 1, 2]])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"inputs": {"N": N, "S": S[:, 0]}},
            r"expected S with the axes runs \(3\), step, got an array of shape \(3,\)",
        ),
        ({"inputs": {"N": S, "S": S}}, r"expected N with the axes runs, got an array of shape \(3, 8\)"),
        ({"inputs": {"N": N, "S": S[:, :5]}}, r"expected target with the axes runs \(3\), step \(5\), got .* \(3, 8\)"),
        (
            {"target": np.ones(3), "weight": None},
            r"expected target with the axes runs \(3\), step \(8\), got .* \(3,\)",
        ),
    ],
)
def test_other_axes_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        check_axes(Curve(), runs(**changes))


def test_right_axes_and_flattened_ones_pass() -> None:
    check_axes(Curve(), runs())
    check_axes(Curve(), runs().flattened())
