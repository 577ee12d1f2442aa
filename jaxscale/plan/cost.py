"""Cost of a training run: compute as a function of N and D, and its inverse."""

import math
from abc import abstractmethod
from typing import Annotated

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core.flops import FLOP_PER_PARAM_TOKEN
from jaxscale.core.ranges import Range, check_fields


class AbstractCost(eqx.Module):
    """What a run costs, and which D a budget leaves for a given N (both in logarithms, natural)."""

    @abstractmethod
    def log_flops(self, log_N: Float[Array, ""], log_D: Float[Array, ""]) -> Float[Array, ""]: ...

    @abstractmethod
    def log_tokens(self, log_N: Float[Array, ""], log_C: Float[Array, ""]) -> Float[Array, ""]:
        """log D such that the run costs exp(log_C)."""


class SixND(AbstractCost):
    """C = per_token N D with 6 FLOP per parameter and token: 2 forward, 4 backward (Kaplan et al. 2020, sec. 2.1).

    Other architectures cost another number: a mixture of experts 6 times its share of active parameters. Raises
    `BadInput` on one that is not positive.
    """

    per_token: Annotated[float, Range(1e-30, 1e30, like="6")] = eqx.field(static=True, default=FLOP_PER_PARAM_TOKEN)

    def __check_init__(self) -> None:
        check_fields(self)

    def log_flops(self, log_N: Float[Array, ""], log_D: Float[Array, ""]) -> Float[Array, ""]:
        return jnp.asarray(math.log(self.per_token), log_N.dtype) + log_N + log_D

    def log_tokens(self, log_N: Float[Array, ""], log_C: Float[Array, ""]) -> Float[Array, ""]:
        return log_C - jnp.asarray(math.log(self.per_token), log_N.dtype) - log_N
