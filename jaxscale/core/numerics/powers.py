"""Power terms that stay finite in float32 and whose input logarithms can be hoisted out of loops."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core.flops import FLOP_PER_PARAM_TOKEN


def power(x: Float[Array, "..."], exponent: Float[Array, "..."]) -> Float[Array, "..."]:
    """`x ** exponent` for x > 0, as exp(exponent * log x).

    Unlike `**` it exposes log x, which does not depend on the parameters when x is an input: the
    solver computes it once per data set instead of once per iteration.
    """
    return jnp.exp(exponent * jnp.log(x))


def power_ratio(x: Float[Array, "..."], y: Float[Array, "..."], exponent: Float[Array, "..."]) -> Float[Array, "..."]:
    """`(x / y) ** exponent` for x, y > 0, without forming a quotient that could overflow."""
    return jnp.exp(exponent * (jnp.log(x) - jnp.log(y)))


type Scalar = Float[Array, ""]


def split_between_powers(log_A: Scalar, alpha: Scalar, log_B: Scalar, beta: Scalar, C: Scalar) -> tuple[Scalar, Scalar]:
    r"""N and D that minimise $A N^{-\alpha} + B D^{-\beta}$ at $6ND = C$.

    With $G = (\alpha A / \beta B)^{1/(\alpha+\beta)}$ the minimum lies at $N = G (C/6)^{\beta/(\alpha+\beta)}$ and
    $D = (C/6)^{\alpha/(\alpha+\beta)} / G$ (Hoffmann et al. 2022, eq. 4). A and B come as logarithms because they
    exceed float32 for small exponents. Any increasing function of the sum has its minimum in the same place.

    **Arguments:** scalars; `C` in FLOP. **Returns:** `(N, D)` in params and tokens.
    """
    total = alpha + beta
    log_G = (jnp.log(alpha) + log_A - jnp.log(beta) - log_B) / total
    log_ND = jnp.log(C) - jnp.log(jnp.asarray(FLOP_PER_PARAM_TOKEN, log_G.dtype))
    return jnp.exp(log_G + beta / total * log_ND), jnp.exp(alpha / total * log_ND - log_G)
