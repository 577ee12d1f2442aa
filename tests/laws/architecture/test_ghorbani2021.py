"""EncoderDecoder: symmetric growth, the reference as a mere unit, and the split of parameters."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from jaxscale.laws.architecture.ghorbani2021 import EncoderDecoder

LAW = {"alpha": 0.4, "p_e": 0.15, "p_d": 0.3, "L_inf": 1.2, "N_e_ref": 6e7, "N_d_ref": 8e7}


def reducible(Ne: float, Nd: float) -> float:
    return 0.4 * (6e7 / Ne) ** 0.15 * (8e7 / Nd) ** 0.3


def test_symmetric_growth_is_one_power(eps: float) -> None:
    law = EncoderDecoder(**LAW)
    rest = [float(law(jnp.asarray(N), jnp.asarray(N))) - 1.2 for N in (1e8, 1e9)]
    np.testing.assert_allclose(rest[1] / rest[0], 10**-0.45, rtol=64 * eps)


def test_the_reference_is_a_unit(eps: float) -> None:
    """Another reference with the loss it has there as alpha is the same law."""
    law = EncoderDecoder(**LAW)
    moved = EncoderDecoder(**{**LAW, "alpha": reducible(3e8, 2e8), "N_e_ref": 3e8, "N_d_ref": 2e8})
    at = (jnp.asarray(5e7), jnp.asarray(9e8))
    np.testing.assert_allclose(float(moved(*at)), float(law(*at)), rtol=64 * eps)


@pytest.mark.parametrize("N", [1e8, 4e9])
def test_optimal_split(N: float, eps: float) -> None:
    Ne, Nd = (float(x) for x in EncoderDecoder(**LAW).optimal_split(jnp.asarray(N)))
    np.testing.assert_allclose(Ne + Nd, N, rtol=4 * eps)
    found = minimize_scalar(lambda x: reducible(N * x, N * (1 - x)), bounds=(0.01, 0.99), method="bounded")
    # A minimum is found to the root of float64's rounding and SciPy's xatol of 1e-5.
    np.testing.assert_allclose(Ne / N, found.x, atol=1e-4)
    # pe : pd by hand.
    np.testing.assert_allclose(Ne / Nd, 0.5, rtol=8 * eps)


def test_loss_at_the_optimal_split_is_the_closed_form(eps: float) -> None:
    law, N = EncoderDecoder(**LAW), 1e9
    got = float(law(*law.optimal_split(jnp.asarray(N)))) - 1.2
    want = 0.4 * (6e7 * 0.45 / 0.15) ** 0.15 * (8e7 * 0.45 / 0.3) ** 0.3 * N**-0.45
    np.testing.assert_allclose(got, want, rtol=128 * eps)


def test_cost_of_another_split(eps: float) -> None:
    law, N = EncoderDecoder(**LAW), 1e9
    best = reducible(N / 3, 2 * N / 3)
    for share in (0.1, 1 / 3, 0.5, 0.9):
        got = float(law.cost_of_split(jnp.asarray(share)))
        np.testing.assert_allclose(got, reducible(N * share, N * (1 - share)) / best, rtol=32 * eps)
