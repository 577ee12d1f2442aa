"""Resamples of a comparison: matched runs together, every stratum as large as it was."""

import jax
import numpy as np
import pytest

from jaxscale import Runs, fit
from jaxscale.core.evaluate import predict
from jaxscale.core.runs import padded_size
from jaxscale.infer.resample import Matched, matched
from jaxscale.laws.loss.hestness2017 import PowerLaw
from jaxscale.objectives import least_squares

N = np.array([1e7, 2e7, 4e7, 4e7])
RECIPE = np.array([0] * 5 + [1] * 6)
# Recipe 0: the four sizes and 9e7, which only it has; recipe 1: the four in another order, and two that only it has.
SIZES = np.concatenate([N, [9e7], N[[3, 0, 2, 1]], [1e6, 3e6]])
SAME = [(0, 6), (1, 8), (2, 5), (3, 7)]  # of two runs of 4e7 the first matches the first


def counts(scheme: Matched, rows: np.ndarray, key: int) -> np.ndarray:
    """How often a resample draws each run of a fit of some of the rows."""
    runs = Runs.of({"N": SIZES[rows], "D": SIZES[rows] * 20}, np.ones(rows.sum())).padded()
    made = scheme.of_rows(rows)(jax.random.key(key), runs, None, None, None)  # type: ignore[arg-type]
    assert made.weight is not None
    assert made.weight.shape == (padded_size(int(rows.sum())),)
    np.testing.assert_array_equal(made.weight[int(rows.sum()) :], 0)
    return np.asarray(made.weight)[: int(rows.sum())]


@pytest.fixture(scope="module")
def drawn():
    runs = Runs.of({"N": SIZES, "D": SIZES * 20}, np.ones(11), group=RECIPE)
    return matched(runs)


def test_runs_in_common_are_drawn_together(drawn):
    scheme, shared = drawn
    assert shared == 4
    seen = []
    for key in range(8):
        first, second = (counts(scheme, recipe == RECIPE, key) for recipe in (0, 1))
        for a, b in SAME:
            assert first[a] == second[b - 5]
        assert first[:4].sum() == 4
        assert first[4] == 1  # a stratum of one
        assert second[4:].sum() == 2
        np.testing.assert_array_equal(np.concatenate([first, second]), counts(scheme, RECIPE >= 0, key))
        seen.append(tuple(first))
    assert len(set(seen)) > 1


def test_clusters_match_as_a_whole():
    """Checkpoints of a run match those of a run with the same checkpoints only."""
    D = np.array([1e8, 2e8, 1e8, 2e8, 1e8, 3e8])
    runs = Runs.of(
        {"N": np.full(6, 1e7), "D": D}, np.ones(6), group=np.array([0, 0, 1, 1, 1, 1]), cluster=[0, 0, 1, 1, 2, 2]
    )
    scheme, shared = matched(runs)
    assert shared == 1
    np.testing.assert_array_equal(scheme.drawn.of_row, [0, 0, 0, 0, 1, 1])
    np.testing.assert_array_equal(scheme.drawn.size, [1, 1])


def test_runs_without_weight_belong_to_no_unit():
    weight = np.ones(11)
    weight[[0, 10]] = 0
    scheme, shared = matched(Runs.of({"N": SIZES, "D": SIZES * 20}, np.ones(11), weight=weight, group=RECIPE))
    assert shared == 3
    assert len(scheme.drawn.first) == 3 + 1 + 2  # in common; of recipe 0; of recipe 1, which lost one partner and a run


def test_few_runs_share_multiples_of_their_residuals() -> None:
    """Matched runs of two recipes move together, each by its own residual; who has no match moves alone."""
    rng = np.random.default_rng(0)
    sizes = np.concatenate([np.geomspace(1e7, 1e9, 5), np.geomspace(1e7, 1e9, 5) * [1, 1, 1, 1, 1.1]])
    recipe = np.repeat([0, 1], 5)
    runs = Runs.of({"m": sizes}, np.ones(10), group=recipe)
    scheme, shared = matched(runs)
    assert shared == 4
    law = PowerLaw()
    loss = np.asarray(predict(law, runs), np.float64) * np.exp(0.01 * rng.standard_normal(10))
    changes = []
    for number in (0, 1):
        rows = recipe == number
        fitted = fit(law, Runs.of({"m": sizes[rows]}, loss[rows]), least_squares(), starts=0)
        own = scheme.of_rows(rows).ready(fitted.problem)
        assert own.name == "matched wild"
        assert own.noise is not None
        keys = jax.random.split(jax.random.key(1), 500)
        clean = predict(fitted.law, fitted.problem.runs)
        made = jax.vmap(lambda k, s=own, f=fitted, c=clean: s(k, f.problem.runs, c, s.drawn, f.objective).target)(keys)
        sign = np.sign(np.asarray(np.log(made) - np.log(clean), np.float64)[:, :5])
        changes.append(sign * np.sign(np.asarray(own.noise.own))[:5])
    np.testing.assert_array_equal(changes[0][:, :4], changes[1][:, :4])
    assert abs(np.mean(changes[0][:, 4] * changes[1][:, 4])) < 4 / np.sqrt(500)
