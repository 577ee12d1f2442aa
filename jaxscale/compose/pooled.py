"""One law for several groups. A joint law is a law, so nothing above this floor knows about joint fits."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar

import equinox as eqx
import jax
import jax.core
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxscale.core import priors as p
from jaxscale.core import supports as s
from jaxscale.core.errors import BadInput
from jaxscale.core.groups import index_of
from jaxscale.core.law import AbstractLaw, Signature, signature
from jaxscale.core.parametric import Change, Declared, Spec, declared, replace, values
from jaxscale.core.quantities import GROUP, PURE
from jaxscale.core.ranges import Range

SPREAD = Range(1e-6, 1e6, like="0.3")  # a third on a log scale


class Pooled(AbstractLaw):
    r"""One law for several groups; each parameter is shared, separate or partially pooled.

    - shared (the default): one value for all groups.
    - separate (`split`): a value per group, each with the parameter's own prior; the parameter gains a leading
      axis of length `len(groups)`, in the order of `Runs.group`.
    - partial (`partial`): the groups' values scatter around a common one, by an amount that is estimated too.
      With u the unconstrained value (the logarithm of a positive parameter), group g has
      $u_g = u + \sigma o_g$, where u keeps the parameter's name and prior, $\sigma$ is `spread.<name>` with a
      half-normal prior, and $o_g$ are `offset.<name>` with standard normal priors (the non-centred form).

    A partial parameter needs these priors: the likelihood alone determines neither the spread, which trades
    against the offsets, nor the mean. Use `sample`; the posterior mode (`fit(..., prior=True)`) gives usable
    values of the groups but overstates the spread, as small offsets are the likeliest whatever the spread.
    """

    law: AbstractLaw
    split: tuple[str, ...] = eqx.field(static=True)
    groups: tuple[str, ...] = eqx.field(static=True)
    spread: dict[str, Array] = eqx.field(default_factory=dict)
    offset: dict[str, Array] = eqx.field(default_factory=dict)
    partial: tuple[str, ...] = eqx.field(static=True, default=())
    scale: tuple[float, ...] = eqx.field(static=True, default=())
    cite: ClassVar[str] = ""

    def __init__(
        self,
        law: AbstractLaw,
        split: Iterable[str] = (),
        groups: Iterable[str] = (),
        partial: Iterable[str] = (),
        spread: Annotated[float, SPREAD] | Mapping[str, float] = 0.3,
    ):
        """`groups`: the labels, e.g. `study.groups`.

        `spread`: scale of the half-normal priors of the spreads, where these start too; in logarithms for
        positive parameters (0.3: groups a third apart), else in the parameter's unit; a mapping gives one per
        partial parameter. A vector parameter has one spread per entry.

        Raises `BadInput` on an unknown parameter, one at two levels, a spread that is not positive, or a
        single group.
        """
        self.split, self.groups, self.partial = tuple(split), tuple(groups), tuple(partial)
        known = {d.name: d for d in declared(law)}
        for level, names in (("split", self.split), ("partial", self.partial)):
            if unknown := [name for name in names if name not in known]:
                raise BadInput(f"{level}: {type(law).__name__} has no parameter {unknown}; it has {list(known)}")
        if both := [name for name in self.split if name in self.partial]:
            raise BadInput(f"split and partial: expected every parameter in one of them, got {both} in both; choose")
        if len(self.groups) < 2:
            raise BadInput(
                f"groups: expected at least two groups, got {list(self.groups)}; name the column that tells them apart"
            )
        self.scale = _scales(spread, self.partial)
        wide = {
            name: jnp.broadcast_to(known[name].value, (len(self.groups), *known[name].value.shape))
            for name in self.split
        }
        self.law = replace(law, wide)
        free = {name: known[name].spec.support.unconstrain(known[name].value) for name in self.partial}
        self.spread = {n: jnp.full_like(u, w) for (n, u), w in zip(free.items(), self.scale, strict=True)}
        self.offset = {n: jnp.zeros((len(self.groups), *u.shape), u.dtype) for n, u in free.items()}

    @property
    def needs_prior(self) -> bool:
        return bool(self.partial)

    @property
    def by_group(self) -> tuple[str, ...]:
        """Names of the parameters with a leading axis of groups."""
        return (*self.split, *(f"offset.{name}" for name in self.partial))

    def declarations(self, prefix: str) -> Iterator[Declared]:
        """The law's own, then spreads and offsets: the order of the fields."""
        scale = dict(zip(self.partial, self.scale, strict=True))
        own = {d.name: d.spec for d in declared(self.law)}
        for d in declared(self.law):
            # m exp(u) and m + u are linear in the group mean m, what other supports make of it is not.
            bent = d.name in scale and not isinstance(d.spec.support, (s.Real, s.Positive))
            spec = dataclasses.replace(d.spec, linear=False) if bent else d.spec
            yield Declared(prefix + d.name, spec, d.value)
        for name in sorted(self.spread):
            yield Declared(f"{prefix}spread.{name}", _spread_spec(name, own[name], scale[name]), self.spread[name])
        for name in sorted(self.offset):
            yield Declared(f"{prefix}offset.{name}", _offset_spec(name, own[name]), self.offset[name])

    def scaling(self, c: Float[Array, ""]) -> dict[str, Change]:
        """As the law of one group. Where groups share a parameter that each would scale its own way, by their mean."""
        known, found = {d.name: d for d in declared(self.law)}, {}
        for name, change in self.law.scaling(c).items():
            factor = change.factor
            if jnp.ndim(factor) > known[name].value.ndim:
                factor = jnp.exp(jnp.mean(jnp.log(factor), axis=0))
            found[name] = Change(factor, change.shift)
            if name in self.partial and isinstance(known[name].spec.support, s.Real):
                found[f"spread.{name}"] = Change(factor)
        return found

    def _around(self, offset: Mapping[str, Array]) -> dict[str, Array]:
        """The values of the partial parameters at the given offsets of one group."""
        found = {}
        for d in declared(self.law):
            if d.name in self.partial:
                u = d.spec.support.unconstrain(d.value) + self.spread[d.name] * offset[d.name]
                found[d.name] = d.spec.support.constrain(u)
        return found

    def group_values(self) -> dict[str, Array]:
        """Values of the separate and of the partial parameters, leading axis `groups`."""
        known = values(self.law)
        partial = jax.vmap(self._around)(self.offset) if self.partial else {}
        return {name: known[name] for name in self.split} | partial

    def member(self, group: Any) -> AbstractLaw:
        """The law of one group, by label or index: `BadInput` on a wrong one; under jit NaN for a wrong index."""
        index = group if isinstance(group, jax.core.Tracer) else int(index_of(group, self.groups)[0])
        return replace(self.law, {name: at_group(value, index) for name, value in self.group_values().items()})

    def unseen(self, key: PRNGKeyArray) -> AbstractLaw:
        """The law of a group that was not observed: its offsets drawn from the population.

        Raises `BadInput` where a parameter is separate, as nothing then says how a further group would be.
        """
        if self.split:
            raise BadInput(
                f"a new group: {list(self.split)} are separate (split) and have no population to draw from; "
                f"fit with Pooled(..., partial={self.split!r})"
            )
        drawn = {}
        for name, own_key in zip(self.partial, jax.random.split(key, len(self.partial)), strict=True):
            spread = self.spread[name]
            drawn[name] = jax.random.normal(own_key, spread.shape, spread.dtype)
        return replace(self.law, self._around(drawn))

    def __call__(self, group: Any, **inputs: Any) -> Any:
        # Indices, of runs that were checked: those of a table's labels.
        found = {name: at_group(value, group) for name, value in self.group_values().items()}
        return replace(self.law, found)(**inputs)


def at_group(values: Array, index: Any) -> Array:
    """The values of one group, leading axis `groups`; NaN for an index that is none: no other group may answer."""
    return values.at[index].get(mode="fill", fill_value=jnp.nan, wrap_negative_indices=False)


@signature.register
def _(law: Pooled) -> Signature:
    inner = signature(law.law)
    return Signature({**inner.inputs, "group": GROUP}, inner.output)


def _scales(spread: float | Mapping[str, float], partial: tuple[str, ...]) -> tuple[float, ...]:
    given = spread if isinstance(spread, Mapping) else dict.fromkeys(partial, spread)
    if set(given) != set(partial):
        raise BadInput(f"spread: expected one for each of {list(partial)}, got {list(given)}; name the partial ones")
    for name, value in given.items():
        SPREAD.check(value, f"Pooled: spread of {name}")
    return tuple(float(given[name]) for name in partial)


def _spread_spec(name: str, mean: Spec, scale: float) -> Spec:
    doc = f"spread of {name} between groups, on its unconstrained scale"
    return Spec(s.positive, p.HalfNormal(scale), scale, doc, rf"\sigma_{{{mean.symbol or name}}}", quantity=PURE)


def _offset_spec(name: str, mean: Spec) -> Spec:
    doc = f"each group's distance from the mean of {name}, in spreads"
    return Spec(s.real, p.Normal(0.0, 1.0), 0.0, doc, rf"\tilde{{{mean.symbol or name}}}", quantity=PURE)
