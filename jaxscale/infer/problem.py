"""A fit as a problem for the solver: the model's free parameters, the runs, and what a resample changes."""

from typing import Any, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core.law import signature
from jaxscale.core.runs import Runs
from jaxscale.objectives.model import Model
from jaxscale.objectives.residual import size_of
from jaxscale.solve.problem import AbstractProblem, Split, Vector


class Resample(eqx.Module):
    """What one bootstrap draw changes: weights (pairs, clusters, Bayesian) or targets (wild, parametric); None: not.

    What stays the same is not carried from lane to lane, and its logarithm is not taken again in every step.
    """

    weight: Float[Array, " n"] | None = None
    target: Float[Array, " n"] | None = None


class FitProblem(AbstractProblem):
    """The penalties of a `Model` over `Runs`, as a function of the model's free parameters.

    With `prior` the priors' density in unconstrained coordinates is added: for a likelihood the value is then
    minus the log of the posterior density, up to a constant.
    """

    split: Split
    runs: Runs
    prior: bool = eqx.field(static=True, default=False)

    @classmethod
    def of(cls, split: Split, runs: Runs, prior: bool = False) -> Self:
        """With the priors of losses of the size of `runs`."""
        return cls(Split(split.template, split.free, _size(split.template, runs)), runs, prior)

    def at(self, context: Resample | None) -> Runs:
        """The runs of one lane."""
        if context is None:
            return self.runs
        weight = self.runs.weight if context.weight is None else context.weight
        target = self.runs.target if context.target is None else context.target
        return eqx.tree_at(lambda r: (r.weight, r.target), self.runs, (weight, target))

    def outputs(self, z: Vector, context: Any = None) -> Float[Array, "n k"]:
        return self.split.tree(z).outputs(self.at(context))

    def weights(self, context: Any = None) -> Float[Array, " n"]:
        return self.at(context).weight

    def regulariser(self, z: Vector, context: Any = None) -> Float[Array, ""] | None:
        return -self.split.log_density(z) if self.prior else None

    @property
    def template(self) -> Model:
        return self.split.template

    def penalty(self, u: Float[Array, " k"]) -> Float[Array, ""]:
        return self.template.objective.penalty(u)

    def curvature(self, u: Float[Array, " k"]) -> Float[Array, "k k"]:
        return self.template.objective.curvature(u)

    def majoriser(self, u: Float[Array, " k"]) -> Float[Array, "k k"]:
        return self.template.objective.majoriser(u)

    def resolution(self) -> Float[Array, ""]:
        return jnp.asarray(self.template.objective.resolution(), self.runs.target.dtype)

    def reported(self, z: Vector, context: Any = None) -> Float[Array, ""]:
        """The objective as papers state it."""
        return self.split.tree(z).objective.reported(self.used_outputs(z, context), self.weights(context))


@eqx.filter_jit
def _size(model: Model, runs: Runs) -> Array | None:
    """How many times as large as usual the losses are."""
    usual = signature(model.law).output.size
    return None if usual is None else size_of(runs) / usual
