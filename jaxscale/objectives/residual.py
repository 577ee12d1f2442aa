"""Residuals: how far a prediction is from the observed loss, in which space."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxscale.core.numerics.namespace import namespace
from jaxscale.core.runs import Runs


def size_of(runs: Runs) -> Float[Array, ""]:
    """Median size of the losses of the runs that count; one where that is nothing."""
    xp = namespace(runs.target, runs.weight)
    size = _median(xp, xp.abs(xp.asarray(runs.target)), runs)
    return xp.where((size > 0) & xp.isfinite(size), size, 1)


def spread_of(runs: Runs) -> Float[Array, ""]:
    """Median distance of the losses from their median, or their size where half of them are equal."""
    xp = namespace(runs.target, runs.weight)
    target = xp.asarray(runs.target)
    apart = _median(xp, xp.abs(target - _median(xp, target, runs)), runs)
    return xp.where(apart > 0, apart, size_of(runs))


def _median(xp: Any, x: Any, runs: Runs) -> Any:
    """Of the runs that count, without those that have none; nan where no run is left."""
    if xp is jnp:
        return jnp.nanmedian(jnp.where(runs.weight > 0, x, jnp.nan))
    known = x[(np.asarray(runs.weight) > 0) & ~np.isnan(x)]
    return np.median(known) if known.size else x.dtype.type(np.nan)


class LogResidual(eqx.Module):
    """log prediction - log observed: relative error, the field's custom for losses."""

    name = "log"

    def __call__(self, prediction: Float[Array, " n"], runs: Runs) -> Float[Array, " n"]:
        return jnp.log(prediction) - jnp.log(runs.target)

    def target(self, prediction: Float[Array, " n"], residual: Float[Array, " n"]) -> Float[Array, " n"]:
        """The observation from which `prediction` has this residual."""
        return prediction * jnp.exp(-residual)

    def log_slope(self, runs: Runs) -> Float[Array, " n"]:
        """Log of how fast the residual changes with the observation: turns its density into the observation's."""
        return -jnp.log(runs.target)

    def known_noise(self, runs: Runs) -> Float[Array, " n"]:
        """Known standard deviation of the residual (0 where unknown): relative, to first order."""
        return runs.noise / runs.target

    def unit(self, runs: Runs) -> Float[Array, ""]:
        """A loss of the runs, in which they are to be measured: then logarithms are small."""
        return size_of(runs)

    def rounded(self, runs: Runs) -> Float[Array, ""]:
        """How large the numbers are whose rounding a residual has."""
        return jnp.ones_like(runs.target[0])

    def least(self, runs: Runs) -> Float[Array, ""]:
        """What a term of a law must reach to be seen."""
        return jnp.min(jnp.where(runs.weight > 0, runs.target, jnp.inf))


class RawResidual(eqx.Module):
    """prediction - observed, in the unit of the loss."""

    name = "raw"

    def __call__(self, prediction: Float[Array, " n"], runs: Runs) -> Float[Array, " n"]:
        return prediction - runs.target

    def target(self, prediction: Float[Array, " n"], residual: Float[Array, " n"]) -> Float[Array, " n"]:
        return prediction - residual

    def log_slope(self, runs: Runs) -> Float[Array, " n"]:
        return jnp.zeros_like(runs.target)

    def known_noise(self, runs: Runs) -> Float[Array, " n"]:
        return runs.noise

    def unit(self, runs: Runs) -> Float[Array, ""]:
        """How far the losses lie apart, whatever is added to all of them."""
        return spread_of(runs)

    def rounded(self, runs: Runs) -> Float[Array, ""]:
        return jnp.maximum(1, jnp.max(jnp.where(runs.weight > 0, jnp.abs(runs.target), 0)))

    def least(self, runs: Runs) -> Float[Array, ""]:
        return spread_of(runs)


type Residual = LogResidual | RawResidual


def relative_noise(residual: Residual, runs: Runs) -> Float[Array, " n"]:
    """Known noise of each run's residual over the typical known one, their geometric mean; 1 where it is not known.

    A noise that is the same for all runs is 1 throughout. Rows count whatever their weight, so that a resample, or a
    fit to a part, measures residuals on the same scale.
    """
    known = residual.known_noise(runs)
    there = known > 0
    logs = jnp.log(jnp.where(there, known, 1))
    typical = jnp.sum(logs) / jnp.maximum(jnp.sum(there.astype(logs.dtype)), 1)
    return jnp.where(there, jnp.exp(logs - typical), 1)
