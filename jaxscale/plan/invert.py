"""The compute that a loss takes: `flops_for`, and what it is built of.

A path says which run a budget buys: the compute-optimal one, or the one with a given number of tokens per parameter.
The loss along it falls with the budget; its inverse is a root in log C.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core.law import AbstractLaw
from jaxscale.core.numerics.roots import root
from jaxscale.plan.allocate import Bounds, at_budget, group_in, log_loss_of, positive, require_plannable
from jaxscale.plan.cost import AbstractCost, SixND

LEAST, MOST = 1e9, 1e32  # FLOP between which budgets are sought


class Path(eqx.Module):
    """One run per budget: the optimal one within `bounds`, or the one with `ratio` = D/N tokens per parameter."""

    cost: AbstractCost
    bounds: Bounds
    ratio: Float[Array, ""] | None = None

    @classmethod
    def of(cls, cost: AbstractCost | None, bounds: Bounds | None, dtype: Any, ratio: Any = None) -> "Path":
        """Raises `BadInput` on empty bounds or a ratio that is not positive."""
        fixed = None if ratio is None else positive(ratio, "ratio", "tokens per parameter", dtype)
        limits = (Bounds() if bounds is None else bounds).check().arrays(dtype)
        return cls(SixND() if cost is None else cost, limits, fixed)

    def log_loss(self, law: AbstractLaw, log_C: Float[Array, ""], group: int = 0) -> Float[Array, ""]:
        """Of the run that a budget buys."""
        if self.ratio is None:
            return jnp.log(at_budget(law, log_C, self.cost, self.bounds, group).loss)
        log_ratio = jnp.log(self.ratio)
        ends = (jnp.asarray(x, log_C.dtype) for x in (-50.0, 120.0))
        log_N = root(lambda n: self.cost.log_flops(n, n + log_ratio) - log_C, *ends).at
        return log_loss_of(law, self.cost, group)(log_N, log_C)

    def log_flops(self, law: AbstractLaw, log_loss: Float[Array, ""], group: int = 0) -> Float[Array, ""]:
        """The smallest budget that reaches a loss, in logarithms: infinite where none does, `LEAST` where all do."""
        low, high = self._ends(log_loss.dtype)

        def excess(log_C: Array) -> Array:
            return self.log_loss(law, log_C, group) - log_loss

        found = root(excess, low, high)
        return jnp.where(found.f_low <= 0, low, jnp.where(found.f_high <= 0, found.at, jnp.inf))

    def _ends(self, dtype: Any) -> tuple[Array, Array]:
        """Log budgets between which some run keeps to the bounds."""
        least, most = (jnp.log(jnp.asarray(x, dtype)) for x in (LEAST, MOST))
        if self.ratio is not None:
            return least, most
        corner = [
            self.cost.log_flops(jnp.log(N), jnp.log(N) + jnp.log(ratio))
            for N, ratio in zip(self.bounds.N, self.bounds.ratio, strict=True)
        ]
        return jnp.maximum(least, corner[0]), jnp.minimum(most, corner[1])


def flops_for(
    law: Any,
    loss: Any,
    *,
    cost: AbstractCost | None = None,
    bounds: Bounds | None = None,
    group: int | str | None = None,
) -> Float[Array, "..."]:
    """The smallest budget in FLOP whose compute-optimal run reaches `loss`: the inverse of `allocate`.

    Infinite where the law says that no budget up to 1e32 FLOP does (the loss lies below its floor, or beyond the
    largest run that the bounds allow); 1e9 where that already does. Differentiable as `allocate` is.
    """
    single = laws_in(law)
    target = positive(loss, "loss", "nats", dtype_of(single))
    path, index = Path.of(cost, bounds, target.dtype), group_in(single, group)
    return _flops_for(single, target, path, index, not isinstance(law, AbstractLaw))


@eqx.filter_jit
def _flops_for(law: AbstractLaw, target: Array, path: Path, group: int, many: bool) -> Array:
    def one(law: AbstractLaw) -> Array:
        return over(lambda log_loss: path.log_flops(law, log_loss, group), jnp.log(target))

    return jnp.exp(eqx.filter_vmap(one)(law) if many else one(law))


def laws_in(given: Any) -> AbstractLaw:
    """A law, or the stacked laws of an ensemble. Raises `BadInput` on a law without size and data."""
    law = given if isinstance(given, AbstractLaw) else given.law
    require_plannable(law)
    return law


def dtype_of(law: AbstractLaw) -> Any:
    """Of the parameters, in which all is computed."""
    return jax.tree.leaves(law)[0].dtype


def over(f: Callable[..., Any], *arrays: Array) -> Any:
    """f at every entry of arrays of one shape."""
    shape = arrays[0].shape
    flat = jax.vmap(f)(*(x.reshape(-1) for x in arrays))
    return jax.tree.map(lambda x: x.reshape(shape), flat)
