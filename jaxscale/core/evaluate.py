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


def arguments(law: AbstractLaw, inputs: Mapping[str, Any], group: Any) -> dict[str, Any]:
    """The inputs that `law` names, `group` among them where it asks. Raises `KeyError` on a missing one."""
    names = signature(law).inputs
    offered = {**inputs, "group": group}
    missing = [name for name in names if name not in offered]
    if missing:
        raise KeyError(f"{type(law).__name__} needs the inputs {list(names)}; {missing} missing from {list(inputs)}")
    return {name: offered[name] for name in names}


def predict(law: AbstractLaw, runs: Runs) -> Float[Array, " n"]:
    """The law's prediction for every run."""
    return jax.vmap(lambda kwargs: law(**kwargs))(arguments(law, runs.inputs, runs.group))


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


@eqx.filter_jit
def at_many(law: AbstractLaw, inputs: Mapping[str, Any]) -> Float[Array, "draw *points"]:
    """Laws stacked along a leading axis, each at points that broadcast."""
    dtype = jax.tree.leaves(law)[0].dtype
    arrays = {
        k: jnp.asarray(v, None if jnp.issubdtype(jnp.asarray(v).dtype, jnp.integer) and k == "group" else dtype)
        for k, v in inputs.items()
    }
    shape = jnp.broadcast_shapes(*(a.shape for a in arrays.values()))
    flat = {k: jnp.broadcast_to(a, shape).reshape(-1) for k, a in arrays.items()}

    def one(single: AbstractLaw) -> Array:
        return jax.vmap(lambda kwargs: single(**kwargs))(flat)

    return jax.vmap(one)(law).reshape(-1, *shape)


def points_of(law: AbstractLaw, inputs: Mapping[str, Any], groups: Sequence[str]) -> dict[str, np.ndarray]:
    """`points_for` of a law that need not be fitted, on data of these `groups`."""
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
        value = np.atleast_1d(np.asarray(inputs[name], np.float64))
        bad = ~np.isfinite(value) | quantity.refuses(value)
        if bad.any():
            from_zero = quantity.nothing or not quantity.positive
            kind = "finite" if quantity.signed else "non-negative finite" if from_zero else "positive finite"
            raise BadInput(
                f"forecast: {name} must be a {kind} number of {quantity.unit or 'units'}, "
                f"got {value[bad][0]:g}; check the unit"
            )
        found[name] = value
    return dict(zip(found, np.broadcast_arrays(*found.values()), strict=True))
