"""Whitening against its definition, the split against its inverse."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.parametric import values
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.solve.chart import Charted, chart_at, whitener
from jaxscale.solve.problem import evaluate, split


def badly_scaled(p: int = 6) -> np.ndarray:
    rng = np.random.default_rng(0)
    a = rng.standard_normal((p + 3, p)) * np.logspace(-5, 5, p)
    return a.T @ a


def test_whitened_curvature_is_the_identity() -> None:
    h = badly_scaled()
    s = whitener(h)
    # Unit diagonal first, so that the condition that matters is the scaled one, of order ten.
    np.testing.assert_allclose(s.T @ h @ s, np.eye(6), atol=1e3 * np.finfo(float).eps)


def test_flat_directions_get_the_scale_that_rounding_resolves() -> None:
    h = np.array([[1.0, 1.0], [1.0, 1.0]])
    s = whitener(h)
    assert np.all(np.isfinite(s))
    lengths = np.sort(np.linalg.norm(s, axis=0))
    assert lengths[0] == pytest.approx(1 / np.sqrt(2))
    rounding = 2 * float(jnp.finfo(jnp.asarray(h).dtype).eps) * 2
    assert lengths[1] == pytest.approx(1 / np.sqrt(rounding))


def test_a_vanished_direction_has_a_scale_that_float32_holds() -> None:
    """Where H says nothing of a direction, its scale is what rounding resolves of a unit."""
    s = whitener(np.array([[4.0, 0.0], [0.0, 0.0]], np.float32))
    rounding = 2 * float(np.finfo(np.float32).eps)
    np.testing.assert_allclose(np.abs(s), [[0.0, 0.5], [rounding**-0.5, 0.0]], rtol=1e-12)


def test_units_do_not_matter() -> None:
    h, units = badly_scaled(), np.logspace(3, -3, 6)
    rescaled = whitener(h / np.outer(units, units)) / units[:, None]
    np.testing.assert_allclose(np.abs(rescaled), np.abs(whitener(h)), rtol=1e-8)


def test_a_charted_problem_is_the_problem_elsewhere(curve: Any, eps: float) -> None:
    z = jnp.asarray([0.5, 1.0, 0.8])
    safe = jnp.ones(())
    chart = chart_at(z, evaluate(curve, z, safe).curvature)
    charted = Charted(curve, chart)
    y = jnp.asarray([0.1, -0.2, 0.3])
    assert float(charted.value(y)) == pytest.approx(float(curve.value(chart(y))), rel=16 * eps)
    np.testing.assert_array_equal(chart(jnp.zeros(3)), z)
    # Float32 leaves the product of three matrices of condition about a hundred a few digits.
    round_trip = evaluate(charted, jnp.zeros(3), safe).curvature
    np.testing.assert_allclose(round_trip, np.eye(3), atol=2e4 * eps)


def test_split_there_and_back(eps: float) -> None:
    law = Chinchilla()
    parts = split(law, fixed=("B",))
    assert parts.free == ("E", "A", "alpha", "beta")
    assert parts.names() == parts.free
    z = parts.vector()
    np.testing.assert_allclose(z, np.log([float(values(law)[n]) for n in parts.free]), rtol=8 * eps)
    moved = parts.tree(z + 1)
    for name, value in values(moved).items():
        factor = 1.0 if name == "B" else np.e
        assert float(value) == pytest.approx(factor * float(values(law)[name]), rel=64 * eps)
    np.testing.assert_allclose(parts.at(z + 1).vector(), z + 1, rtol=64 * eps)


def test_split_names_what_there_is_to_fix() -> None:
    with pytest.raises(KeyError, match=r"no parameter \['gamma'\] to fix"):
        split(Chinchilla(), fixed=("gamma",))
