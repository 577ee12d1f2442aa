"""Roots between bounds, with their derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.numerics.roots import root


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_it_finds_a_root_to_rounding(sign: float, eps: float) -> None:
    found = root(lambda x: sign * (x**3 - 2), jnp.asarray(0.0), jnp.asarray(3.0))
    np.testing.assert_allclose(float(found.at), 2 ** (1 / 3), rtol=4 * eps)
    assert (float(found.f_low), float(found.f_high)) == (-2 * sign, 25 * sign)


def test_it_has_the_derivatives_of_the_implicit_function(eps: float) -> None:
    def cube_root(a: jax.Array) -> jax.Array:
        return root(lambda x: x**3 - a, jnp.asarray(0.0), jnp.asarray(3.0)).at

    value, slope = jax.value_and_grad(cube_root)(jnp.asarray(2.0))
    np.testing.assert_allclose(float(value), 2 ** (1 / 3), rtol=4 * eps)
    np.testing.assert_allclose(float(slope), 2 ** (-2 / 3) / 3, rtol=16 * eps)


def test_without_a_change_of_sign_it_is_not_a_number() -> None:
    assert np.isnan(float(root(lambda x: x**2 + 1, jnp.asarray(-1.0), jnp.asarray(2.0)).at))
