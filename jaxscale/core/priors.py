"""Priors as frozen records of floats: no array exists at import.

`log_prob` takes arrays on the prior's support, `quantile` arrays on (0, 1): those of NumPy stay on the host, where
nothing is compiled. `quantile` also spreads the starts of a cold fit, so a prior states where a parameter plausibly
lies, in the unit of its quantity. Where losses are not of the usual size (`Quantity.size`), a fit takes the prior of
what grows with them (`AbstractParametric.scaling`) for theirs.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import betainc, betaln

from jaxscale.core.errors import BadInput
from jaxscale.core.ranges import POSITIVE, REAL, check_fields

type Reals = Any  # Float[Array, "..."], or of NumPy

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class AbstractPrior(ABC):
    """What every prior provides. Raises `BadInput` on settings that are no distribution."""

    def __post_init__(self) -> None:
        check_fields(self)

    @abstractmethod
    def log_prob(self, x: Reals) -> Reals: ...

    @abstractmethod
    def quantile(self, u: Reals) -> Reals: ...


@dataclass(frozen=True)
class Normal(AbstractPrior):
    """Gaussian with `mean` and standard deviation `sd`."""

    mean: Annotated[float, REAL]
    sd: Annotated[float, POSITIVE]

    def log_prob(self, x: Reals) -> Reals:
        return -0.5 * ((x - self.mean) / self.sd) ** 2 - math.log(self.sd) - _HALF_LOG_2PI

    def quantile(self, u: Reals) -> Reals:
        return self.mean + self.sd * _ndtri(u)


@dataclass(frozen=True)
class LogNormal(AbstractPrior):
    """Log-normal by its `median` and the standard deviation `sigma` of the logarithm."""

    median: Annotated[float, POSITIVE]
    sigma: Annotated[float, POSITIVE]

    def log_prob(self, x: Reals) -> Reals:
        z = (jnp.log(x) - math.log(self.median)) / self.sigma
        return -0.5 * z**2 - jnp.log(x) - math.log(self.sigma) - _HALF_LOG_2PI

    def quantile(self, u: Reals) -> Reals:
        return _namespace(u).exp(math.log(self.median) + self.sigma * _ndtri(u))


@dataclass(frozen=True)
class Uniform(AbstractPrior):
    """Uniform on (low, high)."""

    low: Annotated[float, REAL]
    high: Annotated[float, REAL]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.low < self.high:
            raise BadInput(f"Uniform: expected a low end below the high one, got {self.low} and {self.high}")

    def log_prob(self, x: Reals) -> Reals:
        inside = (x >= self.low) & (x <= self.high)
        return jnp.where(inside, -math.log(self.high - self.low), -jnp.inf).astype(x.dtype)

    def quantile(self, u: Reals) -> Reals:
        return self.low + (self.high - self.low) * u


@dataclass(frozen=True)
class HalfNormal(AbstractPrior):
    """Absolute value of a Gaussian with standard deviation `scale`."""

    scale: Annotated[float, POSITIVE]

    def log_prob(self, x: Reals) -> Reals:
        return math.log(2.0) - 0.5 * (x / self.scale) ** 2 - math.log(self.scale) - _HALF_LOG_2PI

    def quantile(self, u: Reals) -> Reals:
        return self.scale * _ndtri(0.5 + 0.5 * u)


@dataclass(frozen=True)
class Beta(AbstractPrior):
    """Beta(a, b) on (0, 1)."""

    a: Annotated[float, POSITIVE]
    b: Annotated[float, POSITIVE]

    def log_prob(self, x: Reals) -> Reals:
        a, b = jnp.asarray(self.a, x.dtype), jnp.asarray(self.b, x.dtype)
        return (a - 1) * jnp.log(x) + (b - 1) * jnp.log1p(-x) - betaln(a, b)

    def quantile(self, u: Reals) -> Reals:
        if isinstance(u, np.ndarray):
            from scipy.special import betaincinv

            return betaincinv(self.a, self.b, u)
        a, b = jnp.asarray(self.a, u.dtype), jnp.asarray(self.b, u.dtype)

        def halve(_: int, bracket: tuple[Reals, Reals]) -> tuple[Reals, Reals]:
            low, high = bracket
            middle = 0.5 * (low + high)
            below = betainc(a, b, middle) < u
            return jnp.where(below, middle, low), jnp.where(below, high, middle)

        # One bit of the quantile per halving: as many as the mantissa holds.
        low, high = jax.lax.fori_loop(0, jnp.finfo(u.dtype).nmant, halve, (jnp.zeros_like(u), jnp.ones_like(u)))
        return 0.5 * (low + high)


def _namespace(x: Any) -> Any:
    return np if isinstance(x, np.ndarray) else jnp


def _ndtri(u: Reals) -> Reals:
    """The quantile of a standard normal."""
    if isinstance(u, np.ndarray):
        from scipy.special import ndtri
    else:
        from jax.scipy.special import ndtri
    return ndtri(u)
