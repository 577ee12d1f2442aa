"""Correlated residuals within runs. Oracle: SciPy's multivariate normal with the covariance written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from jaxscale.core.parametric import replace
from jaxscale.core.runs import Runs
from jaxscale.objectives import CorrelatedNoise, Likelihood, gaussian, objective_from_name, student_t

SIGMA, RHO = 0.02, 0.7
COUNTS = np.array([1, 1, 1, 0, 1, 1, 1, 0, 1, 1], bool)  # five rows of each of two runs; two are left out


def runs(n: int = 2, each: int = 5, weight: np.ndarray | None = None) -> Runs:
    target = 2 + np.sin(np.arange(n * each))
    return Runs.of({"N": np.ones(n * each)}, target, cluster=np.repeat(np.arange(n), each), weight=weight)


def objective() -> Likelihood:
    return gaussian(replace(CorrelatedNoise(), {"sigma": SIGMA, "rho": RHO}))


def covariance(pieces: list[int]) -> np.ndarray:
    """Of rows in pieces of neighbours: sigma^2 rho^|i - j| in each, nothing between."""
    found = np.zeros((sum(pieces), sum(pieces)))
    start = 0
    for size in pieces:
        apart = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
        found[start : start + size, start : start + size] = SIGMA**2 * RHO**apart
        start += size
    return found


@pytest.mark.parametrize(("weight", "pieces"), [(None, [5, 5]), (COUNTS, [3, 1, 2, 2])])
def test_the_density_is_the_multivariate_normal_s(weight: np.ndarray | None, pieces: list[int], eps: float) -> None:
    given = runs(weight=weight)
    prediction = given.target * jnp.exp(0.03 * jnp.cos(jnp.arange(10.0)))
    used = np.asarray(given.weight) > 0
    got = -np.asarray(jax.vmap(objective().penalty)(objective().outputs(prediction, given)), np.float64)
    residual = np.log(np.asarray(prediction, np.float64) / np.asarray(given.target, np.float64))[used]
    expected = multivariate_normal(np.zeros(sum(pieces)), covariance(pieces)).logpdf(residual)  # pyright: ignore
    assert got[used].sum() == pytest.approx(expected, rel=1e5 * eps)


def test_draws_have_the_covariance() -> None:
    given = runs(n=4000)
    drawn = objective().simulate(jax.random.key(0), given.target, given)
    residual = -np.log(np.asarray(drawn, np.float64) / np.asarray(given.target)).reshape(-1, 5)
    # The standard deviation of a covariance of 4,000 pairs is at most sigma^2 sqrt(2 / 4000).
    np.testing.assert_allclose(residual.T @ residual / 4000, covariance([5]), atol=4 * SIGMA**2 * np.sqrt(2 / 4000))


def test_names_round_trip() -> None:
    assert student_t(4, CorrelatedNoise()).name == "student-t:4:ar1"
    assert isinstance(objective_from_name("gaussian:ar1"), Likelihood)
    assert objective_from_name("student-t:4:ar1").name == "student-t:4:ar1"
