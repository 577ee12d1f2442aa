"""Runs without noise: the law passes through every one of them, and a likelihood's scale shrinks without end."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxscale.core.runs import Runs, predict
from jaxscale.objectives.likelihood import Likelihood
from jaxscale.objectives.model import Model

_ROUNDING = 64.0  # rounding units of a loss: a law is a sum of powers, each known to a few
_SMALL = 1e4  # rounding units of a loss, above which a fitted scale is surely none of rounding


def passes_through(model: Model, runs: Runs, free: tuple[str, ...]) -> bool:
    """Whether a likelihood whose scale was estimated without a prior has no optimum, for its residuals are rounding.

    Also where the noise of some runs is known; not where that of all is, which bounds the scale from below.
    """
    scales = [name for name in free if name.startswith("objective.")]
    used = np.asarray(runs.weight) > 0
    if not scales or not isinstance(model.objective, Likelihood) or bool(np.all(np.asarray(runs.noise)[used] > 0)):
        return False
    target = np.abs(np.asarray(runs.target, np.float64)[used])
    unit = float(jnp.finfo(runs.target.dtype).eps)
    # The scale is of the residual, relative or in the unit of the loss: only a small one is looked at more closely.
    if float(model.objective.noise.sigma) > _SMALL * unit * max(1.0, float(target.max())):
        return False
    missed = np.abs(np.asarray(_missed(model, runs), np.float64)[used])
    return bool(np.all(missed <= _ROUNDING * unit * target))


@eqx.filter_jit
def _missed(model: Model, runs: Runs) -> Array:
    return predict(model.law, runs) - runs.target
