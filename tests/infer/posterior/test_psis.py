"""Pareto-smoothed importance sampling against ArviZ, closed forms, and the pathologies it must refuse."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arviz_stats.base import array_stats

from jaxscale.core.errors import BadInput
from jaxscale.infer.posterior import psis

S = 400
SMOOTH = jax.jit(psis.smooth)
SMOOTH_ALL = jax.jit(jax.vmap(psis.smooth))
EFFECTIVE = jax.jit(psis.relative_ess)
EFFECTIVE_ALL = jax.jit(jax.vmap(psis.relative_ess))


def ratios(name: str, size: int = S) -> np.ndarray:
    rng = np.random.default_rng(5)
    draws: dict[str, Any] = {
        "lognormal": lambda: rng.normal(size=size),
        "t": lambda: rng.standard_t(5, size=size) - 900.0,
        "pareto": lambda: 0.8 * rng.exponential(size=size),
        "bounded": lambda: np.log(rng.uniform(size=size)),
        "nearly flat": lambda: 1e-2 * rng.normal(size=size),
        "hopeless": lambda: 6 * rng.normal(size=size),
    }
    return draws[name]()


@pytest.mark.parametrize("name", ["lognormal", "t", "pareto", "bounded", "nearly flat", "hopeless"])
def test_equals_arviz(name: str, eps: float) -> None:
    given = jnp.asarray(ratios(name))
    smoothed = SMOOTH(given)
    assert smoothed.log_weight.dtype == smoothed.k.dtype == given.dtype
    log_weight, k = array_stats.psislw(-np.asarray(given, np.float64))
    # Both get the same rounded ratios. Differences from the largest round by eps of their range; the profile over
    # the grid multiplies the rounding by the m draws of the tail, and the shape divides it by the tail's spread.
    m, span = psis.tail_size(S), float(np.ptp(np.asarray(given, np.float64)))
    spread = np.ptp(np.sort(np.asarray(given, np.float64))[-m:])
    np.testing.assert_allclose(smoothed.k, k, rtol=0, atol=4 * m * eps * (1 + (1 + span) / spread))
    np.testing.assert_allclose(smoothed.log_weight, log_weight, rtol=0, atol=4 * m * eps * (1 + span))
    total = jax.nn.logsumexp(smoothed.log_weight)
    assert abs(float(total)) < S * eps


@pytest.mark.x64
@pytest.mark.parametrize("size", [30, 224, 226, 1000])
def test_equals_arviz_at_other_sizes(size: int, eps: float) -> None:
    smoothed = SMOOTH(jnp.asarray(ratios("lognormal", size)))
    log_weight, k = array_stats.psislw(-ratios("lognormal", size))
    np.testing.assert_allclose(smoothed.k, k, rtol=0, atol=size * eps)
    np.testing.assert_allclose(smoothed.log_weight, log_weight, rtol=0, atol=size * eps)


@pytest.mark.parametrize("k", [-0.3, 0.2, 0.7, 1.2])
def test_recovers_the_shape_of_exact_quantiles(k: float) -> None:
    """Ratios whose tail is a generalised Pareto's quantiles: k, moved a tenth of the way to 1/2 by the prior."""
    size = 10_000
    m = psis.tail_size(size)
    rise = -np.log1p(-(np.arange(m) + 0.5) / m)
    ratio = np.concatenate([np.full(size - m, 1.0), 1 + 0.5 * np.expm1(k * rise) / k])
    found = float(SMOOTH(jnp.asarray(np.log(ratio))).k)
    # The standard error of k from m draws, (1 + k) / sqrt m, bounds what the smoothness of exact quantiles hides.
    assert found == pytest.approx((m * k + 5) / (m + 10), abs=(1 + k) / np.sqrt(m))


def test_a_batch_equals_its_lanes(eps: float) -> None:
    lanes = jnp.stack([jnp.asarray(ratios(name)) for name in ("lognormal", "pareto", "bounded")])
    together = SMOOTH_ALL(lanes)
    for i, lane in enumerate(lanes):
        alone = SMOOTH(lane)
        np.testing.assert_allclose(together.log_weight[i], alone.log_weight, rtol=64 * eps, atol=64 * eps)
        np.testing.assert_allclose(together.k[i], alone.k, rtol=0, atol=S * eps)


def test_equal_ratios_need_no_smoothing(eps: float) -> None:
    smoothed = SMOOTH(jnp.full(S, -1234.5))
    np.testing.assert_allclose(smoothed.log_weight, -np.log(S), rtol=4 * eps)
    assert float(smoothed.k) == 0


def test_ratios_equal_to_rounding_are_not_refused(eps: float) -> None:
    """A perfect proposal whose log densities near -1000 were subtracted: last digits, the tail mostly ties."""
    digits = np.repeat([0, 1, 2], [300, 85, 15])
    assert float(SMOOTH(jnp.asarray(digits * 512 * eps)).k) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_ratio_that_is_no_number_refuses_the_lane(bad: float, eps: float) -> None:
    given = ratios("lognormal")
    given[17] = bad
    smoothed = SMOOTH(jnp.asarray(given))
    assert float(smoothed.k) == np.inf
    np.testing.assert_allclose(smoothed.log_weight, -np.log(S), rtol=4 * eps)


def test_impossible_draws_weigh_nothing(eps: float) -> None:
    given = ratios("lognormal")
    given[::3] = -np.inf
    smoothed = SMOOTH(jnp.asarray(given))
    assert np.all(np.isneginf(np.asarray(smoothed.log_weight)[::3]))
    log_weight, k = array_stats.psislw(-np.asarray(jnp.asarray(given), np.float64))
    np.testing.assert_allclose(smoothed.k, k, rtol=0, atol=S * 8 * eps)
    np.testing.assert_allclose(np.exp(smoothed.log_weight), np.exp(log_weight), rtol=0, atol=64 * eps)


@pytest.mark.parametrize("possible", [0, 1, 20, 60])
def test_fewer_possible_draws_than_a_tail_are_refused(possible: int) -> None:
    given = np.full(S, -np.inf)
    given[:possible] = ratios("lognormal")[:possible]
    smoothed = SMOOTH(jnp.asarray(given))
    assert float(smoothed.k) == np.inf
    expected = np.exp(given[:possible]) / np.exp(given[:possible]).sum() if possible else 1 / S
    np.testing.assert_allclose(np.exp(smoothed.log_weight)[: possible or S], expected, rtol=1e-5)


def test_too_few_draws_are_refused() -> None:
    with pytest.raises(BadInput, match="expected at least 30 draws, got 29"):
        psis.smooth(jnp.zeros(29))


def test_khat_limit_as_published() -> None:
    # Vehtari et al. 2024, section 3.2.4: 0.5 at a hundred draws, 0.7 from about 2,200 on.
    assert psis.khat_limit(100) == pytest.approx(0.5)
    assert psis.khat_limit(2000) < 0.7
    assert psis.khat_limit(2200) == psis.khat_limit(10**6) == 0.7


def test_normal_moments_from_a_student_proposal() -> None:
    """Mean 1 and variance 4 by weights, within the error that the effective sample size predicts."""
    lanes, size, nu = 50, 1000, 5
    rng = np.random.default_rng(1)
    x = 0.5 + 2.5 * rng.standard_t(nu, size=(lanes, size))
    log_target = -0.5 * ((x - 1) / 2) ** 2
    log_proposal = -0.5 * (nu + 1) * np.log1p(((x - 0.5) / 2.5) ** 2 / nu)
    smoothed = SMOOTH_ALL(jnp.asarray(log_target - log_proposal))
    # A normal over a t is bounded: the tail is short.
    assert np.all(np.asarray(smoothed.k) < psis.khat_limit(size))

    moments = np.stack([x, (x - 1) ** 2], axis=-1)
    effective = np.asarray(EFFECTIVE_ALL(smoothed.log_weight, jnp.asarray(moments)))
    weight = np.exp(np.asarray(smoothed.log_weight, np.float64))[..., None]
    error = np.sum(weight * moments, axis=1) - np.array([1.0, 4.0])
    z = error / (np.array([2.0, 4 * np.sqrt(2)]) / np.sqrt(effective))
    # Standard normal over 50 lanes: its mean square within 4 standard errors, sqrt(2 / 50) each.
    np.testing.assert_allclose(np.mean(z**2, axis=0), 1, atol=4 * np.sqrt(2 / lanes))


def test_effective_sizes_of_plain_weights(eps: float) -> None:
    """Equal weights on m of s draws count for m draws, whatever is estimated; a constant column has no answer."""
    m = 80
    weight = np.where(np.arange(S) < m, -np.log(m), -np.inf)
    x = np.random.default_rng(2).normal(size=(S, 3))
    given = jnp.asarray(weight)
    assert float(psis.ess(given)) == pytest.approx(m, rel=64 * eps)
    np.testing.assert_allclose(EFFECTIVE(given, jnp.asarray(x)), m, rtol=64 * eps)
    np.testing.assert_allclose(EFFECTIVE(given, jnp.asarray(x[:, 0])), m, rtol=64 * eps)
    assert np.isnan(EFFECTIVE(given, jnp.zeros(S)))


def test_resampling_takes_each_draw_its_share_of_times(eps: float) -> None:
    weight = np.random.default_rng(3).dirichlet(np.full(50, 0.3))
    weight[[0, 20, 49]] = 0
    weight /= weight.sum()
    with np.errstate(divide="ignore"):
        given = jnp.asarray(np.log(weight))
    count, keys = 200, 500
    draw = jax.jit(jax.vmap(lambda key: psis.resample(key, given, count)))
    index = np.asarray(draw(jax.random.split(jax.random.key(0), keys)))
    assert index.shape == (keys, count)
    assert np.all(np.diff(index, axis=1) >= 0)
    times = np.stack([np.bincount(row, minlength=50) for row in index])
    assert not times[:, [0, 20, 49]].any()
    # Rounded up or down, where rounding of the sums may move a share across a whole number.
    slack = 50 * count * eps
    assert np.all(times >= np.floor(count * weight - slack))
    assert np.all(times <= np.ceil(count * weight + slack))
    # The remainder is a coin of variance at most 1/4.
    np.testing.assert_allclose(times.mean(axis=0), count * weight, atol=4 * 0.5 / np.sqrt(keys))


def test_resampling_never_falls_off_the_end() -> None:
    """The highest of many positions rounds to the total weight in float32; impossible draws stand behind it."""
    weight = jnp.asarray(np.r_[np.full(3, -np.log(3.0)), -np.inf, -np.inf])
    keys = jax.random.split(jax.random.key(1), 4096)
    latest = keys[np.argmax(jax.vmap(jax.random.uniform)(keys))]
    assert int(psis.resample(latest, weight, 20_001).max()) == 2


def conjugate(n: int = 30, size: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normal mean with a N(0, 10^2) prior and unit noise: log-likelihoods of posterior draws, exact LOO and lppd."""
    rng = np.random.default_rng(4)
    y = 0.7 + rng.normal(size=n)
    precision = n + 0.01
    mean = y.sum() / precision
    draws = mean + rng.normal(size=size) / np.sqrt(precision)
    log_likelihood = -0.5 * np.log(2 * np.pi) - 0.5 * (y - draws[:, None]) ** 2

    def log_predictive(mean: np.ndarray, precision: float) -> np.ndarray:
        variance = 1 + 1 / precision
        return -0.5 * np.log(2 * np.pi * variance) - 0.5 * (y - mean) ** 2 / variance

    without = precision - 1
    return log_likelihood, log_predictive((y.sum() - y) / without, without), log_predictive(mean, precision)


def test_loo_of_a_conjugate_normal() -> None:
    log_likelihood, exact, lppd = conjugate()
    scores = psis.loo(jnp.asarray(log_likelihood), batch=7)
    assert np.all(np.asarray(scores.k) < psis.khat_limit(4000))
    # The estimator is a weighted mean of likelihoods over the draws: their relative spread by the effective number.
    weight = SMOOTH_ALL(jnp.asarray(-log_likelihood.T)).log_weight
    likelihood = np.exp(log_likelihood)
    effective = np.asarray(EFFECTIVE_ALL(weight, jnp.asarray(likelihood.T)))
    w = np.exp(np.asarray(weight, np.float64)).T
    mean = np.sum(w * likelihood, axis=0)
    spread = np.sqrt(np.sum(w * (likelihood - mean) ** 2, axis=0)) / mean
    assert np.all(np.abs(scores.elpd - exact) < 4 * spread / np.sqrt(effective))
    # The same for both halves of p, which share the draws.
    assert np.all(np.abs(scores.p - (lppd - exact)) < 8 * spread / np.sqrt(effective))


def test_loo_equals_arviz(eps: float) -> None:
    log_likelihood = conjugate(n=12, size=S)[0]
    given = jnp.asarray(log_likelihood)
    scores = psis.loo(given, batch=5)
    elpd, k, p = array_stats.loo(np.asarray(given, np.float64).T[:, None])
    np.testing.assert_allclose(scores.elpd, elpd, rtol=64 * eps)
    np.testing.assert_allclose(scores.p, p, rtol=0, atol=64 * eps * np.abs(elpd).max())
    np.testing.assert_allclose(scores.k, k, rtol=0, atol=S * 8 * eps)
