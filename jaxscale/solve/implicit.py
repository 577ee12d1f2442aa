"""Derivatives of an optimum by the implicit function theorem: nothing is differentiated through iterations."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.solve.problem import Vector


def implicit_argmin(value: Callable[[Vector], Float[Array, ""]], optimum: Vector) -> Vector:
    """`optimum` of `value`, with derivatives with respect to everything that `value` closes over.

    Solves the exact Hessian, not a Gauss-Newton one. `optimum` itself is taken as given: its own
    derivatives are stopped.
    """
    gradient = jax.grad(value)

    def tangent_solve(linear: Callable[[Vector], Vector], y: Vector) -> Vector:
        matrix = jax.jacobian(linear)(jnp.zeros_like(y))
        return jnp.linalg.solve(matrix, y)

    return jax.lax.custom_root(gradient, jax.lax.stop_gradient(optimum), lambda _, start: start, tangent_solve)
