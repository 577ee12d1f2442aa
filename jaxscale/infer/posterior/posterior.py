"""Posterior: draws of chains, where they started from, and the verdict on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxscale.core.ensemble import Ensemble
from jaxscale.core.results import RESULTS
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.posterior.diagnosis import Diagnosis
from jaxscale.infer.search.problem import FitProblem
from jaxscale.objectives.model import Model
from jaxscale.solve.problem import Split


@dataclass(frozen=True)
class Posterior:
    """Draws from the posterior of a law and its noise.

    - `fit`: the mode, with its certificate and the runs.
    - `z`: unconstrained draws, shape (chain, draw, p), in the coordinates of `fit.problem.split`.
    - `stats`: NUTS's record of every draw, shape (chain, draw): `potential`, `energy`, `accept`, `steps`, `diverging`.
    - `step_size`: as adapted, shape (chain,).
    - `diagnosis`: the verdict; a posterior that fails it is still returned, and every report says so.
    - `engine`: `nuts:curved`, or `nuts:dense` where the curved chart failed: straight, with a dense mass matrix.
    - `starts`: index of the optimum from which each chain started (0 is the best).
    """

    fit: Fit
    z: np.ndarray
    stats: Mapping[str, np.ndarray]
    step_size: np.ndarray
    diagnosis: Diagnosis
    engine: str
    starts: tuple[int, ...]
    seed: int | None
    seconds: Mapping[str, float]

    @property
    def chains(self) -> int:
        return self.z.shape[0]

    @property
    def draws(self) -> int:
        """Draws of each chain."""
        return self.z.shape[1]

    @cached_property
    def model(self) -> Model:
        """Law and likelihood of every draw, leading axis chain * draw, chain by chain."""
        return models(self.fit.problem, self.z)

    @property
    def ensemble(self) -> Ensemble:
        """The law of every draw; its remarks carry the verdict into forecasts and plans."""
        value = jnp.asarray(self.stats["potential"].reshape(-1), self.fit.problem.runs.target.dtype)
        code = jnp.full(value.shape, int(RESULTS.converged), jnp.int32)
        return Ensemble(self.model.law, value, code, self.engine, self.remarks)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader must know, as sentences."""
        return self.diagnosis.remarks()


def models(problem: FitProblem, z: Float[Any, "*m p"]) -> Model:
    """The model at every row of z, stacked along one leading axis, in the precision of the problem."""
    return _models(problem.split, jnp.asarray(z.reshape(-1, z.shape[-1]), problem.runs.target.dtype))


@eqx.filter_jit
def _models(split: Split, z: Float[Array, "m p"]) -> Model:
    return jax.vmap(split.tree)(z)
