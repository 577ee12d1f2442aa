"""A small robust curve fit, y = exp(a) + exp(b - c x), as a problem without any law."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

from jaxscale.solve.problem import AbstractProblem, Vector


class Curve(AbstractProblem):
    """Huber of the residual over `width`. The context of a lane is its weights."""

    x: Float[Array, " n"]
    y: Float[Array, " n"]
    width: Float[Array, ""]

    def outputs(self, z: Vector, context: Any = None) -> Float[Array, "n k"]:
        return ((jnp.exp(z[0]) + jnp.exp(z[1] - z[2] * self.x) - self.y) / self.width)[:, None]

    def weights(self, context: Any = None) -> Float[Array, " n"]:
        return jnp.ones_like(self.x) if context is None else context

    def penalty(self, u: Float[Array, " k"]) -> Float[Array, ""]:
        size = jnp.abs(u[0])
        return jnp.where(size <= 1, 0.5 * size**2, size - 0.5)

    def majoriser(self, u: Float[Array, " k"]) -> Float[Array, "k k"]:
        return (1 / jnp.maximum(jnp.abs(u[0]), 1)).reshape(1, 1)

    def resolution(self) -> Float[Array, ""]:
        return 4 * jnp.finfo(self.y.dtype).eps / self.width


@pytest.fixture(scope="session")
def curve() -> Curve:
    rng = np.random.default_rng(3)
    x = np.linspace(0, 4, 50)
    y = 1.7 + np.exp(1 - 0.8 * x) + 0.02 * rng.standard_normal(50)
    y[::10] += 0.5  # outliers, so that the robust part matters
    return Curve(*(jnp.asarray(v, dtype=float) for v in (x, y, 0.02)))
