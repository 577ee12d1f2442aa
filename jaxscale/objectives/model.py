"""A law and an objective together: everything that a fit estimates, as one parametric tree."""

from typing import ClassVar

from jaxtyping import Array, Float

from jaxscale.core.evaluate import predict
from jaxscale.core.law import AbstractLaw
from jaxscale.core.parametric import AbstractParametric, Change
from jaxscale.core.runs import Runs
from jaxscale.objectives.objective import AbstractObjective


class Model(AbstractParametric):
    """The law's parameters keep their names; the objective's carry the prefix `objective.`"""

    law: AbstractLaw
    objective: AbstractObjective
    inlined: ClassVar[tuple[str, ...]] = ("law",)

    def scaling(self, c: Float[Array, ""]) -> dict[str, Change]:
        own = {f"objective.{name}": change for name, change in self.objective.scaling(c).items()}
        return {**self.law.scaling(c), **own}

    def outputs(self, runs: Runs) -> Float[Array, "n k"]:
        """Each run's outputs, as the objective's penalty takes them."""
        return self.objective.outputs(predict(self.law, runs), runs)
