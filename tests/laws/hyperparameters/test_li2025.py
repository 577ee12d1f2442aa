"""The surface of Step Law: its bottom is its optimum. Oracle: derivatives by automatic differentiation."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxscale.core.law import from_published
from jaxscale.laws.hyperparameters.li2025 import StepLawSurface


def test_the_optimum_is_the_bottom(eps: float) -> None:
    law = StepLawSurface()
    N, D = jnp.asarray(1e9), jnp.asarray(1e11)

    def loss(logs: jax.Array) -> jax.Array:
        return law(N, D, *jnp.exp(logs))

    at = jnp.log(jnp.stack(law.optimum(N, D)))
    np.testing.assert_allclose(jax.grad(loss)(at), 0, atol=100 * eps)  # logarithms of 1e11 round by 25 eps
    curvature = np.asarray(jax.hessian(loss)(at))
    u, v, s = (float(getattr(law, name)) for name in ("u", "v", "tilt"))
    np.testing.assert_allclose(curvature, 2 * np.array([[u + v * s**2, v * s], [v * s, v]]), rtol=1e3 * eps)


def test_the_published_optimum_at_one_billion() -> None:
    """The sheet: .000996 and 216 sequences of 2,048 tokens at 1e9 parameters and 2e10 tokens."""
    lr, bs = from_published(StepLawSurface, "li2025").optimum(jnp.asarray(1e9), jnp.asarray(2e10))
    np.testing.assert_allclose([lr, bs / 2048], [9.96e-4, 216], rtol=5e-3)
