"""The one way to evaluate a law: at runs or at points, one law or many."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxscale.core.errors import BadInput
from jaxscale.core.groups import index_of
from jaxscale.core.law import AbstractLaw, require_values, signature
from jaxscale.core.runs import Runs

MOST = 2**25  # numbers of an answer that are held at once
_BETWEEN = 32  # times as many numbers a law may hold on the way there


def arguments(law: AbstractLaw, inputs: Mapping[str, Any], group: Any) -> dict[str, Any]:
    """The inputs that `law` names, `group` among them where it asks. Raises `KeyError` on a missing one."""
    names = signature(law).inputs
    offered = {**inputs, "group": group}
    missing = [name for name in names if name not in offered]
    if missing:
        raise KeyError(f"{type(law).__name__} needs the inputs {list(names)}; {missing} missing from {list(inputs)}")
    return {name: offered[name] for name in names}


def predict(law: AbstractLaw, runs: Runs) -> Float[Array, "n ..."]:
    """The law's prediction for every run, in the shape of the target: of runs that are flattened, one per row."""
    found = jax.vmap(lambda kwargs: law(**kwargs))(arguments(law, runs.inputs, runs.group[:: runs.each]))
    return found.reshape(runs.target.shape)


@eqx.filter_jit
def predicted(law: AbstractLaw, runs: Runs) -> Float[Array, " n"]:
    """`predict`, compiled."""
    return predict(law, runs)


def at_points(law: AbstractLaw, inputs: Mapping[str, Any]) -> np.ndarray:
    """One law at points that broadcast, on the host; inputs that it does not take are left aside.

    Raises `BadInput` on a law without a value of a parameter.
    """
    require_values(law)
    stacked = jax.tree.map(lambda x: jnp.asarray(x)[None], law)
    return np.asarray(at_many(stacked, {name: inputs[name] for name in signature(law).inputs})[0], np.float64)


def flat_points(law: AbstractLaw, inputs: Mapping[str, Any]) -> tuple[dict[str, Array], tuple[int, ...]]:
    """The inputs broadcast to points of one leading axis, and the shape of these before."""
    dtype, wanted = jax.tree.leaves(law)[0].dtype, signature(law).inputs
    arrays = {
        k: jnp.asarray(v, None if jnp.issubdtype(jnp.asarray(v).dtype, jnp.integer) and k == "group" else dtype)
        for k, v in inputs.items()
    }
    outer = {k: a.ndim - (len(wanted[k].axes) if k in wanted else 0) for k, a in arrays.items()}
    shape = jnp.broadcast_shapes(*(a.shape[: outer[k]] for k, a in arrays.items()))
    flat = {}
    for k, a in arrays.items():
        own = a.shape[outer[k] :]
        flat[k] = jnp.broadcast_to(a, (*shape, *own)).reshape(-1, *own)
    return flat, shape


@eqx.filter_jit
def at_many(law: AbstractLaw, inputs: Mapping[str, Any]) -> Float[Array, "draw *points"]:
    """Laws stacked along a leading axis, each at points that broadcast; axes of a quantity come last."""
    flat, shape = flat_points(law, inputs)

    def one(single: AbstractLaw) -> Array:
        return jax.vmap(lambda kwargs: single(**kwargs))(flat)

    many = jax.eval_shape(jax.vmap(one), law)
    draws, _, *axes = many.shape
    # Curves a few draws at a time: what lies between inputs and output is many times as large.
    at_once = max(1, MOST // _BETWEEN * draws // many.size) if axes else draws
    found = jax.vmap(one)(law) if at_once >= draws else jax.lax.map(one, law, batch_size=at_once)
    return found.reshape(-1, *shape, *axes)


def points_of(law: AbstractLaw, inputs: Mapping[str, Any], groups: Sequence[str]) -> dict[str, np.ndarray]:
    """The law's inputs, checked and broadcast to (m, *axes); `groups`, by index or label, as indices.

    Raises `BadInput`.
    """
    wanted = signature(law).inputs
    missing = [name for name in wanted if name not in inputs]
    if missing:
        raise BadInput(
            f"forecast: {type(law).__name__} needs {list(wanted)}, got {list(inputs)}; give {missing} as well"
        )
    found = {}
    for name, quantity in wanted.items():
        if name == "group":
            found[name] = index_of(inputs[name], groups or getattr(law, "groups", ()))
            continue
        value, own = np.asarray(inputs[name], np.float64), len(quantity.axes)
        if value.ndim < own:
            raise BadInput(
                f"forecast: expected {name} with the axes {', '.join(quantity.axes)}, got the shape {value.shape}; "
                "give an array with all of them"
            )
        value = value[None] if value.ndim == own else value
        bad = ~np.isfinite(value) | quantity.refuses(value)
        if bad.any():
            from_zero = quantity.nothing or not quantity.positive
            kind = "finite" if quantity.signed else "non-negative finite" if from_zero else "positive finite"
            raise BadInput(
                f"forecast: {name} must be a {kind} number of {quantity.unit or 'units'}, "
                f"got {value[bad][0]:g}; check the unit"
            )
        found[name] = value
    outer = {name: x.shape[: x.ndim - len(wanted[name].axes)] for name, x in found.items()}
    shape = np.broadcast_shapes(*outer.values())
    return {name: np.broadcast_to(x, (*shape, *x.shape[len(outer[name]) :])) for name, x in found.items()}
