"""Likelihoods against scipy.stats densities, their integrals, their draws, known and growing noise."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from jaxscale.core.parametric import values
from jaxscale.core.runs import Runs
from jaxscale.objectives import InputNoise, Likelihood, gaussian, huber_density, student_t
from jaxscale.objectives.noise import ConstantNoise, Slope

OBJECTIVES = [gaussian(), student_t(5), huber_density(1.0)]
T = np.linspace(-8, 8, 81)


def minus_log_density(objective: Likelihood, t: np.ndarray) -> np.ndarray:
    return np.asarray(jax.vmap(objective.density)(jnp.asarray(t, dtype=float)), np.float64)


@pytest.mark.parametrize(
    ("objective", "reference"),
    [(gaussian(), stats.norm.logpdf), (student_t(5), stats.t(5).logpdf), (student_t(2.5), stats.t(2.5).logpdf)],
    ids=["gaussian", "t5", "t2.5"],
)
def test_densities_are_scipys(objective: Likelihood, reference: Callable[..., np.ndarray], eps: float) -> None:
    np.testing.assert_allclose(minus_log_density(objective, T), -reference(T), rtol=32 * eps)


@pytest.mark.parametrize("d", [0.3, 1.0, 2.0])
def test_the_huber_density_integrates_to_one(d: float, eps: float) -> None:
    def density(t: float) -> float:
        return float(np.exp(-minus_log_density(huber_density(d), np.array([t]))[0]))

    grid = np.linspace(-d, d, 2001)
    inside = integrate.simpson(np.exp(-minus_log_density(huber_density(d), grid)), x=grid)
    tails = 2 * density(d) / d  # exponential tails of rate d
    # Simpson's error at 2,001 points is below 1e-13.
    assert inside + tails == pytest.approx(1.0, abs=1e-12 + 64 * eps)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda o: o.name)
def test_the_majoriser_majorises(objective: Likelihood, eps: float) -> None:
    rho = minus_log_density(objective, T)
    slope = np.asarray(jax.vmap(jax.grad(objective.density))(jnp.asarray(T, dtype=float)), np.float64)
    weight = np.asarray(jax.vmap(objective.density.weight)(jnp.asarray(T, dtype=float)), np.float64)
    step = T[None, :] - T[:, None]
    bound = rho[:, None] + slope[:, None] * step + 0.5 * weight[:, None] * step**2
    assert np.all(rho[None, :] <= bound + 64 * eps * (1 + np.abs(bound)))


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda o: o.name)
def test_the_curvature_is_the_hessian_of_linear_outputs(objective: Likelihood, eps: float) -> None:
    rng = np.random.default_rng(3)
    design, offset = (jnp.asarray(x, float) for x in (rng.normal(size=(2, 7, 3)), rng.normal(size=(2, 7))))
    z = jnp.asarray([0.3, -0.2, 0.5], float)

    def outputs(z: jax.Array) -> jax.Array:
        residual, log_scale = (x @ z + c for x, c in zip(design, offset, strict=True))
        return jnp.stack([residual * jnp.exp(-log_scale), log_scale], axis=1)

    def value(z: jax.Array) -> jax.Array:
        return jnp.sum(jax.vmap(objective.penalty)(outputs(z)))

    jacobian = jax.jacfwd(outputs)(z)
    gauss_newton = jnp.einsum("nkp,nkl,nlq->pq", jacobian, jax.vmap(objective.curvature)(outputs(z)), jacobian)
    exact = jax.hessian(value)(z)
    # Sums of 7 products, of which the largest are some ten times their sum.
    np.testing.assert_allclose(gauss_newton, exact, atol=1e3 * eps * float(jnp.max(jnp.abs(exact))))


@pytest.mark.parametrize(
    ("objective", "cdf"),
    [
        (gaussian(), stats.norm.cdf),
        (student_t(5), stats.t(5).cdf),
        (huber_density(1.0), None),
    ],
    ids=["gaussian", "t5", "huber"],
)
def test_draws_follow_the_density(objective: Likelihood, cdf: Callable[..., np.ndarray] | None) -> None:
    drawn = np.asarray(objective.density.sample(jax.random.key(1), (4000,), jnp.zeros(()).dtype), np.float64)
    if cdf is None:
        grid = np.linspace(-40, 40, 80001)
        table = integrate.cumulative_simpson(np.exp(-minus_log_density(objective, grid)), x=grid, initial=0)

        def cdf(x: np.ndarray) -> np.ndarray:
            return np.interp(x, grid, table)

    assert stats.kstest(drawn, cdf).pvalue > 1e-4


def runs_of(n: int, noise: float = 0.0, weight: np.ndarray | None = None) -> tuple[Runs, np.ndarray]:
    rng = np.random.default_rng(2)
    target, prediction = rng.uniform(2, 4, n), rng.uniform(2, 4, n)
    runs = Runs.of({"N": np.logspace(8, 10, n)}, target, noise=np.full(n, noise), weight=weight)
    return runs, prediction


def test_the_sum_is_minus_the_log_likelihood(eps: float) -> None:
    weight = np.arange(20) % 3.0
    runs, prediction = runs_of(20, weight=weight)
    objective = gaussian(ConstantNoise(0.2))
    u = objective.outputs(jnp.asarray(prediction, dtype=float), runs)
    residual = np.log(prediction) - np.log(np.asarray(runs.target, np.float64))
    expected = -np.sum(weight * stats.norm(0, 0.2).logpdf(residual))
    assert float(objective.reported(u, runs.weight)) == pytest.approx(expected, rel=64 * eps)


def test_known_noise_adds_in_quadrature(eps: float) -> None:
    runs, prediction = runs_of(12, noise=0.3)
    log_scale = gaussian(ConstantNoise(0.2)).outputs(jnp.asarray(prediction, dtype=float), runs)[:, 1]
    relative = 0.3 / np.asarray(runs.target, np.float64)
    np.testing.assert_allclose(np.exp(np.asarray(log_scale)), np.hypot(0.2, relative), rtol=32 * eps)


def test_noise_may_grow_with_an_input(eps: float) -> None:
    runs, prediction = runs_of(11)
    noise = InputNoise({"N": Slope(0.5)}, 0.1)
    assert set(values(noise)) == {"sigma", "by.N.slope"}
    log_scale = gaussian(noise).outputs(jnp.asarray(prediction, dtype=float), runs)[:, 1]
    logs = np.log(np.logspace(8, 10, 11))
    expected = np.log(0.1) + 0.5 * (logs - logs.mean())
    # Logarithms of N are about 20, known to 20 eps.
    np.testing.assert_allclose(np.asarray(log_scale), expected, atol=64 * eps * 20)


def test_the_start_is_the_robust_spread(eps: float) -> None:
    runs, _ = runs_of(9)
    residual = np.array([0.1, -0.1, 0.2, 0.3, -0.05, 0.15, 0.4, -0.25, 9.0])
    prediction = np.asarray(runs.target, np.float64) * np.exp(residual)
    started = student_t().started(jnp.asarray(prediction, dtype=float), runs)
    assert float(started.noise.sigma) == pytest.approx(1.4826 * 0.2, rel=64 * eps)


def test_simulated_targets_have_the_scale() -> None:
    n = 4000
    runs = Runs.of({"N": np.ones(n)}, np.full(n, 3.0))
    drawn = gaussian(ConstantNoise(0.05)).simulate(jax.random.key(4), jnp.full(n, 3.0), runs)
    spread = float(jnp.std(jnp.log(drawn) - jnp.log(jnp.asarray(3.0))))
    assert spread == pytest.approx(0.05, rel=4 / np.sqrt(2 * n))
