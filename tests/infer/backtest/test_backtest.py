"""Forecasts from inside the data, against `held_out` at the same cuts, the truth, and the delta method."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale import BadInput, Runs, covariance, crossvalidate, fit, from_published, log_huber
from jaxscale.core.evaluate import predict
from jaxscale.core.results import RESULTS
from jaxscale.core.scale import decades_beyond
from jaxscale.infer.backtest.backtest import Origins
from jaxscale.infer.backtest.heldout import held_out
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.laws.loss.kaplan2020 import KaplanND

OBJECTIVE = log_huber(3e-3)


def simulated(noise: float, n: int = 60, seed: int = 0, rows_of_a_run: int = 1) -> Runs:
    rng = np.random.default_rng(seed)
    runs = Runs.of(
        {"N": np.exp(rng.uniform(*np.log([3e7, 3e9]), n)), "D": np.exp(rng.uniform(*np.log([1e9, 1e11]), n))},
        np.ones(n),
        group=np.arange(n) % 3,
        cluster=np.arange(n) // rows_of_a_run,
    )
    loss = np.asarray(predict(from_published(Chinchilla, "besiroglu2024"), runs)) * np.exp(
        noise * rng.standard_normal(n)
    )
    return eqx.tree_at(lambda r: r.target, runs, loss.astype(runs.target.dtype))


@pytest.fixture(scope="module")
def found() -> Origins:
    laws = {"Chinchilla": Chinchilla(), "KaplanND": KaplanND()}
    return crossvalidate(laws, simulated(3e-3), OBJECTIVE, cuts=4, resamples=60)


@pytest.mark.x64
@pytest.mark.parametrize("label", ["Chinchilla", "KaplanND"])
def test_misses_are_those_of_fits_below_each_cut(found: Origins, label: str) -> None:
    runs, law = simulated(3e-3), {"Chinchilla": Chinchilla(), "KaplanND": KaplanND()}[label]
    C = 6 * np.asarray(runs.inputs["N"]) * np.asarray(runs.inputs["D"])
    k = found.labels.index(label)
    for part, below in enumerate(found.parts.fitted):
        kept = eqx.tree_at(lambda r: r.weight, runs, jnp.asarray(below | found.parts.scored[part], runs.weight.dtype))
        alone = held_out(law, kept, OBJECTIVE, cut=float(C[found.parts.scored[part]].min()))
        np.testing.assert_array_equal(alone.rows, np.flatnonzero(found.parts.scored[part]))
        # Two solves of one problem agree to the square root of what the objective resolves.
        np.testing.assert_allclose(found.miss[k, part, alone.rows], np.log(alone.observed / alone.predicted), atol=1e-6)
        columns = {name: np.asarray(x) for name, x in runs.inputs.items()}
        np.testing.assert_array_equal(
            found.parts.decades[part, alone.rows], decades_beyond(alone.fit.runs, columns)[alone.rows]
        )


@pytest.mark.x64
def test_the_law_that_made_the_runs_misses_nothing_of_noise_free_ones() -> None:
    exact = crossvalidate({"Chinchilla": Chinchilla()}, simulated(0.0), OBJECTIVE, cuts=4)
    assert np.nanmax(np.abs(exact.miss)) < 1e-8
    assert np.all(exact.code == RESULTS.converged)


def test_scored_runs_are_never_fitted(found: Origins) -> None:
    parts = found.parts
    assert not (parts.fitted & parts.scored).any()
    np.testing.assert_array_equal(np.isfinite(found.miss[0]), parts.scored)
    assert not found.wild[0].any()  # a law keeps its bounds where it made the runs
    fewer = parts.fitted.sum(axis=1)
    assert np.all(np.diff(fewer) > 0)


def test_credit_is_the_share_of_the_units(found: Origins) -> None:
    units = found.parts.fitted.sum(axis=1)  # every run is one of its own
    np.testing.assert_array_equal(found.parts.units, units)
    np.testing.assert_allclose(found.parts.credit, units / units.mean())


def test_checkpoints_of_one_run_are_not_parted() -> None:
    runs = simulated(3e-3, n=120, rows_of_a_run=2)
    parts = crossvalidate({"Chinchilla": Chinchilla()}, runs, OBJECTIVE, cuts=3).parts
    cluster = np.asarray(runs.cluster)
    for fitted, scored in zip(parts.fitted, parts.scored, strict=True):
        assert fitted.any()
        assert not set(cluster[fitted]) & set(cluster[scored])
    pairs = np.stack([np.asarray(runs.group), cluster], axis=1).tolist()
    assert parts.units.tolist() == [len({tuple(pairs[i]) for i in np.flatnonzero(f)}) for f in parts.fitted]


@pytest.mark.x64
def test_spread_is_the_delta_method_s(found: Origins) -> None:
    # Sixty resamples know a standard deviation to 9 %; the delta method is first order, and 15 runs are few.
    last = len(found.parts.labels) - 1
    runs = simulated(3e-3)
    below = eqx.tree_at(lambda r: r.weight, runs, found.parts.fitted[last].astype(np.asarray(runs.weight).dtype))
    fitted = fit(Chinchilla(), below, OBJECTIVE)
    V = covariance(fitted, scale="unconstrained").matrix
    split = fitted.problem.split
    J = jax.jacfwd(lambda z: jnp.log(predict(split.tree(z).law, runs)))(split.vector())
    sd = np.sqrt(np.einsum("ni,ij,nj->n", J, V, J))[found.parts.scored[last]]
    ratio = found.spread[0, last][found.parts.scored[last]] / sd
    assert np.all((ratio > 0.5) & (ratio < 2.0)), ratio


@pytest.mark.parametrize(("by", "count"), [("group", 3), ("cluster", 12)])
def test_data_sets_and_units_are_left_out_in_turn(by: str, count: int) -> None:
    runs = simulated(3e-3, rows_of_a_run=5)
    parted = crossvalidate({"Chinchilla": Chinchilla()}, runs, OBJECTIVE, by=by).parts
    label = np.asarray(getattr(runs, by))
    assert len(parted.labels) == count
    for part, value in enumerate(np.unique(label)):
        np.testing.assert_array_equal(parted.scored[part], label == value)
        np.testing.assert_array_equal(parted.fitted[part], label != value)


def test_parts_too_small_for_a_law_are_not_forecast() -> None:
    small = crossvalidate({"Chinchilla": Chinchilla()}, simulated(3e-3, n=16), OBJECTIVE, cuts=4)
    few = small.parts.fitted.sum(axis=1) < 5 + 3
    assert few.any()
    assert not few.all()
    np.testing.assert_array_equal(small.code[0] == RESULTS.singular, few)
    np.testing.assert_array_equal(np.isnan(small.error[0]), few)


def test_runs_of_few_scales_are_parted_between_them() -> None:
    # Ranks from a quarter to .92 lie at the least size and at the next: one cut.
    runs = simulated(3e-3, n=50)
    sizes = np.repeat([3e8, 1e9, 3e9], [44, 3, 3])
    few = eqx.tree_at(lambda r: r.inputs["N"], runs, jnp.asarray(sizes, runs.target.dtype))
    parts = crossvalidate({"KaplanND": KaplanND()}, few, OBJECTIVE, by="N", cuts=3).parts
    assert parts.fitted.sum(axis=1).tolist() == [44, 47]
    assert parts.scored.sum(axis=1).tolist() == [6, 3]


def test_runs_of_one_scale_are_refused() -> None:
    runs = simulated(3e-3)
    one = eqx.tree_at(lambda r: (r.inputs["N"], r.inputs["D"]), runs, (runs.target * 0 + 1e8, runs.target * 0 + 1e10))
    with pytest.raises(BadInput, match="runs at several values of 6 N D, got 1 in 60 rows"):
        crossvalidate({"Chinchilla": Chinchilla()}, one, OBJECTIVE)
    with pytest.raises(BadInput, match="cuts: expected at least two, got 1"):
        crossvalidate({"Chinchilla": Chinchilla()}, runs, cuts=1)
    with pytest.raises(BadInput, match=r"cuts: expected values of 6 N D above .* got \[1.0\]"):
        crossvalidate({"Chinchilla": Chinchilla()}, runs, cuts=[1.0], starts=2)
    with pytest.raises(BadInput, match="at least one law"):
        crossvalidate({}, runs)
