"""Several laws as one: the weighted mean of their predictions."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import supports as s
from jaxscale.core.errors import BadInput
from jaxscale.core.law import AbstractLaw, Signature, signature
from jaxscale.core.parametric import Declared, Spec, as_leaf, declared

_WEIGHT = Spec(s.simplex, p.Uniform(0.0, 1.0), (), "share of each law", estimated=False)


class Averaged(AbstractLaw):
    """Laws by label, and a weight of each, in the order of the labels.

    In an ensemble every draw puts all its weight on one law, so that the ensemble is the mixture of theirs. Each law
    sees those of the inputs that it names. Parameters carry the label as a prefix (`Chinchilla.alpha`).
    """

    laws: dict[str, AbstractLaw]
    weight: Float[Array, " K"]
    cite: ClassVar[str] = ""

    def __init__(self, laws: Mapping[str, AbstractLaw], weight: Any):
        """`weight` sums to one, in sorted order of the labels. Raises `BadInput` on laws of different outputs."""
        outputs = {label: signature(law).output.unit for label, law in laws.items()}
        if len(set(outputs.values())) > 1:
            raise BadInput(f"average: expected laws of one output, got {outputs}; average laws of the same quantity")
        self.laws = {label: laws[label] for label in sorted(laws)}
        self.weight = as_leaf(weight)

    def declarations(self, prefix: str) -> Iterator[Declared]:
        for label, law in self.laws.items():
            for d in declared(law):
                yield Declared(f"{prefix}{label}.{d.name}", d.spec, d.value)
        yield Declared(f"{prefix}weight", _WEIGHT, self.weight)

    def __call__(self, **inputs: Any) -> Any:
        outputs = [law(**{name: inputs[name] for name in signature(law).inputs}) for law in self.laws.values()]
        # A law of no weight may be anything, overflown too.
        return jnp.sum(jnp.where(self.weight > 0, self.weight * jnp.stack(outputs), 0))


@signature.register
def _(law: Averaged) -> Signature:
    members = [signature(member) for member in law.laws.values()]
    inputs = {name: quantity for member in members for name, quantity in member.inputs.items()}
    return Signature(inputs, members[0].output)
