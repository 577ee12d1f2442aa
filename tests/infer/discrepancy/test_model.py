"""The NumPyro model beside the closed form, and bands for ladders whose truth is another law than the fitted one."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.diagnostics import effective_sample_size, split_gelman_rubin
from numpyro.infer import MCMC, NUTS, Predictive, init_to_value
from numpyro.infer.util import log_density
from scipy.stats import lognorm, norm

from jaxscale import (
    Fit,
    Runs,
    crossvalidate,
    discrepancy_model,
    fit,
    forecast_with_discrepancy,
    gaussian,
    learn_discrepancy,
    student_t,
)
from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw
from jaxscale.core.parametric import param
from jaxscale.infer.discrepancy import Discrepancy, DiscrepancyForecast
from jaxscale.infer.discrepancy.learn import basis
from jaxscale.infer.local.linearised import linear, tangent
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.laws.loss.li2025 import Farseer
from jaxscale.laws.loss.videau2026 import Nested
from jaxscale.objectives.noise import ConstantNoise

NOISE = 0.004
PRIOR = Discrepancy(p.LogNormal(0.006, 0.4), (3.0, 3.0), 99, 8)
type Truth = Callable[..., Any]


class Power(AbstractLaw):
    """exp(c) (N/1e9)^-a (D/1e10)^-b: its log is linear in its parameters, so that its tangent is the law itself."""

    c: q.Pure = param(s.real, init=1.0, prior=p.Normal(1.0, 0.5), doc="level")
    a: q.Pure = param(s.real, init=0.1, prior=p.Normal(0.1, 0.1), doc="exponent of N")
    b: q.Pure = param(s.real, init=0.1, prior=p.Normal(0.1, 0.1), doc="exponent of D")

    def __call__(self, N: q.Params, D: q.Tokens) -> q.Nats:
        return jnp.exp(self.c - self.a * jnp.log(N / 1e9) - self.b * jnp.log(D / 1e10))


def nested(k: float) -> Truth:
    return Nested(E=1.4, A=406.0 ** (1 / k), B=410.0 ** (1 / k), alpha=0.34 / k, beta=0.28 / k, k=k)


def double(N: jax.Array, D: jax.Array) -> jax.Array:
    """Two powers of size and two of data."""
    return 1.6 + 18 * N**-0.2 + 4e3 * N**-0.5 + 25 * D**-0.2 + 4e4 * D**-0.55


def logs(truth: Truth, inputs: dict[str, np.ndarray]) -> np.ndarray:
    return np.log(np.asarray(jax.vmap(lambda N, D: truth(N=N, D=D))(*map(jnp.asarray, inputs.values())), np.float64))


def inputs_of(C: np.ndarray | float, ratio: np.ndarray) -> dict[str, np.ndarray]:
    # Float32 values, so that both precisions see the same runs.
    N, D = np.sqrt(C / 6 / ratio), np.sqrt(C / 6 * ratio)
    return {"N": N.astype(np.float32).astype(float), "D": D.astype(np.float32).astype(float)}


def ladder(truth: Truth, seed: int, size: int = 94) -> Runs:
    """Three decades of compute, D/N from 4 to 200."""
    rng = np.random.default_rng(seed)
    inputs = inputs_of(10 ** rng.uniform(18, 21, size), 10 ** rng.uniform(np.log10(4), np.log10(200), size))
    return Runs.of(inputs, np.exp(logs(truth, inputs) + NOISE * rng.standard_normal(size)))


def beyond(*decades: float) -> dict[str, np.ndarray]:
    """Five runs of D/N from 6 to 120 at each."""
    C, ratio = np.meshgrid(10 ** (21 + np.array(decades)), np.geomspace(6, 120, 5), indexing="ij")
    return inputs_of(C.reshape(-1), ratio.reshape(-1))


def by_nuts(mode: Fit, prior: Discrepancy, asked: dict[str, np.ndarray], draws: int) -> tuple[dict[str, Any], float]:
    """Draws of all sites by NumPyro's own NUTS from the mode, four chains, and the least effective number of draws."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        start = {name: jnp.asarray(x) for name, x in mode.params.items()}
        kernel = NUTS(discrepancy_model(mode, prior), dense_mass=True, init_strategy=init_to_value(values=start))
        chains = MCMC(
            kernel, num_warmup=300, num_samples=draws, num_chains=4, chain_method="vectorized", progress_bar=False
        )
        chains.run(jax.random.key(0))
        assert not np.any(chains.get_extra_fields()["diverging"])
        sites = {name: np.asarray(x) for name, x in chains.get_samples(group_by_chain=True).items()}
        assert max(np.max(split_gelman_rubin(x)) for x in sites.values()) < 1.02
        forecasts = Predictive(discrepancy_model(mode, prior, asked), chains.get_samples())(jax.random.key(1))
    found = {**chains.get_samples(), **forecasts}
    effective = min(float(np.min(effective_sample_size(x))) for x in sites.values())
    return {name: np.asarray(x, np.float64) for name, x in found.items()}, effective


def agree(closed: DiscrepancyForecast, drawn: dict[str, Any], effective: float, slack: float) -> None:
    """Means and spreads within four Monte Carlo errors of both and a share of the spread; and so the noisy total."""
    for ours, theirs in (
        (closed.law, drawn["forecast.law"]),
        (closed.law + closed.discrepancy, drawn["forecast.law"] + drawn["forecast.discrepancy"]),
        (np.log(closed.total), np.log(drawn["forecast.target"])),
    ):
        spread, error = theirs.std(axis=0), np.sqrt(1 / effective + 1 / len(ours))
        assert np.all(np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) < (4 * error + slack) * spread)
        # A mixture over amplitudes has heavier tails than a normal: twice a normal's error of a spread.
        np.testing.assert_allclose(ours.std(axis=0), spread, rtol=4 * np.sqrt(2) * error + slack)


@pytest.fixture(scope="module")
def power() -> Fit:
    """A linear law, its noise known, on runs with a bend that it cannot follow."""
    runs = ladder(lambda N, D: Power()(N=N, D=D) * (1 + 0.02 * jnp.tanh(jnp.log(N / 1e9) / 4)), 0, 24)
    known = gaussian(ConstantNoise(NOISE))
    return fit(Power(), runs, known, fixed=("objective.noise.sigma",), prior=True, starts=2)


def test_density_by_hand(power: Fit, eps: float) -> None:
    """Normal log losses about the law times the process; normal priors; a log-normal amplitude: by SciPy."""
    known = basis(tangent(power), PRIOR.lengths)
    runs, r, rng = power.runs, len(known.strength), np.random.default_rng(2)
    N, D, y = (np.asarray(x, np.float64) for x in (runs.inputs["N"], runs.inputs["D"], runs.target))
    ours, theirs = [], []
    model = discrepancy_model(power, PRIOR)
    for _ in range(4):
        (c, a, b), amplitude, xi = rng.normal((1.0, 0.1, 0.1), 0.01), 0.006 * rng.lognormal(), rng.standard_normal(r)
        centre = c - a * np.log(N / 1e9) - b * np.log(D / 1e10) + amplitude * known.factor @ xi
        prior = norm(1.0, 0.5).logpdf(c) + norm(0.1, 0.1).logpdf(a) + norm(0.1, 0.1).logpdf(b)
        process = lognorm(0.4, scale=0.006).logpdf(amplitude) + norm.logpdf(xi).sum()
        theirs.append(norm(centre, NOISE).logpdf(np.log(y)).sum() + prior + process)
        sites = {"c": c, "a": a, "b": b, "discrepancy.amplitude": amplitude, "discrepancy.coefficients": xi}
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            ours.append(float(log_density(model, (), {}, {name: jnp.asarray(x) for name, x in sites.items()})[0]))
    # The constant is the Jacobian of the log. Residuals on a scale of .004 round by eps times 1e3 each.
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), rtol=2e3 * eps, atol=2e3 * eps)


def test_forecast_sites_add_up(power: Fit) -> None:
    """At given draws the law is by hand; the process has the closed form's factors, a new run the known noise."""
    known, asked, n = basis(tangent(power), PRIOR.lengths), beyond(1.0), 2000
    xi = np.random.default_rng(3).standard_normal(len(known.strength))
    same, new = known.at(linear(power, asked))
    draws = {"c": 1.1, "a": 0.09, "b": 0.12, "discrepancy.amplitude": 0.01, "discrepancy.coefficients": xi}
    draws = {name: jnp.broadcast_to(jnp.asarray(x), (n, *np.shape(x))) for name, x in draws.items()}
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        found = Predictive(discrepancy_model(power, PRIOR, asked), draws)(jax.random.key(0))
    law, deviation, target = (np.asarray(found[f"forecast.{x}"], float) for x in ("law", "discrepancy", "target"))
    by_hand = 1.1 - 0.09 * np.log(asked["N"] / 1e9) - 0.12 * np.log(asked["D"] / 1e10)
    np.testing.assert_allclose(law[0], by_hand, rtol=1e-5)
    sd = 0.01 * np.sqrt(np.sum(new**2, axis=1))
    error = float(np.max(sd)) / np.sqrt(n)
    np.testing.assert_allclose(deviation.mean(axis=0), 0.01 * same @ xi, rtol=0, atol=4 * error)
    np.testing.assert_allclose(deviation.std(axis=0), sd, rtol=4 / np.sqrt(2 * n))
    noise = np.log(target) - law - deviation
    np.testing.assert_allclose(noise.std(axis=0), NOISE, rtol=4 / np.sqrt(2 * n))


@pytest.mark.slow
def test_on_a_linear_law_nuts_has_the_closed_form(power: Fit) -> None:
    """Known Gaussian noise and a tangent that is the law: the closed form is exact."""
    asked = beyond(0.5, 2.0)
    drawn, effective = by_nuts(power, PRIOR, asked, 400)
    assert effective > 300
    agree(forecast_with_discrepancy(power, PRIOR, asked, allow_far=True), drawn, effective, 0.0)


@pytest.fixture(scope="module")
def forecasts() -> list[tuple[DiscrepancyForecast, np.ndarray]]:
    """Of Chinchilla's law for 12 ladders of four other laws, half, one and two decades out; and what came (50, 15)."""
    made, asked = [], beyond(0.5, 1.0, 2.0)
    for truth in (nested(0.4), nested(0.65), Farseer(), double):
        for seed in range(3):
            origins = crossvalidate(
                {"Chinchilla": Chinchilla()}, ladder(truth, seed), student_t(), cuts=8, prior=True, starts=8
            )
            learnt = learn_discrepancy(origins, "Chinchilla")
            noise = NOISE * np.random.default_rng(seed).standard_normal((50, 15))
            found = forecast_with_discrepancy(origins.fits["Chinchilla"], learnt, asked, allow_far=True)
            made.append((found, logs(truth, asked) + noise))
    return made


@pytest.mark.slow
@pytest.mark.x64
@pytest.mark.parametrize("at", [slice(0, 5), slice(5, 10), slice(10, 15)], ids=["0.5", "1", "2 decades"])
def test_bands_hold_runs_of_laws_that_were_not_fitted(
    forecasts: list[tuple[DiscrepancyForecast, np.ndarray]], at: slice
) -> None:
    """The total band holds nine tenths, where the parameters alone hold far less."""
    held, alone = [], []
    for made, came in forecasts:
        for ends, found in (
            (np.log(made.interval(0.9)), held),
            (np.quantile(made.law + made.noise, [0.05, 0.95], axis=0), alone),
        ):
            found.append(np.mean((ends[0] < came)[:, at] & (came < ends[1])[:, at]))
    # Runs of a ladder miss together: the 12 ladders are the sample, of which two binomial errors are .17.
    assert abs(np.mean(held) - 0.9) < 2 * np.sqrt(0.9 * 0.1 / 12)
    assert np.mean(alone) < np.mean(held) - 0.1


@pytest.mark.slow
@pytest.mark.x64
def test_nuts_on_a_law_with_a_floor_agrees_with_its_tangent() -> None:
    """Gaussian noise and a small discrepancy: nothing is approximated but the law's bend and the noise's scale."""
    mode = fit(Chinchilla(), ladder(nested(0.65), 0), gaussian(), prior=True, starts=8)
    prior = Discrepancy(p.LogNormal(0.006, 0.4), (1.5, 1.5), 99, 8)
    asked = beyond(0.5, 2.0)
    drawn, effective = by_nuts(mode, prior, asked, 1000)
    # A tenth of the spread for the law's bend.
    agree(forecast_with_discrepancy(mode, prior, asked, allow_far=True), drawn, effective, 0.1)
