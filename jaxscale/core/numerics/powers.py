"""Power terms that stay finite in float32 and whose input logarithms can be hoisted out of loops."""

from collections.abc import Callable

import jax
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


def bisect(
    f: Callable[[Float[Array, ""]], Float[Array, ""]], low: Float[Array, ""], high: Float[Array, ""]
) -> Float[Array, ""]:
    """Where f changes its sign between `low` and `high`, to rounding; NaN where it has one sign at both ends.

    No derivative passes: `root` has those of the implicit function.
    """
    low, high = jax.lax.stop_gradient((low, high))
    above = f(low) > 0
    changes = (f(high) > 0) != above

    def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = 0.5 * (ends[0] + ends[1])
        before = (f(middle) > 0) == above
        return jnp.where(before, middle, ends[0]), jnp.where(before, ends[1], middle)

    # One bit per halving, as many as the mantissa holds, and one more for the last.
    low, high = jax.lax.fori_loop(0, jnp.finfo(low.dtype).nmant + 1, halve, (low, high))
    return jax.lax.stop_gradient(jnp.where(changes, 0.5 * (low + high), jnp.nan))


def root(
    f: Callable[[Float[Array, ""]], Float[Array, ""]], low: Float[Array, ""], high: Float[Array, ""]
) -> Float[Array, ""]:
    """`bisect`, differentiable with respect to all that f closes over, by the implicit function theorem."""
    found = bisect(f, low, high)
    # A step of Newton changes nothing at the root, and carries its derivatives.
    return found - f(found) / jax.lax.stop_gradient(jax.grad(f)(found))


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
