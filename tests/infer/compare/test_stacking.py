"""Model weights against brute force, ArviZ, closed forms and symmetry."""

import itertools

import arviz_stats
import jax
import numpy as np
import pytest
import xarray
from arviz_stats.utils import ELPDData

from jaxscale.core.errors import BadInput
from jaxscale.infer.compare.stacking import clustered, differences, pseudo_bma, stacking

KEY = jax.random.key(7)


def scores(n: int = 60, models: int = 3, spread: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(11)
    return rng.normal(size=(n, 1)) + spread * rng.normal(size=(n, models)) - 0.1 * np.arange(models)


def mean_score(weight: np.ndarray, elpd: np.ndarray) -> np.ndarray:
    return np.mean(np.log(np.exp(elpd) @ weight), axis=0)


def test_no_point_of_a_grid_beats_stacking() -> None:
    elpd = scores()
    steps = 60
    grid = np.array([(i, j, steps - i - j) for i, j in itertools.product(range(steps + 1), repeat=2) if i + j <= steps])
    best = stacking(elpd)
    on_grid = mean_score(grid.T / steps, elpd)
    assert on_grid.max() <= mean_score(best, elpd) + 1e-8
    # The winner of the grid is the neighbour of the optimum.
    assert np.abs(grid[np.argmax(on_grid)] / steps - best).max() < 2 / steps


@pytest.mark.parametrize("spread", [0.01, 1.0, 30.0, 1000.0])
@pytest.mark.parametrize("models", [1, 2, 5, 12])
def test_weights_satisfy_the_optimality_conditions(models: int, spread: float) -> None:
    """No model gains by more weight, and those with weight lose by less (Karush-Kuhn-Tucker)."""
    elpd = scores(models=models, spread=spread)
    weight = stacking(elpd)
    assert weight.min() >= 0
    assert weight.sum() == pytest.approx(1, abs=1e-15 * models)
    density = np.exp(elpd - elpd.max(axis=1, keepdims=True))
    gain = np.mean(density / (density @ weight)[:, None], axis=0)
    assert gain.max() <= 1 + 1e-8
    assert np.abs(weight * (gain - 1)).max() <= 1e-8


def test_a_model_that_is_only_just_left_out() -> None:
    """Both conditions hold with equality at the corner, where multiplicative updates would creep for ever."""
    # Mean of p2 / p1 = (1/2 + 3/2) / 2 = 1 with p1 = 1: the derivative at weight zero vanishes.
    elpd = np.log([[1.0, 0.5], [1.0, 1.5]])
    weight = stacking(elpd)
    # The score falls by w^2 / 8 to leading order, and may by 1e-8.
    assert weight[1] < np.sqrt(8e-8)


def test_stacking_of_two_runs_in_closed_form() -> None:
    """Densities 1 and c, 1 and 1/d: the derivative (c - 1) / (1 + w (c - 1)) + ... vanishes at a known weight."""
    c, d = 3.0, 0.25
    up, down = c - 1, d - 1
    exact = -(up + down) / (2 * up * down)
    assert 0 < exact < 1
    # Curvature (up / (1 + w up))^2 per run turns a gap in the score into one in the weight.
    curvature = np.mean([(up / (1 + exact * up)) ** 2, (down / (1 + exact * down)) ** 2])
    weight = stacking(np.log([[1.0, c], [1.0, d]]))
    assert weight[1] == pytest.approx(exact, abs=np.sqrt(2e-8 / curvature))


def test_identical_models_share_their_weight() -> None:
    elpd = scores(models=2)
    doubled = stacking(elpd[:, [0, 1, 1]])
    single = stacking(elpd)
    assert doubled[1] == pytest.approx(doubled[2], rel=1e-9)
    assert mean_score(doubled, elpd[:, [0, 1, 1]]) == pytest.approx(mean_score(single, elpd), abs=1e-8)
    np.testing.assert_allclose(stacking(np.zeros((4, 5))), 0.2, rtol=1e-12)
    np.testing.assert_allclose(pseudo_bma(np.zeros((4, 5)), KEY), 0.2, rtol=1e-12)
    found = differences(elpd[:, [0, 0]])
    assert not found.diff.any()
    assert not found.se.any()


def arviz_scores(elpd: np.ndarray) -> ELPDData:
    n = len(elpd)
    return ELPDData(
        elpd=elpd.sum(),
        se=np.sqrt(n) * elpd.std(),
        p=1.0,
        n_samples=1000,
        n_data_points=n,
        scale="log",
        warning=False,
        good_k=0.7,
        elpd_i=xarray.DataArray(elpd, dims="run"),
        pareto_k=xarray.DataArray(np.zeros(n), dims="run"),
    )


def test_equals_arviz_compare() -> None:
    elpd = scores(n=150)
    table = arviz_stats.compare({str(k): arviz_scores(elpd[:, k]) for k in range(3)}, round_to="none")
    table = table.loc[["0", "1", "2"]]
    # SciPy's SLSQP stops when the summed score changes by less than 1e-6.
    ours, theirs = stacking(elpd), np.asarray(table["weight"])
    assert mean_score(ours, elpd) == pytest.approx(mean_score(theirs, elpd), abs=1e-6)
    assert mean_score(ours, elpd) >= mean_score(theirs / theirs.sum(), elpd) - 1e-8
    found = differences(elpd)
    np.testing.assert_allclose(found.diff, table["elpd_diff"], rtol=1e-12, atol=1e-12)
    # ArviZ divides the variance by n, we by n - 1.
    np.testing.assert_allclose(found.se, table["dse"] * np.sqrt(150 / 149), rtol=1e-12)


def test_pseudo_bma_of_two_runs_in_closed_form() -> None:
    """Shares (u, 1 - u) with u uniform: the weight is the mean of a logistic between twice the two differences."""
    a, b = 1.4, -0.6
    exact = (np.logaddexp(0, 2 * a) - np.logaddexp(0, 2 * b)) / (2 * (a - b))
    draws = 20_000
    weight = pseudo_bma(np.array([[a, 0.0], [b, 0.0]]), KEY, draws=draws)
    # A weight between 0 and 1 has a standard deviation below 1/2.
    assert weight[0] == pytest.approx(exact, abs=4 * 0.5 / np.sqrt(draws))
    assert weight.sum() == pytest.approx(1)


def test_clusters_count_once() -> None:
    """Every run copied three times as one cluster is the study of the runs' sums; the copies say nothing new."""
    elpd = scores(n=40)
    label = np.random.default_rng(0).permutation(40)
    copied, cluster = np.repeat(elpd, 3, axis=0), np.repeat(label, 3)
    order = np.argsort(label)
    np.testing.assert_allclose(clustered(copied, cluster), 3 * elpd[order], rtol=1e-15)
    found, once = differences(copied, cluster), differences(elpd)
    np.testing.assert_allclose(found.diff, 3 * once.diff, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.se, 3 * once.se, rtol=1e-12)
    # As if independent, the copies would claim an error smaller by sqrt 3 (and by n - 1 in place of n).
    naive = differences(copied).se[1:]
    np.testing.assert_allclose(naive, found.se[1:] / np.sqrt(3) * np.sqrt(39 / 40 * 120 / 119), rtol=1e-12)
    np.testing.assert_allclose(
        pseudo_bma(copied, KEY, cluster=cluster), pseudo_bma(3 * elpd[order], KEY), rtol=1e-12, atol=1e-300
    )


def test_bad_tables_are_refused() -> None:
    elpd = scores(n=4)
    with pytest.raises(BadInput, match="one row per run and one column per model, got shape \\(4,\\)"):
        stacking(elpd[:, 0])
    elpd[2, 1] = np.nan
    with pytest.raises(BadInput, match="got nan for run 2 of model 1"):
        differences(elpd)
    with pytest.raises(BadInput, match="one label for each of 4 runs, got shape \\(3,\\)"):
        clustered(scores(n=4), np.arange(3))
    with pytest.raises(BadInput, match="at least two independent runs, got 1"):
        differences(scores(n=4), np.zeros(4, int))
