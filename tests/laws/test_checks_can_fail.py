r"""Each check catches the fault it is for: laws broken on purpose, in one way each.

$$ y(x) = a x^{-b} $$
"""

import re
from dataclasses import dataclass
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case, Published
from jaxscale.core.parametric import param
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.testing import CHECKS, check_law


def _size(init: float = 2.0, **kwargs: object) -> jax.Array:
    return param(s.positive, init=init, prior=p.LogNormal(2.0, 0.5), doc="a size", **kwargs)


class Sound(AbstractLaw):
    """A law without fault, outside the package."""

    a: q.Nats = _size(linear=True)
    b: q.Pure = param(s.positive, init=0.3, prior=p.LogNormal(0.3, 0.5), doc="an exponent")

    def __call__(self, N: q.Params) -> q.Nats:
        return self.a * jnp.exp(-self.b * jnp.log(N))

    cite: ClassVar[str] = "somebody2030"


class documented(AbstractLaw):
    a: q.Nats = _size()

    def __call__(self, N: q.Params) -> q.Nats:
        return self.a / N


class cited(AbstractLaw):
    """Without a citation."""

    a: q.Nats = _size()

    def __call__(self, N: q.Params) -> q.Nats:
        return self.a / N


class final(Chinchilla):
    """Inherits from a law."""

    def __call__(self, N: q.Params, D: q.Tokens) -> q.Nats:
        return 2 * super().__call__(N, D)


class units_declared(AbstractLaw):
    """Its input has no unit."""

    a: q.Nats = _size()

    def __call__(self, N: jax.Array) -> q.Nats:
        return self.a / N


class default_constructible(AbstractLaw):
    """Holds an array that is not declared."""

    a: q.Nats = _size()
    hidden: jax.Array = eqx.field(converter=jnp.asarray, default=1.0)

    def __call__(self, N: q.Params) -> q.Nats:
        return self.a / N


class starts_inside(AbstractLaw):
    """Its default lies outside its support."""

    a: q.Nats = _size(init=-1.0)

    def __call__(self, N: q.Params) -> q.Nats:
        return self.a / N


class published_sets_inside(AbstractLaw):
    """A published floor of zero, where the support is open at zero."""

    a: q.Nats = _size()

    def __call__(self, N: q.Params) -> q.Nats:
        return self.a / N

    published: ClassVar = {"zero": Published({"a": 0.0}, source="nowhere")}


class published_sets_published(AbstractLaw):
    """A second paper's set, filled up with the default."""

    a: q.Nats = _size()
    b: q.Pure = _size()

    def __call__(self, N: q.Params) -> q.Nats:
        return self.a * jnp.exp(-self.b * jnp.log(N))

    published: ClassVar = {
        "one": Published({"a": 2.0, "b": 0.3}, source="a paper"),
        "two": Published({"a": 2.0, "b": 0.4}, source="a paper"),
    }


class published_values(AbstractLaw):
    """Wrong by a factor two at the published value."""

    a: q.Nats = _size()

    def __call__(self, N: q.Params) -> q.Nats:
        return self.a / N

    cases: ClassVar = (Case({"N": 2.0}, 2.0, 1e-3, "nowhere"),)


@dataclass(frozen=True)
class _WrongLogDet(s.Positive):
    def log_det(self, z: s.Reals) -> s.Reals:
        return 2 * jnp.sum(z)


@dataclass(frozen=True)
class _WrongInverse(s.Positive):
    def unconstrain(self, x: s.Reals) -> s.Reals:
        return jnp.log1p(x)


class bijective(AbstractLaw):
    """Its support has a wrong inverse."""

    a: q.Nats = param(_WrongInverse(), init=2.0, prior=p.LogNormal(2.0, 0.5), doc="a size")

    def __call__(self, N: q.Params) -> q.Nats:
        return self.a / N


class wrong_log_det(AbstractLaw):
    """Its support has a wrong log-determinant."""

    a: q.Nats = param(_WrongLogDet(), init=2.0, prior=p.LogNormal(2.0, 0.5), doc="a size")

    def __call__(self, N: q.Params) -> q.Nats:
        return self.a / N


class prior_inside(AbstractLaw):
    """A prior on the whole line over a positive support."""

    a: q.Nats = param(s.positive, init=1.0, prior=p.Normal(0.0, 1.0), doc="a size")

    def __call__(self, N: q.Params) -> q.Nats:
        return self.a / N


class finite(AbstractLaw):
    """Overflows both precisions; the value survives, the gradient does not."""

    a: q.Nats = _size()

    def __call__(self, N: q.Params) -> q.Nats:
        return jnp.where(N > 0, self.a / N, jnp.exp(self.a * N))


class dtype_kept(AbstractLaw):
    """Returns a vector instead of one number."""

    a: q.Nats = _size()

    def __call__(self, N: q.Params) -> q.Nats:
        return jnp.stack([self.a / N, self.a])


class float32_agrees(AbstractLaw):
    """Loses a small term in a difference of large ones."""

    a: q.Nats = _size(init=2.1)

    def __call__(self, N: q.Params) -> q.Nats:
        return ((self.a + 1e6) - 1e6) / N


class identifiability_stated(AbstractLaw):
    """Claims too much. Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: a, b."""

    a: q.Nats = _size()
    b: q.Nats = _size()

    def __call__(self, N: q.Params) -> q.Nats:
        return self.a * self.b / N


class traced_once(AbstractLaw):
    """A setting in the tree that is static: each value is another program."""

    a: q.Nats = _size()
    power: float = eqx.field(static=True, default=0.0)

    def __init__(self, a: object = 2.0) -> None:
        self.a = jnp.asarray(a, dtype=float)
        self.power = float(self.a)

    def __call__(self, N: q.Params) -> q.Nats:
        return self.a / N**self.power


class strong_leaves(AbstractLaw):
    """Converts its own parameter, into a weak-typed number."""

    a: q.Nats = _size()

    def __init__(self, a: float = 2.0) -> None:
        self.a = jnp.asarray(a)

    def __call__(self, N: q.Params) -> q.Nats:
        return self.a / N


class batch_is_loop(AbstractLaw):
    """Answers with its batch in view: something a law of one run cannot know."""

    a: q.Nats = _size()

    def __call__(self, N: q.Params) -> q.Nats:
        return self.a / N + jnp.where(_in_a_batch(jax.lax.stop_gradient(N)), 1, 0).astype(N.dtype)


@jax.custom_batching.custom_vmap
def _in_a_batch(x: jax.Array) -> jax.Array:
    return x < 0


@_in_a_batch.def_vmap
def _rule(size: int, batched: list[bool], x: jax.Array) -> tuple[jax.Array, bool]:
    return x > 0, True


class linear_is_affine(AbstractLaw):
    """Declares linear two parameters that multiply each other: affine in each, not in both."""

    a: q.Nats = _size(linear=True)
    b: q.Pure = _size(linear=True)

    def __call__(self, N: q.Params) -> q.Nats:
        return self.a * self.b / N


BY_NAME = {check.name: check for check in CHECKS}
BROKEN = {
    documented: "a class docstring",
    cited: "citation key",
    final: "inherits from the law Chinchilla",
    units_declared: "annotation with a unit",
    default_constructible: "every array leaf",
    starts_inside: "a of the default inside",
    published_sets_inside: "published set 'zero' inside",
    published_sets_published: "a of every published set from its source",
    published_values: "2 within 0.001",
    bijective: "= x for a",
    prior_inside: "some outside",
    finite: "finite gradient",
    dtype_kept: "float32 scalar",
    strong_leaves: "strong-typed",
    traced_once: "got 2",
    batch_is_loop: "as a loop does",
    linear_is_affine: "affine in",
}


def test_a_sound_law_outside_the_package_passes() -> None:
    check_law(Sound)


def test_every_check_has_its_broken_law() -> None:
    assert {law.__name__ for law in BROKEN} | {"float32_agrees", "float32_suffices", "identifiability_stated"} == set(
        BY_NAME
    )


@pytest.mark.parametrize(("law_class", "fault"), BROKEN.items(), ids=[law.__name__ for law in BROKEN])
def test_caught(law_class: type[AbstractLaw], fault: str) -> None:
    name = law_class.__name__
    with pytest.raises(AssertionError, match=rf"^{name}, check '{name}': expected .*?{re.escape(fault)}"):
        BY_NAME[name](law_class)


@pytest.mark.x64  # without float64 there is nothing to compare float32 with
def test_lost_digits_are_caught() -> None:
    with pytest.raises(AssertionError, match="within rounding in float32"):
        BY_NAME["float32_agrees"](float32_agrees)
    with pytest.raises(AssertionError, match="expected a value within 2e-06 of float64 for the default"):
        BY_NAME["float32_suffices"](float32_agrees)


@pytest.mark.x64
def test_a_wrong_verdict_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    # Only laws of the package must state one; a product of two parameters determines neither.
    monkeypatch.setattr(identifiability_stated, "__module__", "jaxscale.laws.broken")
    with pytest.raises(AssertionError, match=r"noise\): open: a, b\."):
        BY_NAME["identifiability_stated"](identifiability_stated)


def test_a_wrong_log_det_is_caught() -> None:
    with pytest.raises(AssertionError, match="expected log_det"):
        BY_NAME["bijective"](wrong_log_det)


@pytest.mark.parametrize("said", ["a is a placeholder", "a and b are ours"])
def test_a_set_that_calls_its_number_invented_is_caught(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sets = {"one": Published({"a": 3.0}, source="a paper", note=said)}
    monkeypatch.setattr(published_sets_published, "published", sets)
    with pytest.raises(AssertionError, match="expected published numbers in the set 'one'"):
        BY_NAME["published_sets_published"](published_sets_published)


def test_check_law_names_every_failure() -> None:
    with pytest.raises(AssertionError) as caught:
        check_law(linear_is_affine)
    lines = str(caught.value).splitlines()
    assert any(line.startswith("linear_is_affine, check 'cited'") for line in lines)
    assert any(line.startswith("linear_is_affine, check 'linear_is_affine'") for line in lines)
