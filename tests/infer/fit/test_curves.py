"""Fits of curves. Oracle: the same numbers as rows of a law of scalars, run by run."""

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core import ensemble as ensemble_module
from jaxscale.core import evaluate as evaluate_module
from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.ensemble import Ensemble
from jaxscale.core.errors import BadInput
from jaxscale.core.law import AbstractLaw
from jaxscale.core.numerics.powers import power
from jaxscale.core.parametric import param
from jaxscale.core.runs import Runs
from jaxscale.infer.fit.estimate import estimate
from jaxscale.infer.fit.fit import Fit, fit
from jaxscale.infer.forecast.forecast import forecast
from jaxscale.infer.local.covariance import covariance
from jaxscale.infer.resample.bootstrap import resamples
from jaxscale.infer.resample.schemes import Pairs
from jaxscale.infer.search.units import independent, units
from jaxscale.objectives import CorrelatedNoise, gaussian


class Point(AbstractLaw):
    """$$ L = E + A S^{-a} $$"""

    E: q.Nats = param(s.positive, init=2.0, prior=p.LogNormal(2.0, 0.5), doc="floor", linear=True)
    A: q.Nats = param(s.positive, init=9.0, prior=p.LogNormal(9.0, 1.0), doc="cost of one step", linear=True)
    a: q.Pure = param(s.positive, init=0.4, prior=p.LogNormal(0.4, 0.5), doc="exponent")
    cite: ClassVar[str] = ""

    def __call__(self, S: q.Steps) -> q.Nats:
        return self.E + self.A * power(S, -self.a)


class Curve(AbstractLaw):
    """`Point`, for all steps of a run."""

    E: q.Nats = param(s.positive, init=2.0, prior=p.LogNormal(2.0, 0.5), doc="floor", linear=True)
    A: q.Nats = param(s.positive, init=9.0, prior=p.LogNormal(9.0, 1.0), doc="cost of one step", linear=True)
    a: q.Pure = param(s.positive, init=0.4, prior=p.LogNormal(0.4, 0.5), doc="exponent")
    cite: ClassVar[str] = ""

    def __call__(self, S: q.CurveSteps) -> q.LossCurve:
        return self.E + self.A * power(S, -self.a)


RUNS, STEPS = 12, 6
S = 100.0 * np.arange(1, STEPS + 1)[None, :] * np.arange(1, RUNS + 1)[:, None]
THERE = np.arange(STEPS)[None, :] < (STEPS - np.arange(RUNS) % 3)[:, None]
NOISE = np.random.default_rng(3).standard_normal((RUNS, STEPS)) + np.random.default_rng(4).standard_normal((RUNS, 1))
LOSS = (2.0 + 9.0 * S**-0.4) * np.exp(0.003 * NOISE)


@pytest.fixture(scope="module")
def curve() -> Fit:
    return fit(Curve(), Runs.of({"S": S}, LOSS, weight=THERE), starts=4)


@pytest.fixture(scope="module")
def point() -> Fit:
    cluster = np.repeat(np.arange(RUNS), STEPS)[THERE.reshape(-1)]
    return fit(Point(), Runs.of({"S": S[THERE]}, LOSS[THERE], cluster=cluster), starts=4)


def test_a_curve_is_fitted_as_its_rows(curve: Fit, point: Fit, eps: float) -> None:
    slack = 1e3 * eps * curve.identifiability.condition
    for name, value in point.params.items():
        np.testing.assert_allclose(curve.params[name], value, rtol=slack)
    assert curve.certificate.certified
    assert curve.value == pytest.approx(point.value, rel=1e-3 if eps > 1e-10 else 1e-9)
    assert independent(curve.problem)[:3] == independent(point.problem)[:3] == (int(THERE.sum()), RUNS, 3)


def test_the_unit_of_a_covariance_is_the_run(curve: Fit, point: Fit, eps: float) -> None:
    one, other = (covariance(f, "sandwich") for f in (curve, point))
    np.testing.assert_allclose(one.matrix, other.matrix, rtol=1e-6 if eps < 1e-10 else 0.05)


def test_a_resample_draws_whole_runs(curve: Fit) -> None:
    drawn = units(curve.problem.runs)
    weight = resamples(curve.problem, jax.random.key(0), Pairs(), drawn, jnp.asarray(0), 20).weight
    assert weight is not None
    counts = np.asarray(weight).reshape(20, -1, STEPS)[:, :RUNS]
    np.testing.assert_array_equal(counts, np.where(THERE, counts[:, :, :1], 0))  # a curve's first number is there
    np.testing.assert_array_equal(counts[:, :, 0].sum(axis=1), RUNS)


def test_the_kernel_takes_curves(curve: Fit, eps: float) -> None:
    found = jax.jit(lambda runs: estimate(Curve(), runs, starts=4))(Runs.of({"S": S}, LOSS, weight=THERE))
    np.testing.assert_allclose(found.law.a, curve.params["a"], rtol=1e3 * eps * curve.identifiability.condition)


def ensemble(draws: int) -> Ensemble:
    law = jax.tree.map(lambda x: x * jnp.linspace(0.9, 1.1, draws), Curve())
    return Ensemble(law, jnp.zeros(draws), jnp.zeros(draws, jnp.int32))


def test_an_ensemble_gives_curves_at_points(eps: float) -> None:
    found = ensemble(5)(S=S)
    assert found.shape == (5, RUNS, STEPS)
    law = jax.tree.map(lambda x: x[2], ensemble(5).law)
    np.testing.assert_allclose(found[2, 3], law(jnp.asarray(S[3])), rtol=8 * eps)
    assert ensemble(5)(S=S[0]).shape == (5, STEPS)


def test_a_band_is_made_a_few_points_and_draws_at_a_time(monkeypatch: pytest.MonkeyPatch, eps: float) -> None:
    many, levels = ensemble(7), (0.05, 0.5, 0.95)
    expected = np.quantile(np.asarray(many(S=S), np.float64), levels, axis=0)
    for module in (ensemble_module, evaluate_module):
        monkeypatch.setattr(module, "MOST", 5 * 7 * STEPS)  # five points; the draws one by one
    jax.clear_caches()
    np.testing.assert_allclose(many.band(levels, S=S), expected, rtol=8 * eps)


def test_a_forecast_of_curves(curve: Fit, eps: float) -> None:
    found = forecast(curve, {"S": 10 * S}, ensemble(7))
    assert found.point.shape == (RUNS, STEPS)
    assert found.quantiles is not None
    assert found.quantiles["0.5"].shape == (RUNS, STEPS)
    # Of every curve the last step lies furthest; the fitted runs end at 100 * 6 * 12, less what was left out.
    last = S[THERE].max()
    np.testing.assert_allclose(found.decades, np.maximum(np.log10(10 * S[:, -1] / last), 0), rtol=1e3 * eps, atol=eps)


def test_runs_of_other_axes_are_refused() -> None:
    with pytest.raises(BadInput, match="expected S with the axes runs, step"):
        fit(Curve(), Runs.of({"S": S[:, 0]}, LOSS))


def test_the_correlation_of_a_run_is_estimated() -> None:
    """Errors of rows taken as independent are too small. Oracle: what was put in, and generalised least squares."""
    runs, each, rho, sigma = 40, 24, 0.8, 0.004
    steps = 100.0 * np.arange(1, each + 1)[None, :] * np.linspace(1, 3, runs)[:, None]
    rng = np.random.default_rng(5)
    noise = np.zeros((runs, each))
    noise[:, 0] = rng.standard_normal(runs)
    for i in range(1, each):
        noise[:, i] = rho * noise[:, i - 1] + np.sqrt(1 - rho**2) * rng.standard_normal(runs)
    data = Runs.of({"S": steps}, (2.0 + 9.0 * steps**-0.4) * np.exp(sigma * noise))
    apart, together = (fit(Curve(), data, gaussian(n), starts=2) for n in (None, CorrelatedNoise()))
    assert together.certificate.certified
    found = together.objective.noise  # pyright: ignore
    # Of 40 x 23 pairs: sqrt((1 - rho^2) / 920) is .02, and sigma^2 is known to sqrt(2 / 920 (1 + rho^2) / (1 - rho^2)).
    assert float(found.rho) == pytest.approx(rho, abs=4 * 0.02)
    assert float(found.sigma) == pytest.approx(sigma, rel=4 * 0.05)
    loss, term = 2.0 + 9.0 * steps**-0.4, steps**-0.4
    slopes = np.stack([np.ones_like(loss), term, -9.0 * term * np.log(steps)], axis=2) / loss[:, :, None]
    within = sigma**2 * rho ** np.abs(np.subtract.outer(np.arange(each), np.arange(each)))
    # As errors of sigma, within 4 x 5 %.
    for f, noise in ((apart, sigma**2 * np.eye(each)), (together, within)):
        information = np.einsum("nip,ij,njq->pq", slopes, np.linalg.inv(noise), slopes)
        expected = np.sqrt(np.linalg.inv(information)[0, 0])
        assert np.sqrt(covariance(f, "hessian").matrix[0, 0]) == pytest.approx(expected, rel=0.2)
    assert abs(float(together.params["E"]) - 2.0) < 4 * expected  # pyright: ignore
