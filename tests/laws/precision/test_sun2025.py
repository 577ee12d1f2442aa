"""FloatingPointTraining: the printed formula in NumPy; its closed forms against numerical minima of the formula."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from jaxscale.laws.precision.sun2025 import CHANNEL, FloatingPointTraining

LAW = FloatingPointTraining()
n, alpha, d, beta, epsilon, gamma, delta, nu = map(float, LAW.published["sun2025"].values.values())


def printed(N, D, E, M, B):
    penalty = D**beta / N**alpha * np.log2(B) / (gamma * (E + 0.5) ** delta * (M + 0.5) ** nu)
    return n / N**alpha + d / D**beta + epsilon + penalty


def numbers(*values: float):
    return tuple(jnp.asarray(value, dtype=float) for value in values)


def test_equals_the_printed_formula(eps: float) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        at = (10 ** rng.uniform(7.6, 10), 10 ** rng.uniform(10, 12.5), *rng.integers(0, 8, 2), 2 ** rng.uniform(4, 13))
        # Exponents of some 15 in size are rounded once each.
        assert float(LAW(*numbers(*at))) == pytest.approx(printed(*at), rel=32 * eps)


@pytest.mark.parametrize(("E", "M"), [(8, 7), (4, 3), (2, 1)])
def test_critical_tokens_are_where_the_loss_is_least(E: int, M: int) -> None:
    found = minimize_scalar(lambda x: printed(1e9, np.exp(x), E, M, 128), bracket=(20, 40), tol=1e-10)
    got = float(jnp.log(LAW.critical_tokens(*numbers(1e9, E, M, 128))))
    # A minimum is seen to the root of the rounding of the loss.
    assert got == pytest.approx(found.x, abs=1e-5)


@pytest.mark.parametrize("P", [4.0, 8.0, 16.0])
def test_best_format_is_the_best_split_of_the_bits(P: float, eps: float) -> None:
    E, M = (float(x) for x in LAW.best_format(jnp.asarray(P)))
    assert pytest.approx(P, rel=8 * eps) == E + M + 1
    found = minimize_scalar(
        lambda E: printed(1e9, 1e11, E, P - 1 - E, 128), bounds=(0, P - 1), method="bounded", options={"xatol": 1e-9}
    )
    assert pytest.approx(found.x, abs=1e-5) == E


def test_effective_params_give_the_loss_of_an_unrounded_model() -> None:
    N, D, P, B = 1e9, 1e12, 6.0, 64.0
    E, M = (float(x) for x in LAW.best_format(jnp.asarray(P)))
    want = brentq(lambda x: n * np.exp(-alpha * x) + d / D**beta + epsilon - printed(N, D, E, M, B), 10, 30, xtol=1e-12)
    # A relative error of the loss is one of log N_eff times loss / (alpha (size term)): about 20.
    assert float(jnp.log(LAW.effective_params(*numbers(N, D, P, B)))) == pytest.approx(want, rel=1e-6)


@pytest.mark.parametrize("D", [1e11, 1e13])
def test_optimal_bits_are_best_at_equal_compute(D: float) -> None:
    """N shrinks as 1 / P; the format is the best one of P bits."""

    def loss(P: float) -> float:
        E, M = (float(x) for x in LAW.best_format(jnp.asarray(P)))
        return printed(1e9 / P, D, E, M, 128)

    found = minimize_scalar(loss, bounds=(2, 14), method="bounded", options={"xatol": 1e-7})
    # In float32 the format is good to 1e-7, the loss to 1e-7, its minimum to the root of that.
    assert float(LAW.optimal_bits(*numbers(D, 128))) == pytest.approx(found.x, abs=5e-3)


def test_a_scale_per_channel() -> None:
    assert np.log2(CHANNEL) == pytest.approx(13.1567, abs=1e-12)
