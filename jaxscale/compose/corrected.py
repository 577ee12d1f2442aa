"""A law times its learnt correction, as one law."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import supports as s
from jaxscale.core.errors import BadInput
from jaxscale.core.law import AbstractLaw, Signature, signature
from jaxscale.core.parametric import Change, Declared, Spec, as_leaf, declared, replace, values
from jaxscale.core.scale import scales

_TOLD = Spec(s.real, p.Normal(0.0, 1.0), (), "learnt from the runs", estimated=False)


class Corrected(AbstractLaw):
    r"""$L(x) \exp(\delta(x))$: a law, and the smooth relative error that its runs show, held as it was learnt.

    $$ \delta(x) = \sum_i w_i e^{-\frac12 |(s(x) - c_i) / \ell_i|^2} - \partial_v \ln L(x) $$

    s are the `scales` of the inputs `names`, c and l the places and lengths of r kernels, w their weights; the last
    term is what the law's own parameters take up of it when they move along v (`shift`). Its size is at most `limit`.
    Parameters of the law keep their names and are those that a fit would move; the rest is no parameter of it.
    """

    law: AbstractLaw
    shift: dict[str, Array]
    places: Float[Array, "r d"]
    lengths: Float[Array, "r d"]
    weight: Float[Array, " r"]
    limit: Float[Array, ""]
    names: tuple[str, ...] = eqx.field(static=True)
    cite: ClassVar[str] = ""

    def __init__(
        self,
        law: AbstractLaw,
        names: tuple[str, ...],
        *,
        shift: Mapping[str, Any],
        places: Any,
        lengths: Any,
        weight: Any,
        limit: Any,
    ):
        """`shift`: by the law's parameter names, zero where left out. Raises `BadInput` on a wrong name."""
        known, inputs = values(law), signature(law).inputs
        if unknown := sorted(set(shift) - set(known)):
            raise BadInput(f"corrected: the law has no parameter {unknown}; it has {list(known)}")
        if not set(names) <= set(inputs) or "group" in inputs:
            raise BadInput(f"corrected: expected inputs of {list(inputs)}, of a law of one data set, got {list(names)}")
        self.law, self.names = law, tuple(names)
        self.shift = {name: as_leaf(shift.get(name, jnp.zeros_like(x))) for name, x in sorted(known.items())}
        self.places, self.lengths, self.weight, self.limit = (as_leaf(x) for x in (places, lengths, weight, limit))

    def declarations(self, prefix: str) -> Iterator[Declared]:
        """The law's first, then what was learnt: the order of the fields."""
        for d in declared(self.law):
            yield Declared(prefix + d.name, d.spec, d.value)
        for name, value in self.shift.items():
            yield Declared(f"{prefix}shift.{name}", _TOLD, value)
        for name in ("places", "lengths", "weight", "limit"):
            yield Declared(prefix + name, _TOLD, getattr(self, name))

    def scaling(self, c: Float[Array, ""]) -> dict[str, Change]:
        """As the law, whose relative errors stay; what its parameters take up grows with them."""
        own = self.law.scaling(c)
        return {**own, **{f"shift.{name}": Change(x.factor) for name, x in own.items()}}

    def correction(self, **inputs: Any) -> Float[Array, ""]:
        """The log of what this law says over what the law alone does."""
        here = scales({name: jnp.asarray(inputs[name], self.limit.dtype) for name in self.names}, self.names, jnp)
        told = jnp.sum(self.weight * jnp.exp(-0.5 * jnp.sum(((here[None] - self.places) / self.lengths) ** 2, axis=-1)))
        moved = replace(self.law, self.shift)
        taken = jax.jvp(lambda law: jnp.log(law(**inputs)), (self.law,), (moved,))[1]
        return jnp.clip(told - taken, -self.limit, self.limit)

    def __call__(self, **inputs: Any) -> Any:
        return self.law(**inputs) * jnp.exp(self.correction(**inputs))


@signature.register
def _(law: Corrected) -> Signature:
    return signature(law.law)
