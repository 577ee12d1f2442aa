r"""Guards on a law outside its runs: local exponents $\partial\ln L / \partial\ln x$ bounded by those inside.

A flexible law may bend upwards, or plunge, where no run holds it. Inside the runs its exponents are known; outside,
a law whose exponent in an input changes sign, or is several times as steep as anywhere inside, is not to be believed.
"""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxscale.core.errors import BadInput
from jaxscale.core.law import AbstractLaw, signature
from jaxscale.infer.fit.fit import Fit

STEEPER = 3.0  # times the steepest exponent inside: a power of N whose share of the loss triples is still allowed
_ROUNDING = 1e-4  # of an exponent: a law that has reached its floor is flat, not rising


def log_slopes(law: AbstractLaw, inputs: Mapping[str, Float[Array, " n"]]) -> dict[str, Float[Array, " n"]]:
    """d ln L / d ln x of every positive input of `law` at n points, by name."""
    scaled = [name for name, quantity in signature(law).inputs.items() if quantity.positive and name != "group"]

    def one(at: dict[str, Array]) -> dict[str, Array]:
        fixed = {name: x for name, x in at.items() if name not in scaled}
        logs = {name: jnp.log(at[name]) for name in scaled}
        return jax.grad(lambda z: jnp.log(law(**fixed, **{name: jnp.exp(x) for name, x in z.items()})))(logs)

    return jax.vmap(one)({name: inputs[name] for name in signature(law).inputs})


def unbounded(inside: Mapping[str, Any], outside: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Where slopes `outside` leave the range that those `inside` (host arrays, last axis: runs) allow, by input."""
    found = {}
    for name, slope in outside.items():
        low = STEEPER * np.minimum(np.nanmin(inside[name], axis=-1, keepdims=True), 0) - _ROUNDING
        high = STEEPER * np.maximum(np.nanmax(inside[name], axis=-1, keepdims=True), 0) + _ROUNDING
        found[name] = ~((low <= slope) & (slope <= high))  # a slope that is no number is out of bounds too
    return found


def along_compute(slopes: Mapping[str, Any]) -> Any:
    """d ln L / d ln C from a law's slopes: its own in C; or N and D grown alike, as the root of C = 6ND; else nan."""
    if "C" in slopes:
        return slopes["C"]
    return (slopes["N"] + slopes["D"]) / 2 if {"N", "D"} <= set(slopes) else np.nan


@eqx.filter_jit
def slopes_at(law: AbstractLaw, inputs: dict[str, Array]) -> dict[str, Array]:
    """`log_slopes`, compiled."""
    return log_slopes(law, inputs)


FARTHEST = 2.0  # decades beyond the runs that `outlook` does not forecast unless asked for


def refuse_far(decades: np.ndarray) -> None:
    """Refuse points too many `decades_beyond` the runs for what was learnt inside them. Raises `BadInput`."""
    if not decades.max() <= FARTHEST:
        raise BadInput(
            f"outlook: a point lies {decades.max():.1f} decades beyond the runs, and nothing inside them tells how "
            "a law errs that far; ask for nearer points, add larger runs, or have it answered all the same: "
            "`allow_far=True`"
        )


def wild_at(fit: Fit, points: Mapping[str, np.ndarray]) -> str:
    """Which of the law's exponents leaves the bounds of its runs at `points`, and where; empty where none does."""
    dtype = jax.tree.leaves(fit.law)[0].dtype
    used = np.asarray(fit.runs.weight) > 0
    given = {**fit.runs.inputs, "group": fit.runs.group}
    both = {k: np.concatenate([np.asarray(given[k]), x]) for k, x in points.items()}  # one program
    arrays = {k: jnp.asarray(x, jnp.int32 if k == "group" else dtype) for k, x in both.items()}
    slopes = {k: np.asarray(x, np.float64) for k, x in slopes_at(fit.law, arrays).items()}
    outside, known = (
        {k: x[len(used) :] for k, x in slopes.items()},
        {k: x[: len(used)][used] for k, x in slopes.items()},
    )
    for name, wild in unbounded(known, outside).items():
        if wild.any():
            i = int(np.flatnonzero(wild)[0])
            where = ", ".join(f"{k}={points[k][i]:.3g}" for k in points if k != "group")
            low, high = known[name].min(), known[name].max()
            return (
                f"its exponent in {name} is {outside[name][i]:.3g} at {where}, and {low:.3g} to {high:.3g} on the runs"
            )
    return ""
