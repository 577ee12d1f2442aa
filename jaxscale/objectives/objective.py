"""What an objective is: outputs of each run, and a penalty on them."""

from abc import abstractmethod
from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxscale.core.parametric import AbstractParametric
from jaxscale.core.runs import Runs
from jaxscale.objectives.residual import Residual


class AbstractObjective(AbstractParametric):
    """Turns predictions into k outputs per run and each run's outputs into one penalty.

    Its own parameters (a noise scale) are declared with `param` like a law's and fitted with them. A fit measures
    predictions and runs in the residual's `unit`, so that nothing here depends on the unit of the loss.
    """

    residual: eqx.AbstractVar[Residual]

    @abstractmethod
    def outputs(self, prediction: Float[Array, " n"], runs: Runs) -> Float[Array, "n k"]:
        """What the penalty looks at, for every run, in units in which the penalty is O(1)."""

    @abstractmethod
    def penalty(self, u: Float[Array, " k"]) -> Float[Array, ""]:
        """One run's penalty. It sees the objective's settings, never its free parameters."""

    def curvature(self, u: Float[Array, " k"]) -> Float[Array, "k k"]:
        """The penalty's Hessian, and what is known of the outputs' own curvature."""
        return jax.hessian(self.penalty)(u)

    @abstractmethod
    def majoriser(self, u: Float[Array, " k"]) -> Float[Array, "k k"]:
        """A positive semi-definite curvature of the penalty, safe for steps of any length."""

    def reported(self, u: Float[Array, "n k"], weight: Float[Array, " n"]) -> Float[Array, ""]:
        """The value as papers state it (a sum over runs)."""
        return jnp.sum(weight * jax.vmap(self.penalty)(u))

    @abstractmethod
    def resolution(self, runs: Runs) -> Float[Array, ""]:
        """Rounding unit of an output."""

    def started(self, prediction: Float[Array, " n"], runs: Runs) -> Self:
        """A copy whose own parameters start from the residuals of `prediction`."""
        return self

    @abstractmethod
    def simulate(self, key: PRNGKeyArray, prediction: Float[Array, " n"], runs: Runs) -> Float[Array, " n"]:
        """New targets around `prediction` under the objective's noise model."""

    def stages(self, dtype: Any) -> tuple[Self, ...]:
        """Smoother objectives to solve in turn, each from the last one's optimum; the last is this one."""
        return (self,)

    @property
    @abstractmethod
    def name(self) -> str:
        """As written on the command line, e.g. `log-huber:0.001`."""
