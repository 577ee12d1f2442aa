"""Lanes against a closed form and against quadrature: by importance sampling, by its later rounds, and by NUTS."""

from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw
from jaxscale.core.parametric import param
from jaxscale.core.runs import Runs
from jaxscale.infer.fit.fit import Fit, fit
from jaxscale.infer.posterior.batched import CHAINS, PSIS, RESCUE, Lanes, LaneSettings, posterior_lanes
from jaxscale.infer.posterior.diagnosis import Gates
from jaxscale.infer.posterior.importance import Importance
from jaxscale.infer.posterior.psis import khat_limit
from jaxscale.infer.search.problem import Resample
from jaxscale.objectives.likelihood import gaussian
from jaxscale.objectives.noise import ConstantNoise
from jaxscale.objectives.residual import RawResidual

MCSE = 4
ROWS, SIGMA = 8, 0.1
PRIOR_MEAN, PRIOR_SD = np.array([5.0, 0.1]), np.array([1.0, 1.0])  # as Bent declares
PRIOR_PRECISION = np.diag(PRIOR_SD**-2)
CHAINS_ONLY = LaneSettings(engine="nuts")
KEYS = jax.random.split(jax.random.key(3), ROWS)
X = np.random.default_rng(5).uniform(-2, 2, 24).astype(np.float32).astype(float)
DESIGN = np.stack([np.ones_like(X), X], axis=1)


class Bent(AbstractLaw):
    """A line in m at k = 0, whose posterior is then Gaussian; at k = 1 all but the prior is even in m."""

    c: q.Pure = param(s.real, init=5.0, prior=p.Normal(5.0, 1.0), doc="level")
    m: q.Pure = param(s.real, init=0.5, prior=p.Normal(0.1, 1.0), doc="slope")
    k: q.Pure = param(s.real, init=0.0, prior=p.Normal(0.0, 1.0), doc="how bent")

    def __call__(self, x: q.Pure) -> q.Pure:
        return self.c + ((1 - self.k) * self.m + self.k * self.m**2) * x


def noisy(slope: float, seed: int) -> np.ndarray:
    y = 5 + slope * X + SIGMA * np.random.default_rng(seed).standard_normal(len(X))
    return y.astype(np.float32).astype(float)


def mode_of(k: float) -> Fit:
    known, runs = gaussian(ConstantNoise(SIGMA), RawResidual()), Runs.of({"x": X}, noisy(0.5, 0))
    return fit(Bent(k=k), runs, known, fixed=("k", "objective.noise.sigma"), prior=True, starts=4)


@pytest.fixture(scope="module")
def straight() -> Fit:
    return mode_of(0.0)


@pytest.fixture(scope="module")
def bent() -> Fit:
    return mode_of(1.0)


WEIGHT = np.random.default_rng(0).exponential(size=(ROWS, len(X))).astype(np.float32).astype(float)
TARGET = np.stack([noisy(slope, i) for i, slope in enumerate(np.linspace(-1, 1, ROWS))])
# From two modes far apart on one side, over two that merge, to a slope that m^2 cannot have.
CURVED_TARGET = np.stack([noisy(slope, i) for i, slope in enumerate([0.5, 0.2, 0.1, 0.05, 0.0, 0.0, -0.05, -0.5])])
ALIKE = np.ones((ROWS, len(X)))


def drawn(
    mode: Fit, weight: np.ndarray, target: np.ndarray, settings: LaneSettings, count: int = ROWS, keys: jax.Array = KEYS
) -> Lanes:
    context = Resample(jnp.asarray(weight, float), jnp.asarray(target, float))
    return posterior_lanes(mode, context, keys, count, settings)


def closed_form(weight: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of (c, m) at k = 0 in a lane."""
    precision = DESIGN.T @ (weight[:, None] * DESIGN) / SIGMA**2 + PRIOR_PRECISION
    mean = np.linalg.solve(precision, DESIGN.T @ (weight * target) / SIGMA**2 + PRIOR_PRECISION @ PRIOR_MEAN)
    return mean, np.linalg.inv(precision)


def standardised(found: Lanes) -> np.ndarray:
    """Draws of every lane in coordinates in which its posterior is standard normal, shape (m, draw, 2)."""
    lanes = []
    for z, weight, target in zip(found.z.astype(np.float64), WEIGHT, TARGET, strict=True):
        mean, covariance = closed_form(weight, target)
        lanes.append(np.linalg.solve(np.linalg.cholesky(covariance), (z - mean).T).T)
    return np.stack(lanes)


def inflation(moment: int, df: int = 7) -> float:
    """How many proposals of a t with `df` do what one draw of a standard normal in the plane does for E[x^moment]."""
    x, y = np.meshgrid(*(np.linspace(-12, 12, 1201),) * 2)
    square = x**2 + y**2
    normal, t = np.exp(-square / 2), (1 + square / df) ** (-(df + 2) / 2)
    away = (x**moment - (moment == 2)) ** 2
    return float(np.sum(normal**2 / t * away) / np.sum(normal * away))


def test_importance_sampling_has_the_moments_of_the_closed_form(straight: Fit) -> None:
    settings = Importance()
    found = drawn(straight, WEIGHT, TARGET, LaneSettings(importance=settings))
    assert np.all(found.ok)
    assert np.all(found.engine == PSIS)
    assert np.all(found.khat < khat_limit(settings.proposals))
    assert np.all(np.isnan(found.rhat))
    z = standardised(found)
    for moment, expected, variance in ((1, 0, 1), (2, 1, 2)):
        error = np.sqrt(variance * (inflation(moment) / settings.proposals + 1 / settings.draws))
        assert np.all(np.abs(np.mean(z**moment, axis=1) - expected) < MCSE * error)
        assert np.all(np.abs(np.mean(z**moment, axis=(0, 1)) - expected) < MCSE * error / np.sqrt(ROWS))
    # The estimated effective size of the mean, from as many proposals: its own error is that of a variance.
    expected = 1 / (inflation(1) / settings.proposals + 1 / settings.draws)
    np.testing.assert_allclose(found.ess, expected, rtol=MCSE * np.sqrt(2 / settings.proposals))


def test_mode_and_scale_are_those_of_the_closed_form(straight: Fit, eps: float) -> None:
    found = drawn(straight, WEIGHT, TARGET, LaneSettings())
    for i, (weight, target) in enumerate(zip(WEIGHT, TARGET, strict=True)):
        mean, covariance = closed_form(weight, target)
        rounding = 64 * len(X) * np.linalg.cond(covariance) * eps
        # A minimum is as flat as its value's rounding, of about |log density|, allows.
        sd = np.sqrt(np.diag(covariance))
        assert np.all(np.abs(found.mode[i] - mean) < sd * np.sqrt(eps * 1e3) + rounding * np.abs(mean))
        np.testing.assert_allclose(found.scale[i] @ found.scale[i].T, covariance, atol=rounding * covariance.max())


def test_nuts_has_the_moments_of_the_closed_form(straight: Fit) -> None:
    found = drawn(straight, WEIGHT, TARGET, CHAINS_ONLY)
    assert np.all(found.ok)
    assert np.all(found.engine == CHAINS)
    assert np.all(np.isnan(found.khat))
    assert np.all(found.rhat < CHAINS_ONLY.gates.rhat)
    z, draws = standardised(found), CHAINS_ONLY.importance.draws
    # Every eighth draw of the chains: no less independent than the chains' effective size says.
    error = np.sqrt(1 / np.minimum(draws, found.ess.min(axis=1)))[:, None]
    assert np.all(np.abs(z.mean(axis=1)) < MCSE * error)
    assert np.all(np.abs((z**2).mean(axis=1) - 1) < MCSE * np.sqrt(2) * error)


def quadrature(target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A grid of m and its posterior probabilities at k = 1 with weights of one; c integrates out in closed form."""
    m = np.linspace(-2, 2, 8001)
    away = target - m[:, None] ** 2 * X - 5
    # c - 5 is standard normal: the residuals then have covariance SIGMA^2 + 1 1'.
    covariance = SIGMA**2 * np.eye(len(X)) + PRIOR_SD[0] ** 2
    log_density = -0.5 * np.einsum("gi,ij,gj->g", away, np.linalg.inv(covariance), away)
    log_density -= 0.5 * ((m - PRIOR_MEAN[1]) / PRIOR_SD[1]) ** 2
    density = np.exp(log_density - log_density.max())
    return m, density / density.sum()


def misses(found: Lanes, lanes: Iterable[int]) -> np.ndarray:
    """Distance of the share of draws of m below six quantiles from the truth, in Monte-Carlo errors."""
    far = []
    for i in lanes:
        m, probability = quadrature(CURVED_TARGET[i])
        for at in m[np.searchsorted(np.cumsum(probability), (0.05, 0.2, 0.4, 0.6, 0.8, 0.95))]:
            level = probability[m <= at].sum()
            draws = min(found.ess[i, 1], found.z.shape[1])
            far.append((np.mean(found.z[i, :, 1] <= at) - level) / np.sqrt(level * (1 - level) / draws))
    return np.abs(far)


MERGED = range(4, ROWS)  # lanes whose second mode, if any, is not cut off


def test_later_rounds_agree_with_quadrature(bent: Fit) -> None:
    once = drawn(bent, ALIKE, CURVED_TARGET, LaneSettings(importance=Importance(rounds=1)))
    found = drawn(bent, ALIKE, CURVED_TARGET, LaneSettings())
    assert (once.engine[4], found.engine[4]) == (RESCUE, PSIS)  # the curvature of one mode does not show the other
    assert np.all(found.ok[MERGED])
    assert np.all(misses(found, MERGED) < MCSE)
    # Where the first round was trusted, it is the last.
    same = once.engine == PSIS
    np.testing.assert_array_equal(found.z[same], once.z[same])


@pytest.mark.slow
def test_nuts_agrees_with_quadrature(bent: Fit) -> None:
    """A slope of zero may fail the gates, as modes merge; a negative one has a single mode, with m^2 pressed to 0."""
    found = drawn(bent, ALIKE, CURVED_TARGET, CHAINS_ONLY)
    assert found.ok[6]
    assert np.all(misses(found, [i for i in MERGED if found.ok[i]]) < MCSE)


@pytest.mark.parametrize("settings", [LaneSettings(), CHAINS_ONLY], ids=["psis", "nuts"])
def test_a_lane_depends_on_its_own_row(bent: Fit, settings: LaneSettings) -> None:
    """Lane 4 needs a second round: also in it, neither the other rows nor their number count."""
    one = drawn(bent, ALIKE, CURVED_TARGET, settings, count=6)
    others = np.arange(ROWS) != 4
    weight = np.where(others[:, None], WEIGHT, ALIKE)
    target = np.where(others[:, None], TARGET, CURVED_TARGET)
    keys = jax.random.split(jax.random.key(4), ROWS)
    keys = keys.at[4].set(KEYS[4])
    other = drawn(bent, weight, target, settings, keys=keys)
    assert len(one.ok) == 6
    for mine, theirs in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(mine[4], theirs[4])
    assert not np.any(one.z[3] == other.z[3])


def test_a_failed_lane_is_marked_and_kept(straight: Fit) -> None:
    """A target that is not a number; the other lanes are what they were."""
    target = TARGET.copy()
    target[2, 5] = np.nan
    good, found = (drawn(straight, WEIGHT, y, LaneSettings()) for y in (TARGET, target))
    rest = np.arange(ROWS) != 2
    assert found.ok.tolist() == rest.tolist()
    assert found.engine[2] == RESCUE
    assert found.z.shape == good.z.shape
    for mine, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(good), strict=True):
        np.testing.assert_array_equal(mine[rest], theirs[rest])


def test_gates_of_both_engines_decide(straight: Fit) -> None:
    strict = LaneSettings(importance=Importance(ess=1e9), gates=Gates(ess=1e9))
    found = drawn(straight, WEIGHT, TARGET, strict, count=2)
    assert not np.any(found.ok)
    assert np.all(found.engine == RESCUE)
    assert np.all(np.isfinite(found.khat))  # of the importance sampling that came first
    assert np.all(np.isfinite(found.z))
