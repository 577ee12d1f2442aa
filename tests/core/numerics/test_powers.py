"""The split of compute between two power terms, against its first-order condition and a dense search."""

import jax.numpy as jnp
import numpy as np

from jaxscale.core.flops import FLOP_PER_PARAM_TOKEN
from jaxscale.core.numerics.powers import split_between_powers


def test_spends_the_whole_budget_at_the_least_sum(eps: float) -> None:
    A, alpha, B, beta, C = 482.01, 0.3478, 2085.43, 0.3658, 1e21
    N, D = split_between_powers(*(jnp.asarray(x) for x in (np.log(A), alpha, np.log(B), beta, C)))
    # Logarithms below log C are rounded a handful of times.
    rtol = 8 * eps * np.log(C)
    np.testing.assert_allclose(float(N * D * FLOP_PER_PARAM_TOKEN), C, rtol=rtol)
    # Oracle: a search over N in float64, 1e-3 apart in log N.
    grid = np.exp(np.arange(np.log(1e8), np.log(1e11), 1e-3))
    total = A * grid**-alpha + B * (C / 6 / grid) ** -beta
    np.testing.assert_allclose(np.log(float(N)), np.log(grid[np.argmin(total)]), atol=5e-4 + rtol)


def test_constants_beyond_float32_are_fine_as_logarithms() -> None:
    # A = e^200 overflows float32; equal constants and exponents give N = D.
    N, D = split_between_powers(*(jnp.asarray(x) for x in (200.0, 0.5, 200.0, 0.5, 6e20)))
    np.testing.assert_allclose([float(N), float(D)], 1e10, rtol=1e-4)
