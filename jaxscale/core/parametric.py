"""Declared parameters on a pytree: one `param(...)` line gives bijection, prior, table row, label and start.

The declaration sits on the class, never in the tree: the array leaves of an `AbstractParametric` are
exactly its declared parameters, in constrained values and the paper's symbols.
"""

import dataclasses
from collections.abc import Container, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple, Self

import equinox as eqx
import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxscale.core.errors import BadInput
from jaxscale.core.priors import AbstractPrior
from jaxscale.core.quantities import Quantity, quantity_of
from jaxscale.core.supports import AbstractSupport

_KEY = "jaxscale.param"


@dataclasses.dataclass(frozen=True)
class Spec:
    """What a `param(...)` line declares about one parameter."""

    support: AbstractSupport
    prior: AbstractPrior
    init: float | tuple[float, ...]
    doc: str
    symbol: str | None = None
    linear: bool = False
    within: str | None = None
    estimated: bool = True
    quantity: Quantity = dataclasses.field(default_factory=lambda: Quantity("", ""))


class Declared(eqx.Module):
    """One declared parameter found in a tree: its dotted name, its `Spec`, its value."""

    name: str = eqx.field(static=True)
    spec: Spec = eqx.field(static=True)
    value: Any


def as_leaf(value: Any) -> Any:
    """A strong-typed floating array from numbers; anything that is not a number passes unchanged.

    A Python float as a leaf would retrace once per value, hence the conversion at construction.
    """
    if isinstance(value, (bool, str)) or value is None:
        return value
    if isinstance(value, (jax.Array, np.ndarray, np.generic)):
        array = jnp.asarray(value)
        return array if jnp.issubdtype(array.dtype, jnp.floating) else array.astype(float)
    if isinstance(value, (int, float, tuple, list)):
        return jnp.asarray(value, dtype=float)
    return value


def param(
    support: AbstractSupport,
    *,
    init: float | tuple[float, ...],
    prior: AbstractPrior,
    doc: str,
    symbol: str | None = None,
    linear: bool = False,
    within: str | None = None,
    estimated: bool = True,
) -> Any:
    r"""Declare a field of an `AbstractParametric` as a parameter.

    **Arguments:**

    - `support`: where it may live, e.g. `supports.positive`.
    - `init`: default value (constrained); a tuple makes it a vector.
    - `prior`: a record from `priors`; it also spreads the starts of a cold fit.
    - `doc`: meaning, in a few words.
    - `symbol`: LaTeX label, when the field name is not one.
    - `linear`: the law's output is affine in all `linear` parameters jointly; starts then solve for
      them by non-negative least squares.
    - `within`: name of the input in whose range this parameter lies (a break point); its starts are
      spread over the data's range instead of the prior.
    - `estimated`: False for a setting that no fit changes.
    """
    spec = Spec(support, prior, init, doc, symbol, linear, within, estimated)
    return eqx.field(converter=as_leaf, default=init, metadata={_KEY: spec})


class Change(NamedTuple):
    """What becomes of a parameter: times `factor`, plus `shift`."""

    factor: Any
    shift: Any = 0.0


class AbstractParametric(eqx.Module):
    """A pytree whose array leaves are exactly its declared parameters.

    `inlined` names the fields whose own parameters keep their names, without the field's as a prefix.
    """

    inlined: ClassVar[tuple[str, ...]] = ()

    @property
    def needs_prior(self) -> bool:
        """True where the likelihood alone has no optimum, as in a hierarchy."""
        return False

    def scaling(self, c: Float[Array, ""]) -> dict[str, Change]:
        """The parameters that change, by name, where every loss is c times as large, and how.

        How may depend on the parameters that stay, such as exponents, and on nothing else.
        """
        return {}

    def replace(self, **values: Any) -> Self:
        """A copy with some parameters set, by name (`law.replace(alpha=0.5)`). Raises `KeyError` on a wrong name."""
        return replace(self, values)


def specs(cls: type) -> dict[str, Spec]:
    """The declarations of a class by field name, with the quantity read from each annotation."""
    found = {}
    for field in dataclasses.fields(cls):
        if _KEY in field.metadata:
            found[field.name] = dataclasses.replace(field.metadata[_KEY], quantity=quantity_of(field.type))
    return found


def _walk(node: Any, prefix: str) -> Iterator[Declared]:
    if hasattr(node, "declarations"):  # a node that names its parameters itself, such as a joint law
        yield from node.declarations(prefix)
    elif isinstance(node, AbstractParametric):
        declared = specs(type(node))
        for field in dataclasses.fields(node):
            value = getattr(node, field.name)
            if field.name in declared:
                if value is not None:
                    yield Declared(prefix + field.name, declared[field.name], value)
            elif not field.metadata.get("static", False):
                inner = prefix if field.name in node.inlined else f"{prefix}{field.name}."
                yield from _walk(value, inner)
    elif isinstance(node, Mapping):
        for key in sorted(node):  # the order in which jax flattens a dict
            yield from _walk(node[key], f"{prefix}{key}.")


def declared(tree: Any) -> tuple[Declared, ...]:
    """Every declared parameter in `tree`, in the order of its leaves. Raises `TypeError` on an undeclared leaf."""
    found = tuple(_walk(tree, ""))
    if len(found) != len(jax.tree.leaves(tree)):
        raise TypeError(
            f"{type(tree).__name__}: expected every array leaf to be declared with param(...), got "
            f"{len(jax.tree.leaves(tree))} leaves and {len(found)} declarations; declare the rest or make it static"
        )
    return found


def values(tree: Any) -> dict[str, Array]:
    """Constrained values by name."""
    return {d.name: d.value for d in declared(tree)}


def replace[T](tree: T, new: Mapping[str, Any]) -> T:
    """A copy of `tree` with the named parameters replaced. Raises `KeyError` naming the parameters there are."""
    found = declared(tree)
    names = [d.name for d in found]
    unknown = sorted(set(new) - set(names))
    if unknown:
        raise KeyError(f"{type(tree).__name__} has no parameter {unknown}; its parameters are {names}")
    leaves = [as_leaf(new[d.name]) if d.name in new else d.value for d in found]
    return jax.tree.unflatten(jax.tree.structure(tree), leaves)


def hold[T](tree: T, fixed: Mapping[str, Any]) -> T:
    """`replace`, for parameters that are then held: each in its own shape, in its support or on its edge.

    Raises `BadInput` on another value, `KeyError` on a wrong name.
    """
    changed = replace(tree, fixed)
    for before, after in zip(declared(tree), declared(changed), strict=True):
        if after.name in fixed:
            check_held(after, np.shape(before.value))
    return changed


def check_held(d: Declared, shape: tuple[int, ...] | None = None) -> None:
    """Raises `BadInput` where a value that is known has not `shape`, or lies outside its support and off its edge."""
    if shape is not None and np.shape(d.value) != shape:
        raise BadInput(f"fixed: {d.name} has the shape {shape}, got one of shape {np.shape(d.value)}; give all entries")
    if isinstance(d.value, jax.core.Tracer) or bool(jnp.all(d.spec.support.closed(d.value))):
        return
    support = type(d.spec.support).__name__.lower()
    raise BadInput(
        f"fixed: {d.name} must lie inside its support ({support}) or on its edge, got {d.value}; give another value"
    )


def scaled[T: AbstractParametric](tree: T, c: Float[Array, ""], names: Container[str] | None = None) -> T:
    """`tree` for losses c times as large; of its parameters only those in `names` change."""
    known = values(tree)
    changes = {name: x for name, x in tree.scaling(c).items() if names is None or name in names}
    return replace(tree, {name: known[name] * x.factor + x.shift for name, x in changes.items()})


def _map[T](tree: T, function: Any) -> T:
    return jax.tree.unflatten(jax.tree.structure(tree), [function(d) for d in declared(tree)])


def constrain[T](tree: T) -> T:
    """From unconstrained reals to the supports, leaf by leaf."""
    return _map(tree, lambda d: d.spec.support.constrain(d.value))


def unconstrain[T](tree: T) -> T:
    """From the supports to unconstrained reals, leaf by leaf. The inverse of `constrain`."""
    return _map(tree, lambda d: d.spec.support.unconstrain(d.value))


def log_prior(tree: Any) -> Float[Array, ""]:
    """Sum of the log prior densities of all estimated parameters at their constrained values."""
    return sum(
        (jnp.sum(d.spec.prior.log_prob(d.value)) for d in declared(tree) if d.spec.estimated),
        start=jnp.zeros(()),
    )
