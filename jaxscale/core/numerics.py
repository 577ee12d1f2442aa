"""Power terms that stay finite in float32 and whose input logarithms can be hoisted out of loops."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def power(x: Float[Array, "..."], exponent: Float[Array, "..."]) -> Float[Array, "..."]:
    """`x ** exponent` for x > 0, as exp(exponent * log x).

    Unlike `**` it exposes log x, which does not depend on the parameters when x is an input: the
    solver computes it once per data set instead of once per iteration.
    """
    return jnp.exp(exponent * jnp.log(x))


def power_ratio(x: Float[Array, "..."], y: Float[Array, "..."], exponent: Float[Array, "..."]) -> Float[Array, "..."]:
    """`(x / y) ** exponent` for x, y > 0, without forming a quotient that could overflow."""
    return jnp.exp(exponent * (jnp.log(x) - jnp.log(y)))
