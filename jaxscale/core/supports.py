r"""Supports: where a parameter may live, as a bijection from the real line with its log-determinant.

A support is a frozen record without arrays. `constrain` maps unconstrained reals z to the support,
`unconstrain` inverts it, `log_det(z)` is $\log |\det \partial x / \partial z|$ summed over the event.
"""

import functools
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated

import jax
import jax.core
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core.errors import BadInput
from jaxscale.core.ranges import REAL, check_fields

type Reals = Float[Array, "..."]


class AbstractSupport(ABC):
    """What every support provides. Scalar supports act elementwise; vector supports on the last axis."""

    vector = False
    open = False  # whether a multiple of a value lies inside too

    @abstractmethod
    def constrain(self, z: Reals) -> Reals: ...

    @abstractmethod
    def unconstrain(self, x: Reals) -> Reals: ...

    @abstractmethod
    def log_det(self, z: Reals) -> Float[Array, ""]: ...

    @abstractmethod
    def contains(self, x: Reals) -> Array:
        """True where x lies strictly inside (for vector supports: one answer per vector)."""

    def closed(self, x: Reals) -> Array:
        """As `contains`, with the finite edges: where a parameter may be held, though no search ends there."""
        return self.contains(x)


@functools.cache
def coordinates(support: AbstractSupport, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the unconstrained coordinates of a parameter of `shape`."""
    return jax.eval_shape(support.unconstrain, jax.ShapeDtypeStruct(shape, jnp.float32)).shape


@dataclass(frozen=True)
class Real(AbstractSupport):
    """The whole line."""

    open = True

    def constrain(self, z: Reals) -> Reals:
        return z

    def unconstrain(self, x: Reals) -> Reals:
        return x

    def log_det(self, z: Reals) -> Float[Array, ""]:
        return jnp.zeros((), z.dtype)

    def contains(self, x: Reals) -> Array:
        return jnp.isfinite(x)


@dataclass(frozen=True)
class Positive(AbstractSupport):
    """(0, inf), through the exponential."""

    open = True

    def constrain(self, z: Reals) -> Reals:
        return jnp.exp(z)

    def unconstrain(self, x: Reals) -> Reals:
        return jnp.log(x)

    def log_det(self, z: Reals) -> Float[Array, ""]:
        return jnp.sum(z)

    def contains(self, x: Reals) -> Array:
        return (x > 0) & jnp.isfinite(x)

    def closed(self, x: Reals) -> Array:
        return (x >= 0) & jnp.isfinite(x)


@dataclass(frozen=True)
class Interval(AbstractSupport):
    """(low, high), through the logistic function."""

    low: Annotated[float, REAL] = 0.0
    high: Annotated[float, REAL] = 1.0

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.low < self.high:
            raise BadInput(f"Interval: expected a low end below the high one, got {self.low} and {self.high}")

    def constrain(self, z: Reals) -> Reals:
        return self.low + (self.high - self.low) * jax.nn.sigmoid(z)

    def unconstrain(self, x: Reals) -> Reals:
        return jnp.log(x - self.low) - jnp.log(self.high - x)

    def log_det(self, z: Reals) -> Float[Array, ""]:
        width = jnp.log(jnp.asarray(self.high - self.low, z.dtype))
        return jnp.sum(width + jax.nn.log_sigmoid(z) + jax.nn.log_sigmoid(-z))

    def contains(self, x: Reals) -> Array:
        return (x > self.low) & (x < self.high)

    def closed(self, x: Reals) -> Array:
        return (x >= self.low) & (x <= self.high)


@dataclass(frozen=True)
class Simplex(AbstractSupport):
    """Positive vectors that sum to one; K entries from K - 1 reals (additive log-ratio, last entry as reference)."""

    vector = True

    def constrain(self, z: Reals) -> Reals:
        padded = jnp.concatenate([z, jnp.zeros_like(z[..., :1])], axis=-1)
        return jax.nn.softmax(padded, axis=-1)

    def unconstrain(self, x: Reals) -> Reals:
        return jnp.log(x[..., :-1]) - jnp.log(x[..., -1:])

    def log_det(self, z: Reals) -> Float[Array, ""]:
        padded = jnp.concatenate([z, jnp.zeros_like(z[..., :1])], axis=-1)
        return jnp.sum(jax.nn.log_softmax(padded, axis=-1))

    def contains(self, x: Reals) -> Array:
        return jnp.all(x > 0, axis=-1) & self.closed(x)

    def closed(self, x: Reals) -> Array:
        eps = jnp.finfo(x.dtype).eps
        return jnp.all(x >= 0, axis=-1) & (jnp.abs(jnp.sum(x, axis=-1) - 1) < 8 * x.shape[-1] * eps)


@dataclass(frozen=True)
class PositiveOrdered(AbstractSupport):
    """Increasing positive vectors: log of the first entry is real, each further log step a softplus."""

    vector = True
    open = True

    def constrain(self, z: Reals) -> Reals:
        steps = jnp.concatenate([z[..., :1], jax.nn.softplus(z[..., 1:])], axis=-1)
        return jnp.exp(jnp.cumsum(steps, axis=-1))

    def unconstrain(self, x: Reals) -> Reals:
        logs = jnp.log(x)
        steps = jnp.diff(logs, axis=-1)
        inverse = steps + jnp.log(-jnp.expm1(-steps))
        return jnp.concatenate([logs[..., :1], inverse], axis=-1)

    def log_det(self, z: Reals) -> Float[Array, ""]:
        return jnp.sum(jnp.log(self.constrain(z))) + jnp.sum(jax.nn.log_sigmoid(z[..., 1:]))

    def contains(self, x: Reals) -> Array:
        return jnp.all(x > 0, axis=-1) & jnp.all(jnp.diff(x, axis=-1) > 0, axis=-1)

    def closed(self, x: Reals) -> Array:
        return (
            jnp.all(x >= 0, axis=-1) & jnp.all(jnp.diff(x, axis=-1) >= 0, axis=-1) & jnp.all(jnp.isfinite(x), axis=-1)
        )


real = Real()
positive = Positive()
unit_interval = Interval(0.0, 1.0)
simplex = Simplex()
positive_ordered = PositiveOrdered()


def check_support(support: AbstractSupport, x: Reals, where: str) -> Reals:
    """Return x, or raise `ValueError` when a concrete x lies outside `support`. Tracers pass."""
    if not isinstance(x, jax.core.Tracer) and not bool(jnp.all(support.contains(x))):
        raise ValueError(
            f"{where}: expected a value in {type(support).__name__}, got {x}; give a value inside the support"
        )
    return x
