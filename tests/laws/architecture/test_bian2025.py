"""Bian: Chinchilla with equal exponents times a price of shape, which does not move the optimal size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.laws.architecture.bian2025 import Bian
from jaxscale.laws.loss.hoffmann2022 import Chinchilla


def test_without_a_price_of_shape_it_is_chinchilla(eps: float) -> None:
    law = Bian(epsilon=1e-30)
    plain = Chinchilla(E=law.E, A=law.A, B=law.B, alpha=law.alpha, beta=law.alpha)
    N, D = jnp.asarray(1e9), jnp.asarray(2e10)
    np.testing.assert_allclose(law(N, D, jnp.asarray(128.0)), plain(N, D), rtol=8 * eps * np.log(2e10))


@pytest.mark.parametrize(("R", "slope"), [(64.0, 0.009), (256.0, 0.02)])
def test_elasticity_of_shape(R: float, slope: float, eps: float) -> None:
    """The derivative of ln L by ln R, by hand and as the sheet gives it (.9 % and 2 %)."""
    law = Bian()

    def log_loss(log_R: jax.Array) -> jax.Array:
        return jnp.log(law(jnp.asarray(1e9), jnp.asarray(2e10), jnp.exp(log_R)))

    got = float(jax.grad(log_loss)(jnp.log(jnp.asarray(R))))
    cost = 0.00114620866 * R**0.614573565
    np.testing.assert_allclose(got, 0.614573565 * cost / (1 + cost), rtol=32 * eps * np.log(R))
    assert abs(got - slope) < 0.002


def test_optimum_is_that_of_the_power_terms_for_every_shape(eps: float) -> None:
    law = Bian()
    N, D = law.compute_optimal(jnp.asarray(1e21))
    np.testing.assert_allclose(float(6 * N * D), 1e21, rtol=8 * eps * np.log(1e21))
    for R in (32.0, 256.0):
        by_N, by_D = jax.grad(lambda N, D, R=R: law(N, D, jnp.asarray(R)), argnums=(0, 1))(N, D)
        np.testing.assert_allclose(float(N * by_N), float(D * by_D), rtol=8 * eps * np.log(1e21))


def test_shape_cost_is_the_share_added(eps: float) -> None:
    law = Bian()
    N, D, R = jnp.asarray(3e8), jnp.asarray(6e9), jnp.asarray(100.0)
    share = law(N, D, R) / Bian(epsilon=1e-30)(N, D, R) - 1
    np.testing.assert_allclose(float(share), float(law.shape_cost(R)), atol=8 * eps)
