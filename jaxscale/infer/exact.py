"""Runs without noise: the law passes through every one of them, and a likelihood's scale shrinks without end."""

import jax.numpy as jnp
import numpy as np

from jaxscale.core.runs import Runs
from jaxscale.objectives.likelihood import Likelihood
from jaxscale.objectives.model import Model

_ROUNDING = 64.0  # rounding units of a loss: a law is a sum of powers, each known to a few
_SMALL = 1e4  # rounding units of a loss, above which a fitted scale is surely none of rounding


def passes_through(model: Model, runs: Runs, predicted: np.ndarray, free: tuple[str, ...]) -> bool:
    """Whether a likelihood whose scale was estimated without a prior has no optimum, for its residuals are rounding.

    Also where the noise of some runs is known; not where that of all is, which bounds the scale from below.
    """
    scales = [name for name in free if name.startswith("objective.")]
    used = np.asarray(runs.weight) > 0
    if not scales or not isinstance(model.objective, Likelihood) or bool(np.all(np.asarray(runs.noise)[used] > 0)):
        return False
    target = np.asarray(runs.target, np.float64)[used]
    unit = float(jnp.finfo(runs.target.dtype).eps)
    # The scale is of the residual, relative or in the unit of the loss: only a small one is looked at more closely.
    if float(model.objective.noise.sigma) > _SMALL * unit * max(1.0, float(np.abs(target).max())):
        return False
    return vanish(runs, predicted)


def vanish(runs: Runs, predicted: np.ndarray) -> bool:
    """Whether all residuals of the runs that count are rounding."""
    used = np.asarray(runs.weight) > 0
    target = np.asarray(runs.target, np.float64)[used]
    missed = np.asarray(predicted, np.float64)[used] - target
    return bool(np.all(np.abs(missed) <= _ROUNDING * float(jnp.finfo(runs.target.dtype).eps) * np.abs(target)))
