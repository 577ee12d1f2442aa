"""Where laws are checked: parameters over the whole prior, inputs all over the domain of the law.

Points come from an additive recurrence (Roberts 2018: multiples of powers of the generalised golden ratio),
which needs no random key and covers every coordinate evenly.
"""

import dataclasses
import functools
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxscale.core.law import AbstractLaw, class_signature
from jaxscale.core.parametric import Declared, declared, replace
from jaxscale.core.quantities import Quantity, Range

_ZERO = 1 / 8  # the share of zeros of an input that may be nothing


def law_and_inputs[L: AbstractLaw](law_class: type[L], n: int) -> tuple[L, dict[str, Array]]:
    """A law with a leading axis of n prior draws and n inputs to go with them, in jax's current float.

    Raises `ValueError` where the prior of a vector parameter cannot be drawn inside its support, and
    `NotImplementedError` on an input that is not a scalar.
    """
    law, inputs = _drawn(law_class, n, jax.dtypes.canonicalize_dtype(float))
    return law, dict(inputs)


@functools.lru_cache(maxsize=2)  # the checks of one law follow each other and ask for the same draws
def _drawn(law_class: type[AbstractLaw], n: int, dtype: Any) -> tuple[Any, dict[str, Array]]:
    default = law_class()
    estimated = [d for d in declared(default) if d.spec.estimated]
    sizes = [d.value.size for d in estimated]
    u = points(n, sum(sizes) + len(class_signature(law_class).inputs))
    columns = np.split(u, np.cumsum(sizes), axis=1)
    drawn = {d.name: _draw(d, c.reshape(n, *d.value.shape)) for d, c in zip(estimated, columns[:-1], strict=True)}
    laws = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (n, *leaf.shape)), default)
    return replace(laws, drawn), _inputs(law_class, columns[-1], dtype)


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


def _inputs(law_class: type[AbstractLaw], u: np.ndarray, dtype: Any) -> dict[str, Array]:
    inputs = {}
    for column, (name, quantity) in enumerate(class_signature(law_class).inputs.items()):
        kind: Any = get_args(law_class.__call__.__annotations__[name])[0]
        if kind.dim_str:
            raise NotImplementedError(
                f"expected scalar inputs, got {name} of shape [{kind.dim_str}]; draws of vector inputs are not written"
            )
        if "float32" not in kind.dtypes:
            inputs[name] = jnp.zeros(len(u), jnp.int32)
        else:
            inputs[name] = jnp.asarray(
                spread(quantity, law_class.domain.get(name, quantity.widest), u[:, column]), dtype
            )
    return inputs


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
