"""Derivatives of an optimum against closed forms and finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.solve.implicit import implicit_argmin


def optimum(theta: jax.Array) -> jax.Array:
    """argmin of sum(exp(z) - theta z) is log theta."""
    return implicit_argmin(lambda z: jnp.sum(jnp.exp(z) - theta * z), jnp.log(theta))


def test_closed_form(eps: float) -> None:
    theta = jnp.asarray([0.5, 2.0, 3.0])
    np.testing.assert_array_equal(optimum(theta), jnp.log(theta))
    for jacobian in (jax.jacfwd(optimum)(theta), jax.jacrev(optimum)(theta)):
        np.testing.assert_allclose(jacobian, np.diag(1 / np.asarray(theta)), atol=16 * eps)


@pytest.mark.x64  # central differences
def test_finite_differences_of_a_coupled_problem() -> None:
    def solve(theta: jax.Array) -> jax.Array:
        def value(z: jax.Array) -> jax.Array:
            return jnp.sum((z - theta) ** 2) + jnp.exp(z[0] * z[1]) + theta[0] * z[1] ** 4

        def newton(_: int, z: jax.Array) -> jax.Array:
            return z - jnp.linalg.solve(jax.hessian(value)(z), jax.grad(value)(z))

        return implicit_argmin(value, jax.lax.stop_gradient(jax.lax.fori_loop(0, 30, newton, theta)))

    theta, h = jnp.asarray([0.3, -0.4]), 1e-5
    found = jax.jacrev(solve)(theta)
    plain = jax.jit(solve)
    for j in range(2):
        step = jnp.zeros(2).at[j].set(h)
        difference = (plain(theta + step) - plain(theta - step)) / (2 * h)
        # Error of a central difference: h^2 of the third derivative and eps / h.
        np.testing.assert_allclose(found[:, j], difference, atol=10 * (h**2 + np.finfo(float).eps / h))
