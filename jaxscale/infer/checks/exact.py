"""Runs without noise: the law passes through every one of them, and a likelihood's scale shrinks without end."""

from typing import Any

import jax.numpy as jnp

from jaxscale.core.runs import Runs
from jaxscale.objectives.likelihood import Likelihood
from jaxscale.objectives.model import Model
from jaxscale.solve.chart import on_host

_ROUNDING = 64.0  # rounding units of a loss: a law is a sum of powers, each known to a few
_SMALL = 1e4  # rounding units of a loss, above which a fitted scale is surely none of rounding


def passes_through(model: Model, runs: Runs, predicted: Any, free: tuple[str, ...]) -> Any:
    """Whether a likelihood whose scale was estimated without a prior has no optimum, for its residuals are rounding.

    Also where the noise of some runs is known; not where that of all is, which bounds the scale from below.
    """
    if not any(name.startswith("objective.") for name in free) or not isinstance(model.objective, Likelihood):
        return False
    xp, sigma, target, noise, weight = on_host(model.objective.noise.sigma, runs.target, runs.noise, runs.weight)
    used = weight > 0
    unit = float(jnp.finfo(runs.target.dtype).eps)
    # The scale is of the residual, relative or in the unit of the loss: only a small one is looked at more closely.
    small = sigma <= _SMALL * unit * xp.maximum(1.0, xp.max(xp.where(used, xp.abs(target), 0)))
    return small & ~xp.all(xp.where(used, noise > 0, True)) & vanish(runs, predicted)


def vanish(runs: Runs, predicted: Any) -> Any:
    """Whether all residuals of the runs that count are rounding."""
    xp, target, weight, predicted = on_host(runs.target, runs.weight, predicted)
    close = xp.abs(predicted - target) <= _ROUNDING * float(jnp.finfo(runs.target.dtype).eps) * xp.abs(target)
    return xp.all(xp.where(weight > 0, close, True))
