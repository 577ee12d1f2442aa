"""A law with its discrepancy as a NumPyro model: the posterior that `forecast_with_discrepancy` has in the tangent.

The process is sampled by its coefficients, which are standard normal before the runs. Being orthogonal to the law's
tangent, it leaves the law's parameters where they are: the posterior has no ridge between the two, and NumPyro's NUTS
with a dense mass matrix, started at the mode, does not diverge on it.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax import Array

from jaxscale.core.evaluate import predict
from jaxscale.core.parametric import declared
from jaxscale.core.runs import Runs
from jaxscale.infer.discrepancy.learn import Basis, Discrepancy, basis
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.local.linearised import likelihood_of, linear, tangent
from jaxscale.infer.posterior.numpyro_model import Observed, numpyro_model
from jaxscale.objectives.likelihood import Likelihood
from jaxscale.objectives.model import Model


def discrepancy_model(
    fit: Fit, discrepancy: Discrepancy, inputs: Mapping[str, Any] | None = None
) -> Callable[..., Any]:
    """`numpyro_model` of a fit's law, with the sites `discrepancy.amplitude` and `discrepancy.coefficients` (r,).

    Each prediction is multiplied by the exponential of amplitude * factor @ coefficients, the process at the runs.
    With `inputs`, which broadcast to (m,), forecasts are sites too: `forecast.law` and `forecast.discrepancy` (logs
    that add up), `forecast.rest` (standard normal: what no run tells of) and `forecast.target` (a new run). Sample
    without them, then give the draws to `numpyro.infer.Predictive` of the model with them.

    `fit` is best a posterior's mode, `fit(..., prior=True)`: the process is orthogonal to the law's tangent there.
    Raises `BadInput` where `forecast_with_discrepancy` does.
    """
    runs = fit.runs
    known = basis(tangent(fit), discrepancy.lengths)
    factor = np.zeros((runs.size, len(known.strength)))  # runs without weight are no part of the tangent
    factor[known.law.rows] = known.factor
    factor = jnp.asarray(factor, runs.target.dtype)
    fixed = {d.name for d in declared(fit.problem.template)} - set(fit.problem.split.free)
    inner = numpyro_model(fit.law, runs, likelihood_of(fit), fixed=fixed)
    amplitudes = dist.LogNormal(math.log(discrepancy.amplitude.median), discrepancy.amplitude.sigma)
    forecast = None if inputs is None else _forecast(fit, known, fit.points(inputs))

    def posterior() -> Model:
        amplitude = jnp.asarray(numpyro.sample("discrepancy.amplitude", amplitudes))
        coefficients = _normal("discrepancy.coefficients", factor.shape[1])
        here = inner(deviation=amplitude * (factor @ coefficients))
        if forecast is not None:
            forecast(here, amplitude, coefficients)
        return here

    return posterior


def _forecast(fit: Fit, known: Basis, points: Mapping[str, np.ndarray]) -> Callable[[Model, Array, Array], None]:
    """The sites of a forecast, given the model, the amplitude and the coefficients of a draw."""
    dtype = fit.runs.target.dtype
    same, new = (jnp.asarray(x, dtype) for x in known.at(linear(fit, points)))
    inputs = {name: x for name, x in points.items() if name != "group"}
    asked = Runs.of(inputs, np.ones(len(new)), group=points.get("group"))

    def sites(here: Model, amplitude: Array, coefficients: Array) -> None:
        fresh = _normal("forecast.rest", new.shape[1])
        deviation = numpyro.deterministic("forecast.discrepancy", amplitude * (same @ coefficients + new @ fresh))
        law = numpyro.deterministic("forecast.law", jnp.log(predict(here.law, asked)))
        assert isinstance(here.objective, Likelihood)
        numpyro.sample("forecast.target", Observed(here.objective, jnp.exp(law + deviation), asked))

    return sites


def _normal(name: str, size: int) -> Array:
    return jnp.asarray(numpyro.sample(name, dist.Normal(0.0, 1.0).expand([size]).to_event(1)))
