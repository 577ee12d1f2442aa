"""What a law computes at many points, and what rounding can do to it: the yardstick of every numerical comparison."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxscale.core.law import AbstractLaw

_ROWS = 1024


class Evaluated(NamedTuple):
    """Per draw, as NumPy arrays with a leading axis: the value y of a law and two gradients, of y and of log |y|.

    A gradient is a pair: a law that holds the derivatives by its parameters, and those by the floating inputs by name.
    """

    value: Any
    gradient: Any
    logarithmic: Any


def value(law: AbstractLaw, inputs: dict[str, Array]) -> Float[Array, ""]:
    """One number; of a curve, which is drawn at one step, the only one."""
    return jnp.reshape(law(**inputs), ())


def evaluated(laws: Any, inputs: dict[str, Array]) -> Evaluated:
    """What every draw gives, n of them. Draws are padded to a multiple of 1,024 by copies of the last one:

    a law then costs one compiled program per precision, whatever is asked of it and at how many points.
    """
    n = len(next(iter(inputs.values())))
    found = _evaluated(*jax.tree.map(padded, (laws, inputs)))
    return jax.tree.map(lambda leaf: np.asarray(leaf)[:n], found)


def padded(x: Any) -> np.ndarray:
    """Rows of x up to a multiple of 1,024, by copies of the last one."""
    return np.asarray(x)[np.minimum(np.arange(-(-len(x) // _ROWS) * _ROWS), len(x) - 1)]


@jax.jit
def _evaluated(laws: Any, inputs: dict[str, Array]) -> Evaluated:
    whole = {name: x for name, x in inputs.items() if not jnp.issubdtype(x.dtype, jnp.floating)}
    smooth = {name: x for name, x in inputs.items() if name not in whole}

    def one(law: Any, smooth: Any, whole: Any) -> Evaluated:
        y, pull = jax.vjp(lambda at: value(at[0], {**at[1], **whole}), (law, smooth))
        # From 1/y, as automatic differentiation of log y starts: y itself may be out of a product's range.
        return Evaluated(y, *pull(jnp.ones((), y.dtype)), *pull(1 / y))

    return jax.vmap(one)(laws, smooth, whole)


def rounding(laws: Any, inputs: dict[str, Array]) -> np.ndarray:
    r"""A bound on what rounding does to each draw's value, shape (n,).

    Every primitive of the law adds a relative error eps. On a number p that enters through its logarithm this is
    a relative error of p of eps (1 + |log p|), so the bound is
    eps x primitives x (|y| + sum over p of (1 + |log|p||) |p dy/dp|), and tiny / eps where a result
    underflows (below the smallest normal number tiny, and perhaps scaled up afterwards).
    """
    y, (law_gradient, input_gradient), _ = evaluated(laws, inputs)
    one = jax.tree.map(lambda leaf: leaf[0], (laws, inputs))
    primitives = count_primitives(jax.make_jaxpr(value)(*one))
    pairs = [
        *zip(jax.tree.leaves(laws), jax.tree.leaves(law_gradient), strict=True),
        *((inputs[name], gradient) for name, gradient in input_gradient.items()),
    ]
    total = np.abs(np.asarray(y, np.float64))
    for p, gradient in pairs:
        p, gradient = (np.asarray(a, np.float64).reshape(len(total), -1) for a in (p, gradient))
        logs = np.log(np.abs(p), where=p != 0, out=np.zeros_like(p))
        total = total + np.sum((1 + np.abs(logs)) * np.abs(p * gradient), axis=1)
    machine = jnp.finfo(y.dtype)
    return float(machine.eps) * primitives * total + float(machine.tiny / machine.eps)


def count_primitives(jaxpr: Any) -> int:
    """Primitives of a jaxpr, those of the jaxprs inside it included."""
    inner = (part for equation in jaxpr.eqns for part in jax.tree.leaves(tuple(equation.params.values())))
    return len(jaxpr.eqns) + sum(count_primitives(part) for part in inner if hasattr(part, "eqns"))
