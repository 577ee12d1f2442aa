"""Declared parameters: what a param(...) line gives, in trees of several shapes."""

from typing import Annotated, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

from jaxscale.core import parametric
from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.parametric import AbstractParametric, as_leaf, declared, param, specs


class Term(AbstractParametric):
    A: q.Nats = param(s.positive, init=2.0, prior=p.LogNormal(2.0, 1.0), doc="size", linear=True)
    alpha: q.Pure = param(s.unit_interval, init=0.25, prior=p.Uniform(0.0, 1.0), doc="exponent", symbol=r"\alpha")


class Mixed(AbstractParametric):
    share: Annotated[Float[Array, " k"], q.PURE] = param(
        s.simplex, init=(0.2, 0.3, 0.5), prior=p.Beta(2.0, 2.0), doc="mixture"
    )
    fixed: q.Tokens = param(s.positive, init=7, prior=p.LogNormal(7.0, 1.0), doc="a setting", estimated=False)
    label: str = eqx.field(static=True, default="x")


class Nest(AbstractParametric):
    first: Term
    terms: dict[str, Term]

    inlined: ClassVar[tuple[str, ...]] = ("first",)


class Leaky(AbstractParametric):
    A: q.Nats = param(s.positive, init=2.0, prior=p.LogNormal(2.0, 1.0), doc="size")
    extra: Array = eqx.field(converter=jnp.asarray, default=1.0)


def _nest() -> Nest:
    return Nest(first=Term(), terms={"z": Term(A=3.0), "b": Term(A=4.0)})


def test_specs_read_the_declaration_and_the_unit() -> None:
    found = specs(Term)
    assert list(found) == ["A", "alpha"]
    assert found["A"].quantity is q.NATS
    assert (found["A"].linear, found["alpha"].linear) == (True, False)
    assert found["alpha"].symbol == r"\alpha"


def test_names_and_values_come_in_the_order_of_the_leaves() -> None:
    tree = _nest()
    names = [d.name for d in declared(tree)]
    assert names == ["A", "alpha", "terms.b.A", "terms.b.alpha", "terms.z.A", "terms.z.alpha"]
    assert all(d.value is leaf for d, leaf in zip(declared(tree), jax.tree.leaves(tree), strict=True))
    assert [float(v) for v in parametric.values(tree).values()] == [2.0, 0.25, 4.0, 0.25, 3.0, 0.25]


def test_an_undeclared_leaf_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Leaky: expected every array leaf .*2 leaves and 1 declarations"):
        declared(Leaky())


def test_replace_by_name_leaves_the_rest_and_the_original() -> None:
    tree = _nest()
    other = tree.replace(**{"terms.z.A": 9.0})
    assert float(other.terms["z"].A) == 9.0
    assert float(other.terms["b"].A) == 4.0
    assert float(tree.terms["z"].A) == 3.0
    assert jax.tree.structure(other) == jax.tree.structure(tree)


def test_replace_refuses_unknown_names() -> None:
    with pytest.raises(KeyError, match=r"Term has no parameter \['beta'\]; its parameters are \['A', 'alpha'\]"):
        Term().replace(beta=1.0)


@pytest.mark.parametrize("value", [3, 3.0, np.float32(3), np.int64(3), (3.0, 4), [3], np.arange(3)], ids=repr)
def test_numbers_become_strong_floating_arrays(value: object) -> None:
    leaf = as_leaf(value)
    assert isinstance(leaf, jax.Array)
    assert not leaf.weak_type
    assert jnp.issubdtype(leaf.dtype, jnp.floating)
    np.testing.assert_array_equal(leaf, np.asarray(value))


@pytest.mark.parametrize("value", [None, True, "text", jax.ShapeDtypeStruct((), jnp.float32)], ids=repr)
def test_what_is_no_number_passes(value: object) -> None:
    assert as_leaf(value) is value


def test_constrain_undoes_unconstrain(eps: float) -> None:
    for tree in (_nest(), Mixed()):
        back = parametric.constrain(parametric.unconstrain(tree))
        for before, after in zip(jax.tree.leaves(tree), jax.tree.leaves(back), strict=True):
            np.testing.assert_allclose(after, before, rtol=16 * eps)


def test_unconstrained_simplex_has_one_entry_less() -> None:
    assert parametric.unconstrain(Mixed()).share.shape == (2,)


def test_log_prior_sums_densities_and_leaves_settings_out(eps: float) -> None:
    # By hand: the log-normal at its median is 1 / (x sigma sqrt(2 pi)), the uniform on (0, 1) is 1.
    np.testing.assert_allclose(float(parametric.log_prior(Term())), -np.log(2.0 * np.sqrt(2 * np.pi)), rtol=8 * eps)
    # Beta(2, 2) has density 6 x (1 - x).
    x = np.array([0.2, 0.3, 0.5])
    np.testing.assert_allclose(float(parametric.log_prior(Mixed())), np.log(6 * x * (1 - x)).sum(), rtol=64 * eps)
