"""Supports: bijections and log-determinants against automatic differentiation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core import supports as s

SCALARS = [s.real, s.positive, s.unit_interval, s.Interval(-2.0, 5.0)]
VECTORS = [s.simplex, s.positive_ordered]
ALL = SCALARS + VECTORS
Z = np.random.default_rng(0).normal(0.0, 1.5, (50, 3))


@pytest.mark.parametrize("support", ALL, ids=str)
def test_unconstrain_undoes_constrain(support: s.AbstractSupport, eps: float) -> None:
    z = jnp.asarray(Z, float)
    back = support.unconstrain(support.constrain(z))
    # |z| stays below 6: an entry may lie within e^-6 of an edge, where one rounding of x moves z by eps e^6.
    np.testing.assert_allclose(back, z, atol=8 * eps * np.exp(np.abs(Z).max()))


@pytest.mark.parametrize("support", ALL, ids=str)
def test_constrained_values_are_contained(support: s.AbstractSupport) -> None:
    inside = support.contains(support.constrain(jnp.asarray(Z, float)))
    assert inside.shape == ((50,) if support.vector else (50, 3))
    assert bool(jnp.all(inside))


@pytest.mark.parametrize("support", ALL, ids=str)
def test_log_det_is_that_of_the_jacobian(support: s.AbstractSupport, eps: float) -> None:
    z = jnp.asarray(Z, float)
    jacobian = jax.vmap(jax.jacfwd(support.constrain))(z)[:, :3, :]  # the simplex has a fourth, dependent entry
    sign, expected = jnp.linalg.slogdet(jacobian)
    np.testing.assert_array_equal(sign, 1.0)
    got = jax.vmap(support.log_det)(z)
    assert got.dtype == z.dtype
    # Sums of three logarithms, each below 3 |z| in size.
    np.testing.assert_allclose(got, expected, atol=64 * eps * np.abs(Z).sum(axis=1).max())


@pytest.mark.parametrize(
    ("support", "x"),
    [
        (s.real, np.inf),
        (s.positive, 0.0),
        (s.positive, np.nan),
        (s.unit_interval, 0.0),
        (s.unit_interval, 1.0),
        (s.Interval(-2.0, 5.0), 5.5),
        (s.simplex, [0.5, 0.6]),
        (s.simplex, [0.0, 1.0]),
        (s.positive_ordered, [2.0, 1.0]),
        (s.positive_ordered, [1.0, 1.0]),
        (s.positive_ordered, [-1.0, 1.0]),
    ],
    ids=str,
)
def test_edges_and_outsides_are_not_contained(support: s.AbstractSupport, x: float | list[float]) -> None:
    assert not bool(support.contains(jnp.asarray(x, float)))


def test_simplex_sums_to_one_and_has_one_more_entry_than_reals(eps: float) -> None:
    x = s.simplex.constrain(jnp.asarray(Z, float))
    assert x.shape == (50, 4)
    np.testing.assert_allclose(jnp.sum(x, axis=-1), 1.0, rtol=4 * eps)


def test_ordered_vector_of_one_is_the_exponential(eps: float) -> None:
    z = jnp.asarray(Z[:, :1], float)
    np.testing.assert_allclose(s.positive_ordered.constrain(z), np.exp(Z[:, :1]), rtol=16 * eps)
    np.testing.assert_allclose(jax.vmap(s.positive_ordered.log_det)(z), Z[:, 0], atol=16 * eps)


def test_check_support_returns_inside_and_refuses_outside() -> None:
    x = jnp.asarray([1.0, 2.0], float)
    assert s.check_support(s.positive, x, "alpha") is x
    with pytest.raises(ValueError, match=r"alpha: expected a value in Positive, got .*give a value inside"):
        s.check_support(s.positive, -x, "alpha")


def test_check_support_lets_tracers_pass() -> None:
    assert float(jax.jit(lambda x: s.check_support(s.positive, x, "alpha"))(jnp.asarray(-1.0, float))) == -1.0
