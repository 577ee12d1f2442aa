"""Leave-one-out scores of a Gaussian posterior against their closed forms; influential runs, clusters, weights."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from scipy.stats import norm

from jaxscale.core.runs import Runs
from jaxscale.infer.compare.leave_out import leave_one_out, score_left_out
from jaxscale.infer.fit.fit import Fit, fit
from jaxscale.infer.posterior.diagnosis import Gates
from jaxscale.infer.posterior.posterior import Posterior
from jaxscale.infer.posterior.psis import khat_limit

MCSE = 4
SIGMA = 0.25  # of the fixture's likelihood
PRIOR_MEAN, PRIOR_PRECISION = np.array([5.0, 0.0]), np.diag([1 / 5.0**2, 1.0])  # as Line declares


def mode_of(conjugate: Any, **columns: Any) -> Fit:
    """The conjugate fixture's mode with other columns: the same program."""
    runs, mode = conjugate.mode.runs, conjugate.mode
    x, y = columns.pop("x", runs.inputs["x"]), columns.pop("y", runs.target)
    made = Runs.of({"x": x}, y, **columns)
    return fit(mode.law, made, mode.objective, fixed=("objective.noise.sigma",), prior=True, starts=2)


def columns(mode: Fit) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    runs = mode.runs
    x, y, weight = (np.asarray(column, np.float64) for column in (runs.inputs["x"], runs.target, runs.weight))
    return np.stack([np.ones_like(x), x], axis=1), y, weight


def predicted(mode: Fit, i: int, left_out: np.ndarray) -> tuple[float, float, float]:
    """Target of run i, and mean and variance of the law's value there given the runs that are not left out."""
    design, y, weight = columns(mode)
    kept = np.where(left_out, 0, weight)
    precision = design.T @ (kept[:, None] * design) / SIGMA**2 + PRIOR_PRECISION
    mean = np.linalg.solve(precision, design.T @ (kept * y) / SIGMA**2 + PRIOR_PRECISION @ PRIOR_MEAN)
    return float(y[i]), float(design[i] @ mean), float(design[i] @ np.linalg.inv(precision) @ design[i])


def exact_score(mode: Fit, i: int, left_out: np.ndarray) -> float:
    y, mean, variance = predicted(mode, i, left_out)
    return float(norm.logpdf(y, mean, np.sqrt(SIGMA**2 + variance)))


def refit_error(mode: Fit, i: int, left_out: np.ndarray) -> float:
    """Monte-Carlo error of the log of an average density, from the fewest effective draws that pass a lane's gate."""
    y, mean, variance = predicted(mode, i, left_out)
    once = norm.pdf(y, mean, np.sqrt(SIGMA**2 + variance))
    twice = norm.pdf(y, mean, np.sqrt(SIGMA**2 / 2 + variance)) / (2 * SIGMA * np.sqrt(np.pi))
    return float(np.sqrt((twice / once**2 - 1) / Gates(ess=100.0).ess))


def weighting_error(posterior: Posterior, i: int, left_out: np.ndarray) -> float:
    """Monte-Carlo error of sum r p_i / sum r with r one over the likelihood of what is left out, by its draws."""
    design, y, weight = columns(posterior.fit)
    z = posterior.z.reshape(-1, 2).astype(np.float64)
    density = norm.logpdf(y, z @ design.T, SIGMA)
    ratio = np.exp(-(density[:, left_out] * weight[left_out]).sum(axis=1) + density[:, i].max())
    p = np.exp(density[:, i])
    score = np.sum(ratio * p) / np.sum(ratio)
    return float(np.sqrt(np.sum((ratio * (p - score)) ** 2)) / np.sum(ratio) / score)


def clusters_of(mode: Fit) -> np.ndarray:
    """Which runs go with run i, row by row."""
    cluster = np.asarray(mode.runs.cluster)
    return cluster[:, None] == cluster[None, :]


@pytest.mark.parametrize("case", ["single", "clusters", "weights"])
def test_scores_of_the_closed_form(conjugate: Any, exact: Callable[..., Posterior], case: str) -> None:
    """A weight of two is a run seen twice, which leaves together; the score is of its target once."""
    n = conjugate.mode.count
    weight = np.tile([1.0, 2.0, 0.0], n // 3)
    given = {"single": {}, "clusters": {"cluster": np.arange(n) // 3}, "weights": {"weight": weight}}[case]
    mode = mode_of(conjugate, **given)
    posterior = exact(mode, columns(mode)[0])
    found = leave_one_out(posterior, jax.random.key(0))
    used = np.asarray(mode.runs.weight) > 0
    assert not found.refitted.any()
    assert np.all(np.isnan(found.elpd[~used]))
    assert np.all(found.k[used] < khat_limit(2000))
    for i in np.flatnonzero(used):
        out = clusters_of(mode)[i]
        assert abs(found.elpd[i] - exact_score(mode, i, out)) < MCSE * weighting_error(posterior, i, out)
    # Closed form of what a run gains by being seen: its density in the full posterior, less the score.
    gains = [exact_score(mode, i, np.zeros(n, bool)) - exact_score(mode, i, clusters_of(mode)[i]) for i in range(n)]
    np.testing.assert_allclose(np.nansum(found.p), np.sum(np.array(gains)[used]), rtol=MCSE * np.sqrt(2 / 2000) * 2)


def test_an_influential_run_is_refitted(conjugate: Any, exact: Callable[..., Posterior]) -> None:
    """A run ten times further out than the others sets the slope: its weights fail, a posterior without it does not."""
    design, y, _ = columns(conjugate.mode)
    x = design[:, 1].copy()
    x[7], target = 40.0, y.copy()
    target[7] = 5 + 0.4 * 40 + 2.0
    mode = mode_of(conjugate, x=x, y=target)
    posterior = exact(mode, columns(mode)[0])
    found = leave_one_out(posterior, jax.random.key(0))
    assert np.flatnonzero(found.refitted).tolist() == [7]
    assert found.k[7] > khat_limit(2000)
    alone = np.arange(mode.count) == 7
    exactly = exact_score(mode, 7, alone)
    assert abs(found.elpd[7] - exactly) < MCSE * refit_error(mode, 7, alone)
    here = exact_score(mode, 7, np.zeros(mode.count, bool))
    assert abs(found.p[7] - (here - exactly)) < MCSE * refit_error(mode, 7, alone) + MCSE * np.sqrt(2 / 2000)


def test_scores_of_runs_left_out_together(conjugate: Any) -> None:
    mode = conjugate.mode
    masks = np.arange(mode.count)[None, :] % 4 == np.arange(3)[:, None]
    found = score_left_out(mode, masks, jax.random.key(0))
    assert found.shape == masks.shape
    assert np.all(np.isnan(found[~masks]))
    for row, mask in zip(found, masks, strict=True):
        for i in np.flatnonzero(mask):
            assert abs(row[i] - exact_score(mode, i, mask)) < MCSE * refit_error(mode, i, mask)
    # A mask's score depends on the key and its place alone.
    again = score_left_out(mode, masks[:1], jax.random.key(0))
    np.testing.assert_array_equal(again[0], found[0])
