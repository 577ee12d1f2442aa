"""A NumPyro model from a law's declarations: public, for those who want to extend it.

`sample` does not need it (it runs NUTS on the same density in better coordinates); plain NUTS on this model is its
independent check.
"""

from collections.abc import Callable, Iterable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax import Array, random
from numpyro.distributions import constraints
from numpyro.distributions.util import validate_sample
from numpyro.handlers import mask, scale

from jaxscale.core import supports as s
from jaxscale.core.errors import BadInput
from jaxscale.core.evaluate import predict
from jaxscale.core.law import AbstractLaw
from jaxscale.core.parametric import Change, Declared, declared, replace
from jaxscale.core.runs import Runs, Table
from jaxscale.infer.checks.intake import as_runs
from jaxscale.infer.posterior.predictive import draw_prior
from jaxscale.infer.search.problem import FitProblem
from jaxscale.objectives.likelihood import Likelihood, student_t
from jaxscale.objectives.model import Model
from jaxscale.objectives.residual import LogResidual
from jaxscale.solve.problem import split


class Prior(dist.Distribution):
    """A declared prior on its support, as a NumPyro distribution (not renormalised to the support).

    `change`: what becomes of the parameter where losses are not of the usual size.
    """

    def __init__(self, known: Declared, change: Change | None = None) -> None:
        self.spec, self.example = known.spec, jnp.asarray(known.value)
        self.change = Change(1.0) if change is None else change
        shape = self.example.shape
        event = shape[-1:] if known.spec.support.vector else ()
        super().__init__(shape[: len(shape) - len(event)], event)

    @property
    def support(self) -> constraints.Constraint:
        return constraint(self.spec.support)

    def sample(self, key: Array | None, sample_shape: tuple[int, ...] = ()) -> Array:
        assert key is not None
        drawn = draw_prior(self.spec, key, (*sample_shape, *self.example.shape), self.example.dtype)
        return drawn * self.change.factor + self.change.shift

    @validate_sample
    def log_prob(self, value: Any, intermediates: Any = None) -> Array:
        usual = (jnp.asarray(value) - self.change.shift) / self.change.factor
        each = self.spec.prior.log_prob(usual) - jnp.log(self.change.factor)
        return jnp.sum(each, axis=-1) if self.event_shape else each


class Observed(dist.Distribution):
    """The targets of all runs around a law's predictions, under a likelihood; the batch is the runs."""

    def __init__(self, likelihood: Likelihood, prediction: Array, runs: Runs) -> None:
        self.likelihood, self.prediction, self.runs = likelihood, prediction, runs
        super().__init__(prediction.shape, ())

    @property
    def support(self) -> constraints.Constraint:
        # NumPyro puts a feasible value where it masks: the log of a zero would spoil the gradient.
        return constraints.positive if isinstance(self.likelihood.residual, LogResidual) else constraints.real

    def sample(self, key: Array | None, sample_shape: tuple[int, ...] = ()) -> Array:
        assert key is not None
        if not sample_shape:
            return self.likelihood.simulate(key, self.prediction, self.runs)
        keys = random.split(key, sample_shape[0])
        return jnp.stack([self.sample(k, sample_shape[1:]) for k in keys])

    def log_prob(self, value: Any, intermediates: Any = None) -> Array:
        runs = eqx.tree_at(lambda r: r.target, self.runs, jnp.asarray(value))
        return self.likelihood.log_density(self.prediction, runs)


def numpyro_model(
    law: AbstractLaw, data: Runs | Table, likelihood: Likelihood | None = None, *, fixed: Iterable[str] = ()
) -> Callable[..., Any]:
    """A NumPyro model function whose sites are the free parameters by name, and `target` by run.

    The density is that of `sample(law, data, likelihood, fixed=fixed)`; weights scale each run's log density.
    Call it inside a model of your own to extend it: it returns the `Model` (law and likelihood) of the draw.
    With `predictive=True` the targets are drawn and not conditioned on; `deviation`, shape (n,), is the log of what
    each run's prediction is multiplied by. Raises `KeyError` on a wrong name in `fixed`.
    """
    runs = as_runs(data, law)
    model = Model(law, student_t() if likelihood is None else likelihood)
    parts = FitProblem.of(split(model, fixed), runs).split
    known = {d.name: d for d in declared(model) if d.name in parts.free}
    size = jnp.ones_like(runs.target[0]) if parts.size is None else parts.size
    grown = set(model.scaling(size)) & set(known)
    used = runs.weight > 0

    def posterior(predictive: bool = False, deviation: Array | None = None) -> Model:
        drawn = {name: numpyro.sample(name, Prior(d)) for name, d in known.items() if name not in grown}
        # What becomes of a parameter that grows with the losses may depend on those that do not.
        changes = replace(model, drawn).scaling(size)
        drawn |= {name: numpyro.sample(name, Prior(known[name], changes[name])) for name in known if name in grown}
        here = replace(model, drawn)
        assert isinstance(here.objective, Likelihood)
        prediction = predict(here.law, runs)
        if deviation is not None:
            prediction = prediction * jnp.exp(deviation)
        observed = Observed(here.objective, prediction, runs)
        # NumPyro takes no scale of zero: runs without weight are masked.
        with mask(mask=used), scale(scale=jnp.where(used, runs.weight, 1)), numpyro.plate("run", runs.size):
            numpyro.sample("target", observed, obs=None if predictive else runs.target)
        return here

    return posterior


def constraint(support: s.AbstractSupport) -> constraints.Constraint:
    """NumPyro's name for a support. Raises `BadInput` on one it has no name for."""
    match support:
        case s.Real():
            return constraints.real
        case s.Positive():
            return constraints.positive
        case s.Interval(low, high):
            return constraints.interval(low, high)
        case s.Simplex():
            return constraints.simplex
        case s.PositiveOrdered():
            return constraints.positive_ordered_vector
        case _:
            raise BadInput(f"numpyro_model: NumPyro has no constraint for {type(support).__name__}; use sample(...)")
