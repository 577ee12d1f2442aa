"""Checks of what a law says about itself: words, citation, units, supports, priors, published sets."""

import re
import sys
from collections.abc import Iterator

import jax
import jax.numpy as jnp

from jaxscale.core.law import AbstractLaw, class_signature, from_published, without_value
from jaxscale.core.parametric import AbstractParametric, declared, specs
from jaxscale.laws import bibtex
from jaxscale.testing.check import check
from jaxscale.testing.rounding import rounding, value


@check
def documented(law_class: type[AbstractLaw]) -> Iterator[str]:
    """The class has a docstring of its own, a formula stands in it or its module, every parameter has a meaning."""
    own = vars(law_class).get("__doc__") or ""
    # Equinox and dataclasses write "Name(field: type, ...)" where a class has no docstring.
    if not own.strip() or own.startswith(f"{law_class.__name__}("):
        yield "expected a class docstring that says what the law predicts and what its inputs mean, got none"
    module = sys.modules.get(law_class.__module__)
    if "$$" not in own + ((module and module.__doc__) or ""):
        yield "expected the formula between $$ and $$ in the docstring of the class or of its module, got none"
    for name, spec in specs(law_class).items():
        if not spec.doc.strip():
            yield f"expected a meaning in param(doc=...) of {name}, got an empty one"


@check
def cited(law_class: type[AbstractLaw]) -> Iterator[str]:
    """`cite` is set; for laws of this package it is a key of references.bib."""
    if not law_class.cite.strip():
        yield "expected a citation key in `cite`, got an empty one"
    elif law_class.__module__.startswith("jaxscale.laws."):
        try:
            bibtex(law_class.cite)
        except KeyError as error:
            yield str(error.args[0])


@check
def final(law_class: type[AbstractLaw]) -> Iterator[str]:
    """The law inherits from no other law."""
    for base in law_class.__mro__[1:]:
        if issubclass(base, AbstractLaw) and "__call__" in vars(base):
            yield f"expected a class that derives from AbstractLaw, got one that inherits from the law {base.__name__}"
    if not any("__call__" in vars(base) for base in law_class.__mro__ if issubclass(base, AbstractLaw)):
        yield "expected a __call__ that predicts one run, got none"


@check
def units_declared(law_class: type[AbstractLaw]) -> Iterator[str]:
    """Every parameter, every input and the output carry a quantity; `within` and `domain` name inputs."""
    signature = class_signature(law_class)
    if not signature.inputs:
        yield "expected at least one input in __call__, got none"
    for name in set(law_class.domain) - set(signature.inputs):
        yield f"expected `domain` to name inputs out of {list(signature.inputs)}, got {name!r}"
    for name, spec in specs(law_class).items():
        if spec.within is not None and spec.within not in signature.inputs:
            yield f"expected param(within=...) of {name} to name one of {list(signature.inputs)}, got {spec.within!r}"


@check
def default_constructible(law_class: type[AbstractLaw]) -> Iterator[str]:
    """The law builds without arguments, and every array leaf is a declared parameter."""
    if not declared(law_class()):
        yield "expected at least one declared parameter, got none; declare fields with param(...)"


@check
def strong_leaves(law_class: type[AbstractLaw]) -> Iterator[str]:
    """Leaves are floating arrays of strong type: a Python float would compile anew for every value."""
    for d in declared(law_class(**{name: spec.init for name, spec in specs(law_class).items()})):
        strong = isinstance(d.value, jax.Array) and not d.value.weak_type
        if not strong or not jnp.issubdtype(d.value.dtype, jnp.floating):
            yield f"expected {d.name} as a strong-typed floating array, got {d.value!r}; declare it with param(...)"


@check
def starts_inside(law_class: type[AbstractLaw]) -> Iterator[str]:
    """Default values lie in their support and have a finite prior density."""
    yield from _outside(law_class(), "the default")


@check
def published_sets_inside(law_class: type[AbstractLaw]) -> Iterator[str]:
    """Every published set builds, names its source, and lies in the supports with a finite prior density."""
    for name, published in law_class.published.items():
        if not published.source.strip():
            yield f"expected a source for the published set {name!r}, got an empty one"
        law = from_published(law_class, name)
        yield from _outside(law, f"the published set {name!r}", without_value(law))


_INVENTED = re.compile(r"\bplaceholders?\b|\b(?:is|are) ours\b")


@check
def published_sets_published(law_class: type[AbstractLaw]) -> Iterator[str]:
    """A published set holds what its source gives: no stand-in for a value that was never stated.

    Two signs of one: the set says so itself, or a fitted parameter has the law's own default in every set. Sets whose
    source does give one value for all say so in their notes: "one Q for all".
    """
    for name, published in law_class.published.items():
        if found := _INVENTED.search(f"{published.source}; {published.note}"):
            yield f"expected published numbers in the set {name!r}, got {found[0]!r}; leave such a value out"
    sets = list(law_class.published.values())
    if len(sets) < 2:
        return
    for parameter, spec in specs(law_class).items():
        same = spec.estimated and all(s.values.get(parameter) == spec.init for s in sets)
        if same and not all(re.search(rf"\bone\b.*\b{re.escape(parameter)}\b.*\bfor all\b", s.note) for s in sets):
            yield (
                f"expected {parameter} of every published set from its source, got the default {spec.init} in all; "
                "leave it out, or say in every note that there is one for all"
            )


def _outside(law: AbstractParametric, whose: str, without: tuple[str, ...] = ()) -> Iterator[str]:
    for d in declared(law):
        if d.name in without:
            continue
        if not bool(jnp.all(d.spec.support.contains(d.value))):
            yield f"expected {d.name} of {whose} inside {d.spec.support}, got {d.value}"
        elif d.spec.estimated and not bool(jnp.all(jnp.isfinite(d.spec.prior.log_prob(d.value)))):
            yield f"expected a finite density of {d.spec.prior} at {d.name} of {whose}, got none at {d.value}"


@check
def published_values(law_class: type[AbstractLaw]) -> Iterator[str]:
    """Every case comes out within its tolerance, or within rounding where that is wider."""
    for case in law_class.cases:
        law = law_class() if case.published is None else from_published(law_class, case.published)
        inputs = {name: jnp.asarray(given, float) for name, given in case.inputs.items()}
        got = float(value(law, inputs))
        one = jax.tree.map(lambda leaf: leaf[None], (law, inputs))
        if not abs(got - case.value) <= case.rtol * abs(case.value) + float(rounding(*one)[0]):
            yield (
                f"expected {case.value:.9g} within {case.rtol:.2g} at {dict(case.inputs)} of "
                f"{case.published or 'the default'} ({case.source}), got {got:.9g}"
            )
