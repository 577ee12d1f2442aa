"""`fit(..., prior=True)`: the mode of the posterior, by closed form and by NumPyro's own potential."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.infer.util import potential_energy

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.errors import BadInput
from jaxscale.core.law import AbstractLaw
from jaxscale.core.parametric import param, values
from jaxscale.core.runs import Runs
from jaxscale.infer.fit.fit import Fit, fit
from jaxscale.infer.posterior.numpyro_model import numpyro_model
from jaxscale.objectives.likelihood import gaussian
from jaxscale.objectives.noise import ConstantNoise
from jaxscale.objectives.residual import RawResidual
from jaxscale.solve.chart import whitener


def resolved(mode: Fit, eps: float) -> float:
    """Standard deviations within which the sum over all rows, by its rounding, resolves no difference."""
    value = abs(float(mode.problem.value(mode.problem.split.vector())))
    return float(np.sqrt(2 * mode.problem.runs.size * (1 + value) * eps))


def test_conjugate_line(conjugate: Any, eps: float) -> None:
    z = np.asarray(conjugate.mode.problem.split.vector(), np.float64)
    sd = np.sqrt(np.diag(conjugate.covariance))
    assert np.max(np.abs(z - conjugate.mean) / sd) < resolved(conjugate.mode, eps)
    np.testing.assert_allclose(conjugate.mode.hessian, conjugate.precision, rtol=0, atol=60 * 16**2 * eps)
    assert conjugate.mode.certificate.certified
    assert conjugate.mode.alternatives == ()


def test_a_tight_prior_holds_what_the_runs_would_move(eps: float) -> None:
    """Two runs and two parameters are too few for a fit; with priors the answer is still the closed form."""

    class Held(AbstractLaw):
        c: q.Pure = param(s.real, init=5.0, prior=p.Normal(5.0, 5.0), doc="level", linear=True)
        m: q.Pure = param(s.real, init=0.0, prior=p.Normal(0.25, 1e-3), doc="slope", linear=True)

        def __call__(self, x: q.Pure) -> q.Pure:
            return self.c + self.m * x

    x, y, sigma = np.array([1.0, 3.0]), np.array([5.0, 9.0]), 0.5
    likelihood = gaussian(ConstantNoise(sigma), RawResidual())
    found = fit(Held(), Runs.of({"x": x}, y), likelihood, fixed=("objective.noise.sigma",), prior=True, starts=2)
    design, prior = np.stack([np.ones(2), x], axis=1), np.diag([1 / 25, 1e6])
    precision = design.T @ design / sigma**2 + prior
    mean = np.linalg.solve(precision, design.T @ y / sigma**2 + prior @ [5.0, 0.25])
    sd = np.sqrt(np.diag(np.linalg.inv(precision)))
    z = np.asarray(found.problem.split.vector(), np.float64)
    assert np.max(np.abs(z - mean) / sd) < resolved(found, eps)


def test_numpyro_finds_no_slope_there_and_the_same_curvature(simulated_mode: Fit, eps: float) -> None:
    """Its potential adds every site's log density and the log-determinants of its own bijections."""
    model = numpyro_model(simulated_mode.law, simulated_mode.runs, simulated_mode.objective)
    split = simulated_mode.problem.split

    def potential(z: jax.Array) -> jax.Array:
        at = values(split.tree(z))
        return potential_energy(model, (), {}, {name: jnp.log(at[name]) for name in split.names()})

    z = simulated_mode.problem.split.vector()
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        found = jax.jit(lambda z: (jax.grad(potential)(z), jax.hessian(potential)(z)))(z)
    gradient, hessian = (np.asarray(x, np.float64) for x in found)
    # The slope in the whitened chart is how many standard deviations away the mode lies.
    assert np.linalg.norm(whitener(simulated_mode.hessian).T @ gradient) < resolved(simulated_mode, eps)
    size = np.sqrt(np.outer(np.diag(hessian), np.diag(hessian)))
    np.testing.assert_allclose(simulated_mode.hessian / size, hessian / size, atol=1e3 * eps)


def test_a_penalty_has_no_posterior(conjugate: Any) -> None:
    with pytest.raises(BadInput, match="a posterior needs a likelihood, got the penalty"):
        fit(conjugate.mode.law, conjugate.mode.runs, prior=True)
