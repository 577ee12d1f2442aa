"""Hestness: straight in logarithms without the floor, flat at the floor with it."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxscale.laws.loss.hestness import PowerLaw, PowerLawWithFloor


def test_slope_in_logarithms_is_the_exponent(eps: float) -> None:
    law = PowerLaw()
    slope = jax.grad(lambda log_m: jnp.log(law(jnp.exp(log_m))))(jnp.asarray(20.0))
    np.testing.assert_allclose(float(slope), -0.066, rtol=16 * eps)


def test_floor_is_what_remains(eps: float) -> None:
    law = PowerLawWithFloor(alpha=10.0, beta=1.0, gamma=2.0)
    np.testing.assert_allclose(float(law(jnp.asarray(1e30))), 2.0, rtol=2 * eps)


def test_floor_is_added_to_the_power_law(eps: float) -> None:
    with_floor, without = PowerLawWithFloor(alpha=10.0, beta=0.2, gamma=2.0), PowerLaw(alpha=10.0, beta=0.2)
    m = jnp.asarray(1e7)
    np.testing.assert_allclose(float(with_floor(m) - without(m)), 2.0, rtol=8 * eps)
