"""Separable starts: given the nonlinear parameters, the linear ones follow from least squares."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

_SWEEPS = 200  # of coordinate descent: a start needs two digits, not sixteen


def bounded_least_squares(
    design: Float[Array, "n q"], target: Float[Array, " n"], lower: Float[Array, " q"]
) -> Float[Array, " q"]:
    """Minimise |design @ x - target|^2 subject to x >= lower, by coordinate descent on scaled columns."""
    size = jnp.sqrt(jnp.sum(design**2, axis=0))
    size = jnp.where(size > 0, size, 1)
    columns = design / size[None, :]
    gram = jnp.matmul(columns.T, columns, precision=jax.lax.Precision.HIGHEST)
    moment = jnp.sum(columns * target[:, None], axis=0)
    floor = lower * size

    def coordinate(j: Array, x: Array) -> Array:
        slack = moment[j] - jnp.vdot(gram[j], x)
        return x.at[j].set(jnp.maximum(floor[j], x[j] + slack))

    def sweep(_: Array, x: Array) -> Array:
        return jax.lax.fori_loop(0, x.shape[0], coordinate, x)

    start = jnp.maximum(floor, moment / max(1, design.shape[1]))
    return jax.lax.fori_loop(0, _SWEEPS, sweep, start) / size
