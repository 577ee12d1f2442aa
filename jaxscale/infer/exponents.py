r"""Guards on a law outside its runs: local exponents $\partial\ln L / \partial\ln x$ bounded by those inside.

A flexible law may bend upwards, or plunge, where no run holds it. Inside the runs its exponents are known; outside,
a law whose exponent in an input changes sign, or is several times as steep as anywhere inside, is not to be believed.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxscale.core import quantities as q
from jaxscale.core.law import AbstractLaw, signature
from jaxscale.core.runs import Runs, predict

STEEPER = 3.0  # times the steepest exponent inside: a power of N whose share of the loss triples is still allowed
_GROWING = ("N", "D", "C", "S", "m")  # parameters, tokens, compute, steps, examples
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


def vanishes(law: AbstractLaw, runs: Runs) -> bool:
    """Whether a cross-entropy falls to nothing as its runs grow without bound, all else as in `runs`.

    Text has an entropy, so such a law describes a range and promises too much beyond it. An error may vanish.
    """
    if signature(law).output not in (q.NATS, q.BITS_PER_CHARACTER):
        return False
    return bool((limit(law, runs) == 0).all())


def limit(law: AbstractLaw, runs: Runs) -> np.ndarray:
    """What `law` predicts for each run as its size, data, steps and compute grow without bound, shape (n,)."""
    grown = {name: jnp.full_like(x, jnp.inf) for name, x in runs.inputs.items() if name in _GROWING}
    endless = dataclasses.replace(runs, inputs={**runs.inputs, **grown})
    return np.asarray(_predicted(law, endless), np.float64)


@eqx.filter_jit
def _predicted(law: AbstractLaw, runs: Runs) -> Array:
    return predict(law, runs)


@eqx.filter_jit
def slopes_at(law: AbstractLaw, inputs: dict[str, Array]) -> dict[str, Array]:
    """`log_slopes`, compiled."""
    return log_slopes(law, inputs)
