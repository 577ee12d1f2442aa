"""Log densities and new targets against SciPy's distributions; no block size shows in the result."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxscale.core.errors import BadInput
from jaxscale.core.evaluate import predict
from jaxscale.core.parametric import values
from jaxscale.core.runs import Runs
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.posterior import predictive as module
from jaxscale.infer.posterior.posterior import models
from jaxscale.infer.posterior.predictive import log_likelihood, predictive, prior_draws
from jaxscale.objectives.model import Model
from jaxscale.objectives.penalty import log_huber

COUNT, SIGMAS = 37, 4.5


@pytest.fixture(scope="module")
def stacked(simulated_mode: Fit) -> Model:
    """Models around the mode, one standard deviation of a percent in every parameter."""
    z = simulated_mode.problem.split.vector()
    away = 0.01 * np.random.default_rng(0).standard_normal((COUNT, z.shape[0]))
    return models(simulated_mode.problem, z[None] + jnp.asarray(away, z.dtype))


def by_hand(model: Model, runs: Runs) -> tuple[np.ndarray, np.ndarray]:
    """Log residuals and scales of every model, in float64."""
    x = {name: np.asarray(v, np.float64)[:, None] for name, v in values(model).items()}
    N, D, loss = (np.asarray(v, np.float64) for v in (runs.inputs["N"], runs.inputs["D"], runs.target))
    loss_hat = x["E"] + x["A"] * N ** -x["alpha"] + x["B"] * D ** -x["beta"]
    return np.log(loss_hat) - np.log(loss), np.broadcast_to(x["objective.noise.sigma"], loss_hat.shape)


def test_log_likelihood_is_scipys_student_t(simulated_mode: Fit, stacked: Model, eps: float) -> None:
    runs = simulated_mode.runs
    found = log_likelihood(stacked, runs)
    residual, sigma = by_hand(stacked, runs)
    expected = stats.t.logpdf(residual, 5, scale=sigma) - np.log(np.asarray(runs.target, np.float64))
    assert found.shape == (COUNT, 40)
    # The slope of the log density is at most 6 / (2 sqrt 5 sigma); residuals round by a few eps of log N times alpha.
    np.testing.assert_allclose(found, expected, rtol=0, atol=float(64 * eps * 1.4 / sigma.min()))


def test_known_noise_adds_in_quadrature(stacked: Model, simulated_mode: Fit, eps: float) -> None:
    runs = simulated_mode.runs
    noise = np.where(np.arange(40) % 2, 0.02, 0.0)
    known = Runs.of(runs.inputs, runs.target, noise=noise)
    residual, sigma = by_hand(stacked, runs)
    scale = np.hypot(sigma, noise / np.asarray(runs.target, np.float64))
    expected = stats.t.logpdf(residual, 5, scale=scale) - np.log(np.asarray(runs.target, np.float64))
    found = log_likelihood(stacked, known)
    np.testing.assert_allclose(found, expected, rtol=0, atol=float(64 * eps * 1.4 / sigma.min()))


def test_new_targets_have_the_models_moments(simulated_mode: Fit) -> None:
    """One model many times: log targets scatter as Student's t about the log prediction, whatever was observed."""
    draws = 4000
    model = Model(simulated_mode.law, simulated_mode.objective)
    runs = simulated_mode.runs
    many = jax.tree.map(lambda x: jnp.broadcast_to(x, (draws, *x.shape)), model)
    found = np.log(predictive(many, runs, jax.random.key(1)).astype(np.float64))
    centre = np.log(np.asarray(predict(model.law, runs), np.float64))
    t = (found - centre) / float(values(model)["objective.noise.sigma"])
    assert t.shape == (draws, 40)
    # Per run and over all: a t of 5 degrees has variance 5/3 and fourth moment 25, so its square has variance 22.2.
    assert np.max(np.abs(t.mean(axis=0))) < SIGMAS * np.sqrt(5 / 3 / draws)
    assert abs(np.mean(t**2) - 5 / 3) < SIGMAS * np.sqrt((25 - 25 / 9) / t.size)
    assert stats.kstest(t.reshape(-1)[::7], stats.t(5).cdf).pvalue > 1e-4
    # Independent from run to run and from draw to draw.
    ranks = stats.t(5).cdf(t)
    assert np.max(np.abs(np.corrcoef(ranks.T) - np.eye(40))) < (SIGMAS + 1) / np.sqrt(draws)


def test_blocks_do_not_show(simulated_mode: Fit, stacked: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    runs, key = simulated_mode.runs, jax.random.key(2)
    whole = log_likelihood(stacked, runs), predictive(stacked, runs, key)
    monkeypatch.setattr(module, "_BYTES", 8 * 40 * 10)  # four blocks of ten, the last one of seven
    pieces = log_likelihood(stacked, runs), predictive(stacked, runs, key)
    for one, other in zip(whole, pieces, strict=True):
        np.testing.assert_allclose(one, other, rtol=8 * np.finfo(one.dtype).eps)


def test_the_key_matters(simulated_mode: Fit, stacked: Model) -> None:
    one, other = (predictive(stacked, simulated_mode.runs, jax.random.key(k)) for k in (0, 1))
    assert not np.any(one == other)


def test_prior_draws_are_the_declared_priors(simulated_mode: Fit) -> None:
    found = values(prior_draws(simulated_mode, 2000, jax.random.key(3)))
    # Of losses of 3 nats; those of other runs grow with their median.
    usual = float(np.median(np.asarray(simulated_mode.runs.target, np.float64))) / 3
    declared = {
        "E": stats.lognorm(0.5, scale=1.7 * usual),
        "alpha": stats.lognorm(0.5, scale=0.35),
        "objective.noise.sigma": stats.lognorm(1.0, scale=0.005),
    }
    for name, prior in declared.items():
        assert stats.kstest(np.asarray(found[name], np.float64), prior.cdf).pvalue > 1e-4, name
    each = np.stack([np.log(np.asarray(x, np.float64)) for x in found.values()])
    assert np.max(np.abs(np.corrcoef(each) - np.eye(len(each)))) < SIGMAS / np.sqrt(2000)


def test_what_is_fixed_has_no_prior(conjugate: Any) -> None:
    found = values(prior_draws(conjugate.mode, 50, jax.random.key(3)))
    held = values(Model(conjugate.mode.law, conjugate.mode.objective))["objective.noise.sigma"]
    assert np.all(found["objective.noise.sigma"] == held)
    assert np.std(found["c"]) > 1


def test_a_penalty_has_no_density(simulated_mode: Fit) -> None:
    model = jax.tree.map(lambda x: x[None], Model(simulated_mode.law, log_huber()))
    with pytest.raises(BadInput, match="expected a likelihood, got the penalty"):
        log_likelihood(model, simulated_mode.runs)
