r"""Two recipes beside each other: what one is worth in compute of the other, which is better, and from where on.

A recipe is a law, or an ensemble of them (of a joint law: `infer.member(ensemble, group)`), of the loss on the same
held-out text: losses on different texts, or of different tokenizers, do not compare. `paired` says whether draw i of
one belongs to draw i of the other; see `pairs.paired_laws`.
"""

from typing import Annotated, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxscale.core.errors import BadInput
from jaxscale.core.law import AbstractLaw
from jaxscale.core.numerics.roots import root
from jaxscale.core.ranges import checked, many
from jaxscale.plan.allocate import Bounds, feasible, log_loss_of, positive
from jaxscale.plan.cost import AbstractCost
from jaxscale.plan.invert import Path, dtype_of, over
from jaxscale.plan.recipes.pairs import each, paired_laws

_SAME = 32  # rounding units of log loss within which two losses are not told apart


def multiplier(
    recipe: Any,
    reference: Any,
    flops: Any,
    *,
    paired: bool = False,
    ratio: float | None = None,
    cost: AbstractCost | None = None,
    bounds: Bounds | None = None,
) -> Float[Array, "..."]:
    """How many times its compute `recipe` is worth: the compute at which `reference` has its loss, over `flops`.

    Above 1 where `recipe` is better. Shape (draws, budgets), without draws for two laws. Both are trained
    compute-optimally, each by its own law, or with `ratio` tokens per parameter. Infinite where `reference` reaches
    that loss with no budget up to 1e32 FLOP. Swapped, `multiplier(reference, recipe, flops)`, it is the share of
    the compute with which `recipe` reaches what `reference` does. Differentiable.

    Raises `BadInput` as `allocate` and `paired_laws` do.
    """
    recipe, reference, drawn = paired_laws(recipe, reference, paired)
    path, budget = _path(recipe, flops, cost, bounds, ratio)
    return _multiplier(recipe, reference, budget, path, drawn)


class Chance(eqx.Module):
    """Probability that a recipe's loss is the lower one, by budget or run.

    - `average`: of its mean over runs, as far as the draws tell; ties count half.
    - `one_run`: where each recipe is trained once and the runs differ by their noise as well.
    """

    average: Float[Array, "..."]
    one_run: Float[Array, "..."]


def probability_better(
    recipe: Any,
    reference: Any,
    flops: Any = None,
    *,
    N: Any = None,
    D: Any = None,
    noise: float | tuple[float, float] = 0.0,
    paired: bool = False,
    ratio: float | None = None,
    cost: AbstractCost | None = None,
    bounds: Bounds | None = None,
) -> Chance:
    """The probability that `recipe` has a lower loss than `reference` at `flops`, or in runs of the same N and D.

    **Arguments:**

    - `flops`: each recipe is trained compute-optimally by its own law, or with `ratio` tokens per parameter.
    - `N`, `D`: instead, one size and number of tokens for both; they broadcast.
    - `noise`: standard deviation of log loss from run to run (relative), of both or of each; normal and independent.

    Of n draws no probability beyond 1/n from 0 or 1 can be told. Raises `BadInput` on both or neither of budget and
    run, a negative noise, and as `allocate` and `paired_laws` do.
    """
    recipe, reference, drawn = paired_laws(recipe, reference, paired)
    spread = np.broadcast_to(np.asarray(noise, np.float64), (2,))
    if not (np.isfinite(spread) & (spread >= 0)).all():
        raise BadInput(f"noise: expected the standard deviation of log loss, got {noise}; 0.003 is 0.3 % of the loss")
    both = jnp.asarray(np.hypot(*spread), dtype_of(recipe))
    if (flops is None) == (N is None or D is None) or (N is None) != (D is None):
        raise BadInput("expected either flops, or N and D, of the runs to compare; give one of them")
    if flops is not None:
        path, budget = _path(recipe, flops, cost, bounds, ratio)
        return _better_at_budget(recipe, reference, budget, both, path, drawn)
    N, D = jnp.broadcast_arrays(*(positive(x, k, k, dtype_of(recipe)) for x, k in ((N, "N"), (D, "D"))))
    return _better_in_run(recipe, reference, N, D, both, Path.of(cost, bounds, dtype_of(recipe)), drawn)


class Crossover(eqx.Module):
    """Where the better of two recipes changes, by draw (no axis for two laws).

    - `flops`: the smallest budget at which it does; NaN where it does not.
    - `count`: how many times it does, as seen on a grid.
    - `first`: 1 where `recipe` is better at the least budget, -1 where `reference` is; 0 where they are the same
      throughout.
    """

    flops: Float[Array, "..."]
    count: Int[Array, "..."]
    first: Int[Array, "..."]

    def shares(self) -> dict[str, float]:
        """Shares of the draws, which sum to 1: `better` and `worse` throughout (the recipe), `overtakes` and
        `overtaken` once, `several` crossings, `same`.
        """
        count, first = np.atleast_1d(self.count), np.atleast_1d(self.first)
        found = {
            "better": (count == 0) & (first > 0),
            "worse": (count == 0) & (first < 0),
            "overtakes": (count == 1) & (first < 0),
            "overtaken": (count == 1) & (first > 0),
            "several": count > 1,
            "same": first == 0,
        }
        return {name: float(np.mean(x)) for name, x in found.items()}

    def quantiles(self, q: tuple[float, ...] = (0.05, 0.5, 0.95)) -> dict[str, float] | None:
        """Of the crossover budget, over the draws that cross once, in FLOP; None where none does."""
        once = np.atleast_1d(np.asarray(self.flops, np.float64))[np.atleast_1d(self.count) == 1]
        if not once.size:
            return None
        return {f"{level:g}": float(np.exp(np.quantile(np.log(once), level))) for level in q}


@checked
def crossover(
    recipe: Any,
    reference: Any,
    between: tuple[float, float],
    *,
    paired: bool = False,
    points: Annotated[int, many(2, like="33")] = 33,
    ratio: float | None = None,
    cost: AbstractCost | None = None,
    bounds: Bounds | None = None,
) -> Crossover:
    """The budget at which the better of two recipes changes, between two budgets, for every draw.

    The sign of the difference is looked up at `points` budgets, even in log C, and the first change refined to
    rounding; two changes between neighbouring points are not seen. Losses that agree to rounding have no sign.
    Differentiable in `flops`. Raises `BadInput` on an empty range, and as `allocate` and `paired_laws` do.
    """
    recipe, reference, drawn = paired_laws(recipe, reference, paired)
    if len(between) != 2 or not 0 < between[0] < between[1] or points < 2:
        raise BadInput(f"crossover: expected two rising budgets and at least two points, got {between} and {points}")
    path, ends = _path(recipe, between, cost, bounds, ratio)
    return _crossover(recipe, reference, ends, path, points, drawn)


def _path(law: AbstractLaw, flops: Any, cost: Any, bounds: Any, ratio: Any) -> tuple[Path, Array]:
    path, budget = Path.of(cost, bounds, dtype_of(law), ratio), positive(flops, "flops", "FLOP", dtype_of(law))
    if ratio is None:
        feasible(budget, path.cost, path.bounds)
    return path, budget


@eqx.filter_jit
def _multiplier(recipe: AbstractLaw, reference: AbstractLaw, budget: Array, path: Path, drawn: bool) -> Array:
    def one(recipe: AbstractLaw, reference: AbstractLaw) -> Array:
        def at(log_C: Array) -> Array:
            return jnp.exp(path.log_flops(reference, path.log_loss(recipe, log_C)) - log_C)

        return over(at, jnp.log(budget))

    return each(one, drawn)(recipe, reference)


def _lead(recipe: AbstractLaw, reference: AbstractLaw, log_C: Array, path: Path) -> Array:
    """How far the recipe's log loss lies below the other's."""
    return path.log_loss(reference, log_C) - path.log_loss(recipe, log_C)


def _chance(lead: Array, noise: Array, drawn: bool) -> Chance:
    average = 0.5 * (1 + jnp.sign(lead))
    one_run = jnp.where(noise > 0, jax.scipy.special.ndtr(lead / jnp.where(noise > 0, noise, 1)), average)
    return Chance(*(jnp.mean(x, axis=0) if drawn else x for x in (average, one_run)))


@eqx.filter_jit
def _better_at_budget(
    recipe: AbstractLaw, reference: AbstractLaw, budget: Array, noise: Array, path: Path, drawn: bool
) -> Chance:
    def one(recipe: AbstractLaw, reference: AbstractLaw) -> Array:
        return over(lambda log_C: _lead(recipe, reference, log_C, path), jnp.log(budget))

    return _chance(each(one, drawn)(recipe, reference), noise, drawn)


@eqx.filter_jit
def _better_in_run(
    recipe: AbstractLaw, reference: AbstractLaw, N: Array, D: Array, noise: Array, path: Path, drawn: bool
) -> Chance:
    def one(recipe: AbstractLaw, reference: AbstractLaw) -> Array:
        def at(log_N: Array, log_D: Array) -> Array:
            log_C = path.cost.log_flops(log_N, log_D)
            mine, other = (log_loss_of(law, path.cost, 0)(log_N, log_C) for law in (recipe, reference))
            return other - mine

        return over(at, jnp.log(N), jnp.log(D))

    return _chance(each(one, drawn)(recipe, reference), noise, drawn)


@eqx.filter_jit
def _crossover(
    recipe: AbstractLaw, reference: AbstractLaw, ends: Array, path: Path, points: int, drawn: bool
) -> Crossover:
    log_low, log_high = jnp.log(ends)
    grid = log_low + (log_high - log_low) * jnp.linspace(0, 1, points, dtype=ends.dtype)
    here = jnp.arange(points)

    def one(recipe: AbstractLaw, reference: AbstractLaw) -> Crossover:
        lead = jax.lax.stop_gradient(jax.vmap(lambda log_C: _lead(recipe, reference, log_C, path))(grid))
        sign = jnp.where(jnp.abs(lead) > _SAME * jnp.finfo(lead.dtype).eps, jnp.sign(lead), 0).astype(jnp.int32)
        last = jax.lax.cummax(jnp.where(sign != 0, here, -1))  # the last point so far that has a sign
        before = jnp.concatenate([jnp.full((1,), -1), last[:-1]])
        changes = (sign != 0) & (before >= 0) & (sign != sign[before])
        at = jnp.argmax(changes)
        found = root(lambda log_C: _lead(recipe, reference, log_C, path), grid[before[at]], grid[at])
        return Crossover(
            flops=jnp.where(changes.any(), jnp.exp(found.at), jnp.nan),
            count=changes.sum(),
            first=sign[jnp.argmax(sign != 0)],
        )

    return each(one, drawn)(recipe, reference)
