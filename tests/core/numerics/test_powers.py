"""Numerics: roots between bounds, without and with their derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.numerics.powers import bisect, root


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_bisect_finds_a_root_to_rounding(sign: float, eps: float) -> None:
    root = bisect(lambda x: sign * (x**3 - 2), jnp.asarray(0.0), jnp.asarray(3.0))
    np.testing.assert_allclose(float(root), 2 ** (1 / 3), rtol=4 * eps)


def test_bisect_without_a_change_of_sign_is_not_a_number() -> None:
    assert np.isnan(float(bisect(lambda x: x**2 + 1, jnp.asarray(-1.0), jnp.asarray(2.0))))


def test_bisect_passes_no_derivative() -> None:
    slope = jax.grad(lambda a: bisect(lambda x: x - a, jnp.asarray(0.0), jnp.asarray(3.0)))(jnp.asarray(1.0))
    assert float(slope) == 0


def test_root_has_the_derivatives_of_the_implicit_function(eps: float) -> None:
    def cube_root(a: jax.Array) -> jax.Array:
        return root(lambda x: x**3 - a, jnp.asarray(0.0), jnp.asarray(3.0))

    value, slope = jax.value_and_grad(cube_root)(jnp.asarray(2.0))
    np.testing.assert_allclose(float(value), 2 ** (1 / 3), rtol=4 * eps)
    np.testing.assert_allclose(float(slope), 2 ** (-2 / 3) / 3, rtol=16 * eps)


def test_root_without_a_change_of_sign_is_not_a_number() -> None:
    assert np.isnan(float(root(lambda x: x**2 + 1, jnp.asarray(-1.0), jnp.asarray(2.0))))
