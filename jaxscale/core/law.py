"""What a law is: a parametric pytree that maps the inputs of one run to its prediction: a number, a curve, a vector."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any, ClassVar

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxscale.core.errors import BadInput
from jaxscale.core.parametric import AbstractParametric, Change, as_leaf, declared, specs
from jaxscale.core.quantities import Quantity, Range, quantity_of
from jaxscale.core.shown import shown


@dataclass(frozen=True)
class Case:
    """A published value: the law at `inputs` (of a published parameter set, or the default) gives `value`.

    Inputs with axes are nested tuples; a curve has one step.
    """

    inputs: Mapping[str, Any]
    value: float
    rtol: float
    source: str
    published: str | None = None


@dataclass(frozen=True)
class Published:
    """A named, sourced parameter set. `note` says what a reader must know before using it.

    `values` holds what the source gives, and nothing else: a parameter without a published value is left out.
    """

    values: Mapping[str, float | tuple[float, ...]]
    source: str
    note: str = ""


class AbstractLaw(AbstractParametric):
    """A scaling law: fields are the parameters, `__call__` gives one run's prediction.

    A law is final: it never inherits from another law, and a variant is another file or a wrapper.
    `domain` gives, by input, the range for which the law is stated where that is less than the quantity's;
    `reproduced_on` the public data sets on which tests/reproductions fits it, by name.
    """

    __call__: ClassVar[Callable[..., Any]]
    cite: ClassVar[str] = ""
    cases: ClassVar[tuple[Case, ...]] = ()
    published: ClassVar[Mapping[str, Published]] = {}
    domain: ClassVar[Mapping[str, Range]] = {}
    reproduced_on: ClassVar[tuple[str, ...]] = ()

    def scaling(self, c: Float[Array, ""]) -> dict[str, Change]:
        """Linear parameters and those in the unit of the output are c times as large. A law with others says so.

        A law whose priors hold in the stated unit, whatever the runs, returns nothing.
        """
        output = signature(self).output
        grown = [d for d in declared(self) if d.spec.linear or d.spec.quantity == output]
        return {d.name: Change(c) for d in grown if d.spec.support.open}

    def __repr__(self) -> str:
        parts = []
        for d in declared(self):
            unit = f" {d.spec.quantity.unit}" if d.spec.quantity.unit else ""
            value = f"{float(d.value):.6g}" if getattr(d.value, "shape", None) == () and _known(d.value) else d.value
            parts.append(f"{shown(d.name)}={value}{unit}")
        return f"{type(self).__name__}({', '.join(parts)})"


def _known(value: Any) -> bool:
    return isinstance(value, jax.Array) and not isinstance(value, jax.core.Tracer)


@dataclass(frozen=True)
class Signature:
    """Names and quantities of a law's inputs, and the quantity of its output."""

    inputs: Mapping[str, Quantity] = field(default_factory=dict)
    output: Quantity = field(default_factory=lambda: Quantity("", ""))


@singledispatch
def signature(law: AbstractLaw) -> Signature:
    """Inputs and output of `law`, read from the annotations of its `__call__`."""
    return class_signature(type(law))


def class_signature(cls: type[AbstractLaw]) -> Signature:
    """As `signature`, for a law class."""
    call = inspect.signature(cls.__call__)
    inputs = {name: quantity_of(p.annotation) for name, p in call.parameters.items() if name != "self"}
    return Signature(inputs, quantity_of(call.return_annotation))


def axis_lengths(law: AbstractLaw) -> dict[str, int]:
    """How long the axes are that parameters of `law` have: of domains, as many as it has coefficients."""
    found = {}
    for d in declared(law):
        axes = d.spec.quantity.axes
        found |= dict(zip(axes, np.shape(d.value)[-len(axes) :] if axes else (), strict=True))
    return found


def from_published[L: AbstractLaw](cls: type[L], name: str, **given: float | tuple[float, ...]) -> L:
    """The law with a published parameter set; `given` adds values that the set leaves out, or changes some.

    What neither gives is NaN, and so is all that depends on it: a law predicts nothing from a number that nobody
    stated. Raises `KeyError` naming the sets, or the parameters, there are.
    """
    if name not in cls.published:
        raise KeyError(f"{cls.__name__} has no published set {name!r}; it has {sorted(cls.published)}")
    known = specs(cls)
    if unknown := sorted(set(given) - set(known)):
        raise KeyError(f"{cls.__name__} has no parameter {unknown}; its parameters are {list(known)}")
    values = {**cls.published[name].values, **given}
    build: Callable[..., L] = cls
    return build(
        **{field: values.get(field, jnp.full_like(as_leaf(spec.init), jnp.nan)) for field, spec in known.items()}
    )


def without_value(law: AbstractLaw) -> tuple[str, ...]:
    """Names of the parameters of which `law` has no value (NaN); none of a traced law."""
    known = [d for d in declared(law) if _known(d.value) and d.value.size]
    return tuple(d.name for d in known if bool(jnp.all(jnp.isnan(d.value))))


def require_values(law: AbstractLaw) -> None:
    """Raises `BadInput` where a parameter of `law` has no value, as of a published set that does not give it."""
    if missing := without_value(law):
        raise BadInput(
            f"{type(law).__name__} has no value of {', '.join(missing)}, so it predicts nothing; give one, as in "
            f"from_published({type(law).__name__}, ..., {missing[0]}=...), or fit the law"
        )
