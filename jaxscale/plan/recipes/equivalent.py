r"""A loss as compute: what an allocation wastes, what a plan made with the wrong law costs, how flat the optimum is.

A difference of loss means little by itself: near the floor a hundredth of a nat is dear. The compute-optimal run that
reaches the same loss says what it is worth. Where $L^*(C) - E \propto C^{-\gamma}$, to first order
$\ln(C_2/C_1) \approx \Delta L / (\gamma (L - E))$; here the equation is solved.
"""

from typing import Annotated, Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core.errors import BadInput
from jaxscale.core.law import AbstractLaw
from jaxscale.core.numerics.roots import root
from jaxscale.core.ranges import Range, checked
from jaxscale.plan.allocate import Bounds, at_budget, feasible, group_in, log_loss_of, positive, size_range
from jaxscale.plan.cost import AbstractCost
from jaxscale.plan.invert import Path, dtype_of, laws_in, over
from jaxscale.plan.recipes.pairs import each, many, paired_laws


class Deadweight(eqx.Module):
    """What runs cost beyond the optimal ones of the same loss (Czech et al. 2026, arXiv 2603.22339).

    Leading axes are those of the law (draws), then those of the runs.

    - `flops`: the deadweight compute loss $C - C_{eq}$ in FLOP; `share`: of C.
    - `equivalent`: $C_{eq}$, the compute of the optimal run that reaches `loss`; infinite where none does.
    - `loss`: of the run; `regret`: its excess over the loss that C buys at best.

    Negative only where the run lies outside the bounds of the plan, or by rounding.
    """

    flops: Float[Array, "..."]
    share: Float[Array, "..."]
    equivalent: Float[Array, "..."]
    loss: Float[Array, "..."]
    regret: Float[Array, "..."]


def deadweight(
    law: Any,
    N: Any,
    D: Any,
    *,
    cost: AbstractCost | None = None,
    bounds: Bounds | None = None,
    group: int | str | None = None,
) -> Deadweight:
    """The deadweight compute loss and the loss regret of runs of N parameters and D tokens, which broadcast.

    `law`, `cost`, `bounds`, `group` as for `allocate`. Differentiable. Raises `BadInput` on a law without size and
    data, on N or D that are not positive, and on a budget that no run within the bounds has.
    """
    laws = laws_in(law)
    N, D = (positive(x, name, name, dtype_of(laws)) for x, name in ((N, "N"), (D, "D")))
    N, D = jnp.broadcast_arrays(N, D)
    path = Path.of(cost, bounds, N.dtype)
    feasible(jnp.exp(path.cost.log_flops(jnp.log(N), jnp.log(D))), path.cost, path.bounds)
    return _deadweight(laws, N, D, path, group_in(laws, group), many(law), False)


def regret(
    chosen: Any,
    truth: Any,
    flops: Any,
    *,
    paired: bool = False,
    cost: AbstractCost | None = None,
    bounds: Bounds | None = None,
) -> Deadweight:
    """What the plan for `flops` made with the law `chosen` loses where `truth` holds, beside the plan of `truth`.

    Either may be a law or an ensemble; see `paired_laws` for how draws meet. `regret(fit.law, ensemble, 1e24)` is what
    the plan may cost, given what the runs leave open. Raises `BadInput` as `allocate` does.
    """
    chosen, truth, drawn = paired_laws(chosen, truth, paired)
    budget = positive(flops, "flops", "FLOP", dtype_of(truth))
    path = Path.of(cost, bounds, budget.dtype)
    feasible(budget, path.cost, path.bounds)
    made = _planned(chosen, budget, path, drawn)
    return _deadweight(truth, *made, path, 0, drawn, drawn)


class Flat(eqx.Module):
    """Sizes that cost hardly more than the best one; leading axes as those of `Allocation`.

    `low`, `high`: N in parameters; an end of the allowed range where the loss stays within the tolerance that far.
    """

    low: Float[Array, "..."]
    high: Float[Array, "..."]


@checked
def flat_range(
    law: Any,
    flops: Any,
    tolerance: Annotated[float, Range(1e-9, 10, like="1e-3")] = 1e-3,
    *,
    cost: AbstractCost | None = None,
    bounds: Bounds | None = None,
    group: int | str | None = None,
) -> Flat:
    """The sizes about the optimum at `flops` whose loss exceeds the least by at most `tolerance`, relative.

    A law of several valleys in N is followed to a crossing on either side of the deepest, not beyond. Differentiable.
    Raises `BadInput` as `allocate` does, and on a tolerance that is not positive.
    """
    laws = laws_in(law)
    if not 0 < tolerance < float("inf"):
        raise BadInput(f"tolerance: expected a positive share of the loss, got {tolerance}; 1e-3 is 0.1 %")
    budget = positive(flops, "flops", "FLOP", dtype_of(laws))
    path = Path.of(cost, bounds, budget.dtype)
    feasible(budget, path.cost, path.bounds)
    log_excess = jnp.log1p(jnp.asarray(tolerance, budget.dtype))
    return _flat(laws, budget, log_excess, path, group_in(laws, group), many(law))


def gain_multiplier(
    law: Any,
    gain: Any,
    flops: Any,
    *,
    ratio: float | None = None,
    cost: AbstractCost | None = None,
    bounds: Bounds | None = None,
    group: int | str | None = None,
) -> Float[Array, "..."]:
    """How many times `flops` an observed gain of loss is worth: $C_{eq} / C$ with $L(C_{eq}) = L(C) - gain$.

    `gain` in the law's unit, negative for a loss that got worse; it broadcasts with `flops`. L is that of
    compute-optimal runs, or of runs with `ratio` tokens per parameter. Infinite where no budget up to 1e32 FLOP
    reaches such a loss. Differentiable. Raises `BadInput` as `allocate` does.
    """
    laws = laws_in(law)
    dtype = dtype_of(laws)
    budget = positive(flops, "flops", "FLOP", dtype)
    path = Path.of(cost, bounds, dtype, ratio)
    feasible(budget, path.cost, path.bounds)
    gain, budget = jnp.broadcast_arrays(jnp.asarray(gain, dtype), budget)
    return _gain_multiplier(laws, gain, budget, path, group_in(laws, group), many(law))


@eqx.filter_jit
def _planned(law: AbstractLaw, budget: Array, path: Path, drawn: bool) -> tuple[Array, Array]:
    def one(law: AbstractLaw) -> tuple[Array, Array]:
        best = over(lambda log_C: at_budget(law, log_C, path.cost, path.bounds, 0), jnp.log(budget))
        return best.N, best.D

    return each(one, drawn)(law)


@eqx.filter_jit
def _deadweight(law: AbstractLaw, N: Array, D: Array, path: Path, group: int, drawn: bool, own: bool) -> Deadweight:
    """`own`: every draw has runs of its own, in the leading axis of N and D."""

    def at(law: AbstractLaw, log_N: Array, log_D: Array) -> Deadweight:
        log_C = path.cost.log_flops(log_N, log_D)
        log_loss = log_loss_of(law, path.cost, group)(log_N, log_C)
        saved = path.log_flops(law, log_loss, group) - log_C
        share = -jnp.expm1(saved)
        return Deadweight(
            flops=jnp.exp(log_C) * share,
            share=share,
            equivalent=jnp.exp(log_C + saved),
            loss=jnp.exp(log_loss),
            regret=jnp.exp(log_loss) - jnp.exp(path.log_loss(law, log_C, group)),
        )

    def one(law: AbstractLaw, N: Array, D: Array) -> Deadweight:
        return over(lambda n, d: at(law, n, d), jnp.log(N), jnp.log(D))

    if own:
        return eqx.filter_vmap(one)(law, N, D)
    return each(lambda law: one(law, N, D), drawn)(law)


@eqx.filter_jit
def _flat(law: AbstractLaw, budget: Array, log_excess: Array, path: Path, group: int, drawn: bool) -> Flat:
    def at(law: AbstractLaw, log_C: Array) -> Flat:
        best = at_budget(law, log_C, path.cost, path.bounds, group)
        log_loss, log_N = log_loss_of(law, path.cost, group), jnp.log(best.N)
        ends = []
        for end in size_range(log_C, path.cost, path.bounds):
            found = root(lambda n: log_loss(n, log_C) - jnp.log(best.loss) - log_excess, log_N, end)
            ends.append(jnp.exp(jnp.where(found.f_high > 0, found.at, end)))
        return Flat(*ends)

    return each(lambda law: over(lambda log_C: at(law, log_C), jnp.log(budget)), drawn)(law)


@eqx.filter_jit
def _gain_multiplier(law: AbstractLaw, gain: Array, budget: Array, path: Path, group: int, drawn: bool) -> Array:
    def at(law: AbstractLaw, gain: Array, log_C: Array) -> Array:
        loss = jnp.exp(path.log_loss(law, log_C, group)) - gain
        return jnp.exp(path.log_flops(law, jnp.log(loss), group) - log_C)

    return each(lambda law: over(lambda g, c: at(law, g, c), gain, jnp.log(budget)), drawn)(law)
