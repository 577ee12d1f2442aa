"""Where laws are checked: parameters over the whole prior, inputs all over the domain of the law.

Points come from an additive recurrence (Roberts 2018: multiples of powers of the generalised golden ratio),
which needs no random key and covers every coordinate evenly.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxscale.core import quantities as q
from jaxscale.core import schedule
from jaxscale.core.law import AbstractLaw, axis_lengths, class_signature
from jaxscale.core.parametric import Declared, declared, replace
from jaxscale.core.quantities import Quantity, Range

_ZERO = 1 / 8  # the share of zeros of an input that may be nothing


def law_and_inputs[L: AbstractLaw](law_class: type[L], n: int) -> tuple[L, dict[str, Array]]:
    """A law with a leading axis of n prior draws and n inputs to go with them, in jax's current float.

    A curve is drawn at one step. Raises `ValueError` where the prior of a vector parameter cannot be drawn inside its
    support.
    """
    law, inputs = _drawn(law_class, n, jax.dtypes.canonicalize_dtype(float))
    return law, dict(inputs)


@functools.lru_cache(maxsize=2)  # the checks of one law follow each other and ask for the same draws
def _drawn(law_class: type[AbstractLaw], n: int, dtype: Any) -> tuple[Any, dict[str, Array]]:
    default = law_class()
    estimated = [d for d in declared(default) if d.spec.estimated]
    sizes = [d.value.size for d in estimated]
    wanted = class_signature(law_class).inputs
    u = points(n, sum(sizes) + coordinates(default))
    columns = np.split(u, np.cumsum(sizes), axis=1)
    drawn = {d.name: _draw(d, c.reshape(n, *d.value.shape)) for d, c in zip(estimated, columns[:-1], strict=True)}
    laws = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (n, *leaf.shape)), default)
    inputs = inputs_at(default, columns[-1], {name: quantity.widest for name, quantity in wanted.items()})
    whole = {name for name in wanted if "float32" not in get_args(law_class.__call__.__annotations__[name])[0].dtypes}
    inputs = {name: np.zeros_like(x) if name in whole else x for name, x in inputs.items()}
    return replace(laws, drawn), {
        name: jnp.asarray(x, jnp.int32 if name in whole else dtype) for name, x in inputs.items()
    }


def points(n: int, dimension: int) -> np.ndarray:
    """n points inside the open unit cube, at least 1/2(n+1) from its faces."""
    ratio = 2.0
    for _ in range(64):  # converges to the root of x^(dimension + 1) = x + 1
        ratio = (1 + ratio) ** (1 / (dimension + 1))
    steps = ratio ** -np.arange(1, dimension + 1)
    u = (0.5 + np.arange(1, n + 1)[:, None] * steps) % 1
    return (n * u + 0.5) / (n + 1)


def _draw(d: Declared, u: np.ndarray) -> Float[Array, "n ..."]:
    draws = d.spec.prior.quantile(jnp.asarray(u, d.value.dtype))
    if not d.spec.support.vector:
        return draws
    # A vector prior is stated entry by entry; on ordered vectors and simplices the draw is completed.
    for candidate in (draws, jnp.sort(draws, axis=-1), draws / jnp.sum(draws, axis=-1, keepdims=True)):
        if bool(jnp.all(d.spec.support.contains(candidate))):
            return candidate
    raise ValueError(
        f"expected the prior of {d.name} to draw inside {type(d.spec.support).__name__}, got draws outside it; "
        "give a prior whose sorted or normalised draws lie in the support"
    )


def coordinates(law: AbstractLaw) -> int:
    """How many numbers of the unit cube make one run's inputs."""
    return sum(_coordinates(quantity, axis_lengths(law)) for quantity in class_signature(type(law)).inputs.values())


def inputs_at(
    law: AbstractLaw, u: Float[np.ndarray, "n c"], ranges: Mapping[str, Range]
) -> dict[str, Float[np.ndarray, "n ..."]]:
    """Inputs of n runs from points of the unit cube: in the law's `domain`, or else in `ranges`.

    An axis is as long as that of the law's own parameters, or else one: a curve has one step.
    """
    found, lengths, start = {}, axis_lengths(law), 0
    for name, quantity in class_signature(type(law)).inputs.items():
        count, within = _coordinates(quantity, lengths), law.domain.get(name, ranges[name])
        own = u[:, start : start + count]
        start += count
        if quantity in _SHAPED:
            found[name] = _SHAPED[quantity](own, within)
        else:
            found[name] = spread(quantity, within, own).reshape(len(u), *[lengths.get(a, 1) for a in quantity.axes])
    return found


def _coordinates(quantity: Quantity, lengths: Mapping[str, int]) -> int:
    return _OWN.get(quantity) or math.prod(lengths.get(axis, 1) for axis in quantity.axes)


def _mixture(u: np.ndarray, within: Range) -> np.ndarray:
    """Even over the simplex: exponential numbers over their sum."""
    parts = -np.log(u)
    return parts / parts.sum(axis=1, keepdims=True)


def _schedule(u: np.ndarray, within: Range) -> np.ndarray:
    """Warm-up, a constant rate, and a fall of one of three kinds; the peak lies `within`."""
    total = 10 ** (3.5 + 1.5 * u[:, 0])
    peak, end = spread(q.LEARNING_RATE, within, u[:, 1]), 0.02 + 0.48 * u[:, 2]
    falls = 0.1 + 0.8 * u[:, 3]
    kind = (schedule.LINEAR, schedule.COSINE, schedule.EXPONENTIAL)
    return schedule.schedules(
        [
            (
                schedule.warmup(round(t / 20), top),
                schedule.constant(round((1 - f) * t), top),
                (round(f * t), top, e * top, kind[int(3 * k)]),
            )
            for t, top, e, f, k in zip(total, peak, end, falls, u[:, 4], strict=True)
        ]
    )


# Quantities that are no numbers side by side, and how many coordinates one has where that is not its size.
_SHAPED: dict[Quantity, Callable[[np.ndarray, Range], np.ndarray]] = {q.MIXTURE: _mixture, q.SCHEDULE: _schedule}
_OWN = {q.SCHEDULE: 5}


def spread(quantity: Quantity, within: Range, u: np.ndarray) -> np.ndarray:
    """Numbers in `within` from u in (0, 1): even in the logarithm where the quantity is positive.

    Of a quantity that may be nothing an eighth of them is zero.
    """
    if quantity.nothing:
        rest = spread(dataclasses.replace(quantity, nothing=False), within, np.maximum(u - _ZERO, 0) / (1 - _ZERO))
        return np.where(u < _ZERO, 0.0, rest)
    low, high = within
    if quantity.positive:
        return np.exp(np.log(low) + (np.log(high) - np.log(low)) * u)
    return low + (high - low) * u
