"""Different laws that share symbols, as one law."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.compose.pooled import at_group
from jaxscale.core.errors import BadInput
from jaxscale.core.groups import index_of
from jaxscale.core.law import AbstractLaw, Signature, signature
from jaxscale.core.parametric import Change, Declared, declared, values
from jaxscale.core.quantities import GROUP


class Tied(AbstractLaw):
    """Different laws for different groups, with the parameters in `tie` common to all.

    Names are prefixed by the group (`c4.E`), tied ones are not (`alpha`). A tied parameter starts from the
    first law's value. Every law sees those of the inputs that it names.
    """

    laws: dict[str, AbstractLaw]
    shared: dict[str, Array]
    tie: tuple[str, ...] = eqx.field(static=True)
    groups: tuple[str, ...] = eqx.field(static=True)
    cite: ClassVar[str] = ""

    def __init__(self, laws: Mapping[str, AbstractLaw], tie: Iterable[str]):
        """`laws` by group label, in the order of `Runs.group`. Raises `BadInput` where a law lacks a tied parameter."""
        self.tie, self.groups = tuple(tie), tuple(laws)
        for label, law in laws.items():
            missing = [name for name in self.tie if name not in values(law)]
            if missing:
                raise BadInput(f"tie: the law of {label!r} has no parameter {missing}; it has {list(values(law))}")
        first = values(laws[self.groups[0]])
        self.shared = {name: first[name] for name in self.tie}
        self.laws = {label: _without(law, self.tie) for label, law in laws.items()}

    def declarations(self, prefix: str) -> Iterator[Declared]:
        """Laws first, then the shared values: the order of the fields."""
        for label in sorted(self.laws):
            for d in declared(self.laws[label]):
                yield Declared(f"{prefix}{label}.{d.name}", d.spec, d.value)
        specs = {d.name: d.spec for d in declared(type(self.laws[self.groups[0]])())}
        for name in sorted(self.shared):
            yield Declared(prefix + name, specs[name], self.shared[name])

    def scaling(self, c: Float[Array, ""]) -> dict[str, Change]:
        """Each law its own way, and what they share as the first."""
        found = {}
        for label in reversed(self.groups):
            for name, change in self.member(label).scaling(c).items():
                found[name if name in self.tie else f"{label}.{name}"] = change
        return found

    def member(self, group: Any) -> AbstractLaw:
        """The law of one group, by label or index, with the shared values in place; `BadInput` on a wrong one."""
        law = self.laws[self.groups[int(index_of(group, self.groups)[0])]]
        return eqx.tree_at(
            lambda x: [getattr(x, name) for name in self.tie],
            law,
            [self.shared[name] for name in self.tie],
            is_leaf=lambda x: x is None,
        )

    def __call__(self, group: Any, **inputs: Any) -> Any:
        outputs = []
        for label in self.groups:
            law = self.member(label)
            outputs.append(law(**{name: inputs[name] for name in signature(law).inputs}))
        return at_group(jnp.stack(outputs), group)


@signature.register
def _(law: Tied) -> Signature:
    members = [signature(law.member(label)) for label in law.groups]
    inputs = {name: quantity for member in members for name, quantity in member.inputs.items()}
    return Signature({**inputs, "group": GROUP}, members[0].output)


def _without(law: AbstractLaw, names: Iterable[str]) -> AbstractLaw:
    held = [getattr(law, name) for name in names]
    return eqx.tree_at(lambda x: [getattr(x, name) for name in names], law, [None] * len(held))
