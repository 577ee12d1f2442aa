"""Hestness: straight in logarithms without the floor, flat at the floor with it."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxscale.laws.loss.hestness2017 import ModelSizeCurve, PowerLaw, PowerLawWithFloor


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


def test_samples_for_an_error_by_hand(eps: float) -> None:
    # (10 / 0.1)^(1/0.5) = 1e4 samples to 0.1 above the floor; an error of nothing but the floor is never reached.
    bare, floored = PowerLaw(alpha=10.0, beta=0.5), PowerLawWithFloor(alpha=10.0, beta=0.5, gamma=0.25)
    np.testing.assert_allclose(float(bare.samples_for(jnp.asarray(0.1))), 1e4, rtol=64 * eps)
    np.testing.assert_allclose(float(floored.samples_for(jnp.asarray(0.35))), 1e4, rtol=64 * eps)
    assert np.isposinf(float(floored.samples_for(jnp.asarray(0.25))))
    assert np.isnan(float(floored.samples_for(jnp.asarray(0.2))))


def test_best_size_grows_more_slowly_than_data(eps: float) -> None:
    law = ModelSizeCurve(k=2.0, beta_p=0.5)
    sizes = [float(law(jnp.asarray(m))) for m in (1e4, 1e6, 1e8)]
    np.testing.assert_allclose(sizes, [200.0, 2000.0, 20000.0], rtol=64 * eps)
