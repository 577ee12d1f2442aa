"""Exact Newton steps at the end of a single solve: to rounding, and the exact Hessian with it."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxscale.solve.chart import unit_diagonal
from jaxscale.solve.positive import solve_any, solve_positive
from jaxscale.solve.problem import AbstractProblem, Vector, expand

_STEPS = 6


class Polished(eqx.Module):
    """A point with value, exact gradient and exact Hessian."""

    z: Float[Array, " p"]
    value: Float[Array, ""]
    gradient: Float[Array, " p"]
    hessian: Float[Array, "p p"]

    def decrement(self, xp: Any = jnp) -> Any:
        """What a Newton step would still gain; infinite where the Hessian is not positive definite."""
        hessian, size = unit_diagonal(xp, self.hessian)
        scaled = self.gradient / size
        gain = 0.5 * xp.vdot(scaled, solve_positive(xp, hessian, scaled))
        return xp.where(xp.isfinite(gain), gain, xp.inf)


def polish(problem: AbstractProblem, z: Vector, context: Any = None) -> Polished:
    """A few Newton steps from z; each is kept only if it leaves less to gain and does not raise the value."""

    def step(i: Array, here: Polished) -> Polished:
        # The first pass only looks at z: one copy of the Hessian's code to compile instead of two.
        there = look(problem, here.z - jnp.where(i == 0, 0, _move(jnp, here)), context)
        kept = _better(jnp, there, here, rounding) | (i == 0)
        return jax.tree.map(lambda a, b: jnp.where(kept, a, b), there, here)

    rounding = sum_rounding(problem, context)
    p = z.shape[0]
    nowhere = Polished(z, jnp.asarray(jnp.inf, z.dtype), jnp.zeros_like(z), jnp.eye(p, dtype=z.dtype))
    return jax.lax.fori_loop(0, _STEPS, step, nowhere)


def polish_from_host[S](
    seen: Callable[[np.ndarray], S], of: Callable[[S], Polished], z: np.ndarray, rounding: Any
) -> S:
    """`polish`, where a compiled program has `seen` what is asked of a point, a `look` in it among other things."""
    with np.errstate(all="ignore"):  # a step may leave the numbers: then it is not kept
        best = seen(z)
        for _ in range(_STEPS - 1):
            here = of(best)
            tried = seen(here.z - _move(np, here))
            if not _better(np, of(tried), here, rounding):
                break  # and would not be the next time
            best = tried
    return best


def look(problem: AbstractProblem, z: Vector, context: Any = None) -> Polished:
    """What a Newton step must know of a point."""
    at = expand(lambda z: problem.value(z, context), z)
    return Polished(z, at.value, at.gradient, at.curvature)


def sum_rounding(problem: AbstractProblem, context: Any = None) -> Array:
    """Each output is known to its resolution only, and the sum to that of its rows together."""
    return jnp.sum(problem.weights(context)) * problem.resolution()


def _move(xp: Any, here: Polished) -> Any:
    return solve_any(xp, here.hessian, here.gradient)


def _better(xp: Any, there: Polished, here: Polished, rounding: Any) -> Any:
    slack = 8 * xp.finfo(there.z.dtype).eps * xp.abs(there.value) + rounding
    return (there.value <= here.value + slack) & (there.decrement(xp) < here.decrement(xp))
