r"""`allocate`: the model size and tokens that a compute budget should buy.

Minimises the law's loss over log N on the curve of runs that cost exactly the budget. The minimum over
a wide grid is found first, then refined: a law whose loss falls towards absurd sizes (a known trap of
flexible forms) ends on a bound, and the plan says so instead of inventing an optimum.
"""

from collections.abc import Callable
from typing import Any, Self

import equinox as eqx
import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxscale.core.errors import BadInput
from jaxscale.core.groups import index_of
from jaxscale.core.law import AbstractLaw, require_values, signature
from jaxscale.core.numerics.roots import root
from jaxscale.plan.cost import AbstractCost, SixND
from jaxscale.solve.implicit import implicit_argmin

_GRID = 257  # coarse points in log N
_SHRINKS = 12  # times a bracket of 17 points is narrowed eightfold: past the resolution of the loss
_NEWTON = 4  # on the derivative, which resolves the minimum to eps where values only reach its square root


class Allocation(eqx.Module):
    """Compute-optimal runs; leading axes are those of the law (draws) and of the budgets.

    - `N`, `D`, `loss`: parameters, tokens, predicted loss.
    - `on_bound`: True where the optimum is an end of the allowed range, not a minimum.
    """

    N: Float[Array, "..."]
    D: Float[Array, "..."]
    loss: Float[Array, "..."]
    on_bound: Bool[Array, "..."]


class Bounds(eqx.Module):
    """Floors and ceilings: N in parameters, `ratio` = D/N in tokens per parameter."""

    N: tuple[float, float] = (1e3, 1e16)
    ratio: tuple[float, float] = (1e-2, 1e5)

    def check(self) -> Self:
        """Raises `BadInput` on an empty or non-positive range."""
        for name, (low, high) in (("N", self.N), ("ratio", self.ratio)):
            if not 0 < low < high:
                raise BadInput(
                    f"bounds: {name} must run from a positive floor up to a larger ceiling, got {low:g}..{high:g}"
                )
        return self

    def arrays(self, dtype: Any) -> Self:
        """As numbers of a program that serves all bounds."""
        return jax.tree.map(lambda x: jnp.asarray(x, dtype), self)


def allocate(
    law: Any,
    flops: Any,
    *,
    cost: AbstractCost | None = None,
    bounds: Bounds | None = None,
    group: int | str | None = None,
) -> Allocation:
    """The N, D and loss of the cheapest loss at `flops` (scalar or array) for a law, or for every law of an ensemble.

    **Arguments:**

    - `law`: an `AbstractLaw` of N and D (or of C and M = D/N), or an `Ensemble` of them (draws in front).
    - `flops`: budget in FLOP, positive.
    - `cost`: default C = 6ND.
    - `group`: which group of a joint law, by label or index.

    Differentiable with respect to the law's parameters and the budget, by the implicit function theorem.
    Raises `BadInput` on a law without size and data, a group that there is not (or none, of a joint law), a
    non-positive budget, or bounds that no run satisfies.
    """
    cost = SixND() if cost is None else cost
    single = law if isinstance(law, AbstractLaw) else law.law
    require_plannable(single)
    index = group_in(single, group)
    budget = positive(flops, "flops", "FLOP", jax.tree.leaves(single)[0].dtype)
    bounds = (Bounds() if bounds is None else bounds).check().arrays(budget.dtype)
    feasible(budget, cost, bounds)
    if isinstance(law, AbstractLaw):
        return _over_budgets(law, budget, cost, bounds, index)
    return eqx.filter_vmap(lambda one: _over_budgets(one, budget, cost, bounds, index))(single)


def group_in(law: AbstractLaw, group: int | str | None) -> int:
    """The index of a joint law's group, 0 for other laws. Raises `BadInput` on a wrong one, or where one lacks."""
    labels = getattr(law, "groups", ())
    if "group" in signature(law).inputs:
        if group is None:
            raise BadInput(
                f"group: expected one of {', '.join(labels)}, got none; name the one to ask about: `group=...`"
            )
        return int(index_of(group, labels)[0])
    if group is not None:
        raise BadInput(f"group: expected none, for the law is not a joint one, got {group!r}; leave the group out")
    return 0


def positive(value: Any, name: str, unit: str, dtype: Any) -> Array:
    """As an array. Raises `BadInput` on a value that is known and not a positive finite number."""
    array = jnp.asarray(value, dtype)
    if not isinstance(array, jax.core.Tracer) and not bool(jnp.all((array > 0) & jnp.isfinite(array))):
        raise BadInput(f"{name}: expected a positive finite number of {unit}, got {value}; write it like 1e24")
    return array


def feasible(budget: Array, cost: AbstractCost, bounds: Bounds) -> None:
    """Raises `BadInput` on a budget that is known and that no run within the bounds has."""
    if isinstance(budget, jax.core.Tracer):
        return
    for flops in np.asarray(budget, np.float64).reshape(-1):
        low, high = (float(x) for x in size_range(jnp.log(jnp.asarray(flops, budget.dtype)), cost, bounds))
        if not low < high:
            raise BadInput(
                f"bounds: no run of {flops:.3g} FLOP has N within {bounds.N[0]:g}..{bounds.N[1]:g} and D/N within "
                f"{bounds.ratio[0]:g}..{bounds.ratio[1]:g}; widen one of them or change the budget"
            )


def plannable(law: AbstractLaw) -> bool:
    """Whether a law knows size and data, so that a budget can be divided between them."""
    return set(signature(law).inputs) - {"group"} in ({"N", "D"}, {"C", "M"})


def require_plannable(law: AbstractLaw) -> None:
    """Raises `BadInput` on a law that is not, or that lacks a value of a parameter."""
    if not plannable(law):
        inputs = sorted(set(signature(law).inputs) - {"group"})
        raise BadInput(
            f"plan: {type(law).__name__} takes {inputs}; a compute-optimal allocation needs a law of N and D "
            "(such as Chinchilla) or of C and M (such as Gadre)"
        )
    require_values(law)


def log_loss_of(law: AbstractLaw, cost: AbstractCost, group: int) -> Callable[[Array, Array], Array]:
    """log L as a function of (log N, log C)."""
    names = signature(law).inputs

    def log_loss(log_N: Array, log_C: Array) -> Array:
        log_D = cost.log_tokens(log_N, log_C)
        offered = {
            "N": jnp.exp(log_N),
            "D": jnp.exp(log_D),
            "C": jnp.exp(log_C),
            "M": jnp.exp(log_D - log_N),
            "group": jnp.asarray(group, jnp.int32),
        }
        return jnp.log(law(**{name: offered[name] for name in names}))

    return log_loss


@eqx.filter_jit
def size_range(log_C: Array, cost: AbstractCost, bounds: Bounds) -> tuple[Array, Array]:
    """Allowed log N at a budget: D/N falls as N grows, so the ratio's bounds are bounds on N."""
    dtype = log_C.dtype
    low, high = (jnp.log(x) for x in bounds.N)

    def excess(log_N: Array) -> Array:
        return cost.log_tokens(log_N, log_C) - log_N

    def at_ratio(ratio: Any) -> Array:
        goal = jnp.log(ratio)
        return root(lambda n: excess(n) - goal, jnp.asarray(-50.0, dtype), jnp.asarray(120.0, dtype)).at

    return jnp.maximum(low, at_ratio(bounds.ratio[1])), jnp.minimum(high, at_ratio(bounds.ratio[0]))


@eqx.filter_jit
def _over_budgets(law: AbstractLaw, budget: Array, cost: AbstractCost, bounds: Bounds, group: int) -> Allocation:
    flat = jax.vmap(lambda c: at_budget(law, jnp.log(c), cost, bounds, group))(budget.reshape(-1))
    return jax.tree.map(lambda x: x.reshape(budget.shape), flat)


def at_budget(law: AbstractLaw, log_C: Array, cost: AbstractCost, bounds: Bounds, group: int) -> Allocation:
    """`allocate` for one law and one budget, given as its logarithm; no checks."""
    log_loss = log_loss_of(law, cost, group)
    solid_law, solid_C = jax.lax.stop_gradient((law, log_C))
    solid = log_loss_of(solid_law, cost, group)
    low, high = size_range(log_C, cost, bounds)
    grid = jax.lax.stop_gradient(low + (high - low) * jnp.linspace(0, 1, _GRID, dtype=log_C.dtype))

    def narrow(_: int, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        left, right = bracket
        points = left + (right - left) * jnp.linspace(0, 1, 17, dtype=log_C.dtype)
        best = jnp.argmin(jax.vmap(lambda n: solid(n, solid_C))(points))
        return points[jnp.maximum(best - 1, 0)], points[jnp.minimum(best + 1, 16)]

    values = jax.vmap(lambda n: solid(n, solid_C))(grid)
    index = jnp.argmin(jnp.where(jnp.isfinite(values), values, jnp.inf))
    bracket = (grid[jnp.maximum(index - 1, 0)], grid[jnp.minimum(index + 1, _GRID - 1)])
    left, right = jax.lax.fori_loop(0, _SHRINKS, narrow, bracket)
    on_bound = (index == 0) | (index == _GRID - 1)
    slope = jax.grad(lambda n: solid(n, solid_C))
    bend = jax.grad(slope)

    def newton(_: int, n: Array) -> Array:
        step = slope(n) / bend(n)
        return jnp.where(jnp.isfinite(step) & (jnp.abs(step) < 0.1), n - step, n)

    inner = jax.lax.fori_loop(0, _NEWTON, newton, 0.5 * (left + right))
    # On a bound there is no stationary point to differentiate: N moves with the bound.
    inner = implicit_argmin(lambda v: log_loss(v[0], log_C), inner[None])[0]
    log_N = jnp.where(on_bound, jnp.where(index == 0, low, high), inner)
    return Allocation(
        N=jnp.exp(log_N),
        D=jnp.exp(cost.log_tokens(log_N, log_C)),
        loss=jnp.exp(log_loss(log_N, log_C)),
        on_bound=on_bound,
    )


def summary(point: Allocation, draws: Allocation | None, levels: tuple[float, ...]) -> dict[str, Any]:
    """Point and quantiles of N, D and loss as plain numbers, for one budget."""
    found: dict[str, Any] = {"point": {name: float(getattr(point, name)) for name in ("N", "D", "loss")}}
    if draws is not None:
        found["quantiles"] = {
            name: {f"{q:g}": float(np.quantile(np.asarray(getattr(draws, name), np.float64), q)) for q in levels}
            for name in ("N", "D", "loss")
        }
    return found
