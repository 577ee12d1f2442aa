"""A scalar of a fit to look at: one parameter, or a function of the law, in a coordinate that suits a walk."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxscale.core.errors import BadInput
from jaxscale.core.parametric import declared
from jaxscale.core.supports import AbstractSupport, Real, positive
from jaxscale.infer.search.problem import FitProblem
from jaxscale.solve.problem import Vector


class Functional(eqx.Module):
    """`link` takes the value to the coordinate walked in: a parameter's own support, the logarithm of what is positive.

    `cap` bounds the first step of a walk, where the runs hardly determine the value; None for no bound.
    """

    of: str | Callable[[Any], Array] = eqx.field(static=True)
    index: tuple[int, ...] = eqx.field(static=True)
    link: AbstractSupport = eqx.field(static=True)

    @property
    def name(self) -> str:
        if isinstance(self.of, str):
            return self.of + "".join(f"[{i}]" for i in self.index)
        return getattr(self.of, "__name__", "the functional")

    @property
    def cap(self) -> float | None:
        return None if isinstance(self.link, Real) else 1.0

    def raw(self, problem: FitProblem, z: Vector) -> Float[Array, ""]:
        """The value itself at coordinates z."""
        tree = problem.split.tree(z)
        if isinstance(self.of, str):
            return next(d.value for d in declared(tree) if d.name == self.of)[self.index]
        return jnp.asarray(self.of(tree.law))

    def __call__(self, problem: FitProblem, z: Vector) -> Float[Array, ""]:
        """The coordinate at z."""
        return self.link.unconstrain(self.raw(problem, z))

    def value_of(self, coordinate: float) -> float:
        """From the coordinate back to the value."""
        return float(self.link.constrain(jnp.asarray(coordinate, dtype=float)))

    def edge(self, sign: float) -> float | None:
        """The value at the lower (sign -1) or upper edge of the support; None where the support has none there."""
        end = self.value_of(sign * np.inf)
        return end if np.isfinite(end) else None


def functional(problem: FitProblem, of: str | Callable[[Any], Array]) -> Functional:
    """Raises `BadInput` on a name that is not a free parameter, or a function that gives no finite scalar."""
    if isinstance(of, str):
        for d in declared(problem.template):
            if d.name not in problem.split.free:
                continue
            for index in np.ndindex(d.value.shape):
                if of == d.name + "".join(f"[{i}]" for i in index):
                    return Functional(d.name, index, positive if d.spec.support.vector else d.spec.support)
        raise BadInput(f"profile: expected a free parameter, one of {list(problem.split.names())}, got {of!r}")
    value = np.asarray(of(problem.template.law))
    if value.shape != () or not np.isfinite(value):
        raise BadInput(
            f"profile: expected a function of the law that gives one finite number, got {value} of shape {value.shape}"
        )
    return Functional(of, (), positive if value > 0 else Real())
