"""A fit as a problem for the solver: the model's free parameters, the runs, and what a resample changes."""

from typing import Any, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core.evaluate import predict
from jaxscale.core.law import AbstractLaw, signature
from jaxscale.core.numerics.namespace import namespace
from jaxscale.core.parametric import scaled
from jaxscale.core.runs import Runs
from jaxscale.objectives.model import Model
from jaxscale.objectives.objective import AbstractObjective
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

    `unit`: what the objective sees predictions and runs measured in, so that all is O(1) here; None: as they are.
    """

    split: Split
    runs: Runs
    prior: bool = eqx.field(static=True, default=False)
    unit: Float[Array, ""] | None = None

    @classmethod
    def of(cls, split: Split, runs: Runs, prior: bool = False) -> Self:
        """Measured in what `runs` are; priors are those of losses of their size."""
        unit, size = _measured(split.template, runs)
        return cls(Split(split.template, split.free, size), runs, prior, unit)

    def at(self, context: Resample | None) -> Runs:
        """The runs of one lane."""
        if context is None:
            return self.runs
        weight = self.runs.weight if context.weight is None else context.weight
        target = self.runs.target if context.target is None else context.target
        return eqx.tree_at(lambda r: (r.weight, r.target), self.runs, (weight, target))

    def outputs(self, z: Vector, context: Any = None) -> Float[Array, "n k"]:
        model = self.split.tree(z)
        prediction = predict(model.law, self.runs)
        return self._seen(model.objective).outputs(self._measure(prediction), self._runs(context))

    def started(self, law: AbstractLaw) -> AbstractObjective:
        """The objective with its own parameters started from the residuals of `law`."""
        prediction = self._measure(predict(law, self.runs))
        objective = self._seen(self.template.objective).started(prediction, self._runs(None))
        return objective if self.unit is None else scaled(objective, self.unit)

    def _seen(self, objective: AbstractObjective) -> AbstractObjective:
        return objective if self.unit is None else scaled(objective, 1 / self.unit)

    def _measure(self, losses: Float[Array, " n"]) -> Float[Array, " n"]:
        return losses if self.unit is None else losses / self.unit

    def _runs(self, context: Resample | None) -> Runs:
        runs = self.at(context)
        measured = (self._measure(runs.target), self._measure(runs.noise))
        return eqx.tree_at(lambda r: (r.target, r.noise), runs, measured)

    def weights(self, context: Any = None) -> Float[Array, " n"]:
        return self.at(context).weight

    def regulariser(self, z: Vector, context: Any = None) -> Float[Array, ""] | None:
        return -self.split.log_density(z) if self.prior else None

    @property
    def template(self) -> Model:
        return self.split.template

    def penalty(self, u: Float[Array, " k"]) -> Float[Array, ""]:
        return self._seen(self.template.objective).penalty(u)

    def curvature(self, u: Float[Array, " k"]) -> Float[Array, "k k"]:
        return self._seen(self.template.objective).curvature(u)

    def majoriser(self, u: Float[Array, " k"]) -> Float[Array, "k k"]:
        return self._seen(self.template.objective).majoriser(u)

    def resolution(self) -> Float[Array, ""]:
        objective = self._seen(self.template.objective)
        return jnp.asarray(objective.resolution(self._runs(None)), self.runs.target.dtype)

    def reported(self, z: Vector, context: Any = None) -> Float[Array, ""]:
        """The objective as papers state it."""
        model, weight = self.split.tree(z), self.weights(context)
        outputs = jnp.where(weight[:, None] > 0, model.outputs(self.at(context)), 0)
        return model.objective.reported(outputs, weight)


def _measured(model: Model, runs: Runs) -> tuple[Array, Array | None]:
    """The unit of the runs, and how many times as large as usual they are."""
    unit, usual = model.objective.residual.unit(runs), signature(model.law).output.size
    xp, dtype = namespace(unit), runs.target.dtype
    # Where losses lie about zero, their spread is their size.
    size = None if usual is None else jnp.asarray(xp.maximum(size_of(runs), unit) / usual, dtype)
    return jnp.asarray(unit, dtype), size
