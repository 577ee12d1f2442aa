"""What a posterior says about runs: their log densities, new targets, and the same before any data."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxscale.core import supports as s
from jaxscale.core.errors import BadInput
from jaxscale.core.evaluate import predict
from jaxscale.core.parametric import Spec, declared, scaled
from jaxscale.core.runs import Runs
from jaxscale.infer.fit.fit import Fit
from jaxscale.objectives.likelihood import Likelihood
from jaxscale.objectives.model import Model

_BYTES = 2**26  # of predictions held at once


def log_likelihood(model: Model, runs: Runs) -> np.ndarray:
    """Log density of every run's target under every stacked model, shape (models, n), on the host."""
    return _blocks(_log_likelihood, runs, model)


def predictive(model: Model, runs: Runs, key: PRNGKeyArray) -> np.ndarray:
    """One new target of every run from every stacked model, shape (models, n), on the host."""
    return _blocks(_simulate, runs, model, jax.random.split(key, jax.tree.leaves(model)[0].shape[0]))


def prior_draws(fit: Fit, n: int, key: PRNGKeyArray) -> Model:
    """n models whose free parameters are drawn from their priors, for losses of the size of the fit's.

    Raises `BadInput` on simplex parameters.
    """
    model, free = fit.problem.template, fit.problem.split.free
    leaves = []
    for i, d in enumerate(declared(model)):
        if d.name in free:
            drawn = draw_prior(d.spec, jax.random.fold_in(key, i), (n, *d.value.shape), d.value.dtype)
        else:
            drawn = jnp.broadcast_to(d.value, (n, *d.value.shape))
        leaves.append(drawn)
    drawn, size = jax.tree.unflatten(jax.tree.structure(model), leaves), fit.problem.split.size
    return drawn if size is None else jax.vmap(lambda one: scaled(one, size, free))(drawn)


def draw_prior(spec: Spec, key: PRNGKeyArray, shape: tuple[int, ...], dtype: Any) -> Array:
    """Draws of a declared prior. Raises `BadInput` on a simplex, whose elementwise prior has no direct sampler."""
    if isinstance(spec.support, s.Simplex):
        raise BadInput("prior: draws on a simplex are not supported; sample the posterior instead")
    tiny = float(jnp.finfo(dtype).eps)
    found = spec.prior.quantile(jax.random.uniform(key, shape, dtype, minval=tiny, maxval=1 - tiny))
    # Independent entries put in order have the density of the prior on ordered vectors.
    return jnp.sort(found, axis=-1) if isinstance(spec.support, s.PositiveOrdered) else found


def _blocks(function: Callable[..., Array], runs: Runs, model: Model, *more: Array) -> np.ndarray:
    """`function(runs, model, *more)` on a few models at a time."""
    if not isinstance(model.objective, Likelihood):
        name = jax.tree.map(lambda x: x[0], model).objective.name
        raise BadInput(f"expected a likelihood, got the penalty {name}, which has no density")
    count = jax.tree.leaves(model)[0].shape[0]
    size = max(1, min(count, _BYTES // (8 * runs.size)))
    parts = []
    for first in range(0, count, size):
        # The last block is filled up with its last row, so that all share one program.
        index = np.minimum(np.arange(first, first + size), count - 1)
        some = jax.tree.map(lambda x, index=index: x[index], (model, *more))
        parts.append(np.asarray(function(runs, *some))[: count - first])
    return np.concatenate(parts)


@eqx.filter_jit
def _log_likelihood(runs: Runs, model: Model) -> Float[Array, "m n"]:
    return jax.vmap(lambda one: one.objective.log_density(predict(one.law, runs), runs))(model)


@eqx.filter_jit
def _simulate(runs: Runs, model: Model, keys: Array) -> Float[Array, "m n"]:
    return jax.vmap(lambda one, key: one.objective.simulate(key, predict(one.law, runs), runs))(model, keys)
