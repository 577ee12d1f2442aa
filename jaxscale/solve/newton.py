"""Exact Newton steps at the end of a single solve: to rounding, and the exact Hessian with it."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.solve.problem import AbstractProblem, Vector, expand

_STEPS = 6


class Polished(eqx.Module):
    """A point with value, exact gradient and exact Hessian."""

    z: Float[Array, " p"]
    value: Float[Array, ""]
    gradient: Float[Array, " p"]
    hessian: Float[Array, "p p"]

    def decrement(self) -> Float[Array, ""]:
        """What a Newton step would still gain; infinite where the Hessian is not positive definite."""
        size = jnp.sqrt(jnp.abs(jnp.diag(self.hessian)))
        size = jnp.where(size > 0, size, 1)
        factor = jax.scipy.linalg.cho_factor(self.hessian / jnp.outer(size, size))
        gain = 0.5 * jnp.vdot(self.gradient / size, jax.scipy.linalg.cho_solve(factor, self.gradient / size))
        return jnp.where(jnp.isfinite(gain), gain, jnp.inf)


def polish(problem: AbstractProblem, z: Vector, context: Any = None) -> Polished:
    """A few Newton steps from z; each is kept only if it leaves less to gain and does not raise the value."""

    def look(z: Vector) -> Polished:
        at = expand(lambda z: problem.value(z, context), z)
        return Polished(z, at.value, at.gradient, at.curvature)

    def step(i: Array, here: Polished) -> Polished:
        # The first pass only looks at z: one copy of the Hessian's code to compile instead of two.
        move = jnp.where(i == 0, 0, jnp.linalg.solve(here.hessian, here.gradient))
        there = look(here.z - move)
        slack = 8 * jnp.finfo(z.dtype).eps * jnp.abs(there.value) + rounding
        better = (there.value <= here.value + slack) & (there.decrement() < here.decrement())
        return jax.tree.map(lambda a, b: jnp.where(better | (i == 0), a, b), there, here)

    # Each output is known to its resolution only, and the sum to that of its rows together.
    rounding = jnp.sum(problem.weights(context)) * problem.resolution()
    p = z.shape[0]
    nowhere = Polished(z, jnp.asarray(jnp.inf, z.dtype), jnp.zeros_like(z), jnp.eye(p, dtype=z.dtype))
    return jax.lax.fori_loop(0, _STEPS, step, nowhere)
