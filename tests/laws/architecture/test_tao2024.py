"""Vocabulary laws: the token formula, the step table, the optimum by numerical search, the authors' units."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from jaxscale.core.law import from_published
from jaxscale.laws.architecture.tao2024 import (
    VocabularyByCompute,
    VocabularyBySize,
    VocabularyLoss,
    smooth_width,
    tabled_width,
    tokens_per_character,
)

A1, A2, B, E = 1.8313851559554126, 0.19584238398665638, 2.1241123120064955, 5.5327846803337435
ALPHA, ALPHA_2 = 0.44660634152009615, 0.6707374679896795
SIZES = (3.3e7, 8.5e7, 1.51e8, 3.02e8, 6.3e8, 1.13e9, 2.87e9, 7e9, 13e9, 30e9, 70e9, 130e9, 300e9)


def numbers(*values: float):
    return tuple(jnp.asarray(value, dtype=float) for value in values)


def f(V: float) -> float:
    return 0.00639222 * np.log(V) ** 2 - 0.15811069 * np.log(V) + 1.20470122


@pytest.mark.parametrize("per", [1.0, 1000.0])
def test_equals_the_formula_in_millions_and_billions(per: float, eps: float) -> None:
    law = VocabularyLoss(per=per)
    for N, V, d, H in ((3.3e7, 4096, 512, 8e8), (1.13e9, 96256, 2048, 2e11)):
        want = A1 * (N / 1e6) ** -ALPHA + A2 * (V * d / 1e6) ** -ALPHA_2 + B * (H * f(V / per) / 1e9) ** -ALPHA - E
        # Coefficients of 2e4 meet powers of 1e-4, whose exponents of 10 are rounded.
        assert float(law(*numbers(N, V, d, H))) == pytest.approx(want, abs=32 * eps * E)


def test_tokens_of_a_text(eps: float) -> None:
    assert float(tokens_per_character(*numbers(32000))) == pytest.approx(f(32000), rel=32 * eps)
    assert float(tokens_per_character(*numbers(1e6))) == pytest.approx(f(2e5), rel=32 * eps)


def test_widths() -> None:
    """Steps are right at their edges, and the smooth surrogate follows them at the sizes the authors name."""
    table = {3.3e7: 512, 5e7: 512, 5.1e7: 768, 2.87e9: 3200, 7e9: 4096, 13e9: 5120, 30e9: 6048, 70e9: 8192, 2e12: 24576}
    for size, width in table.items():
        assert float(tabled_width(*numbers(size))) == width
    ratio = np.array([float(smooth_width(*numbers(x)) / tabled_width(*numbers(x))) for x in SIZES])
    assert np.abs(np.log(ratio)).max() < np.log(1.18)
    assert np.abs(np.log(ratio).mean()) < 0.02


@pytest.mark.parametrize(("N", "C"), [(3.3e7, 1e18), (7e9, 7e21), (7e10, 1e24)])
def test_optimum_is_best_at_equal_compute(N: float, C: float) -> None:
    """Tokens are what the compute leaves for N + V d parameters."""

    def loss(log_vocabulary: float) -> float:
        vocabulary = np.exp(log_vocabulary)
        tokens = C / 6 / (N + vocabulary)
        return A2 * (vocabulary / 1e6) ** -ALPHA_2 + B * (tokens / 1e9) ** -ALPHA

    want = minimize_scalar(loss, bounds=(10, 30), method="bounded", options={"xatol": 1e-10}).x
    assert np.log(float(VocabularyLoss().optimal_params(*numbers(N, C)))) == pytest.approx(want, abs=1e-5)


def test_derivatives_of_the_optimum() -> None:
    """Of ln N_v by ln C and ln N_nv: both sides of the equation for the root, differentiated."""

    def log_vocabulary(log_N: jax.Array, log_C: jax.Array) -> jax.Array:
        return jnp.log(VocabularyLoss().optimal_params(jnp.exp(log_N), jnp.exp(log_C)))

    N = 7e9
    at = numbers(np.log(N), np.log(7e21))
    share = 1 / (1 + N / np.exp(float(log_vocabulary(*at))))
    steepness = ALPHA_2 + 1 - (1 - ALPHA) * share
    want = (1 - ALPHA) * (1 - share) / steepness, ALPHA / steepness
    # In float32 a logarithm of 50 carries 4e-6, and so does the share.
    assert [float(x) for x in jax.grad(log_vocabulary, argnums=(0, 1))(*at)] == pytest.approx(want, rel=1e-5)


def test_no_optimum_within_reach_is_not_a_number() -> None:
    """With next to no loss to gain, the best vocabulary is less than 1e-13 of the model."""
    assert np.isnan(float(VocabularyLoss(A_2=1e-25).optimal_params(*numbers(7e9, 7e21))))


def test_approach_one_inverts(eps: float) -> None:
    law = from_published(VocabularyByCompute, "non_vocabulary")
    N = law(*numbers(1e21))
    assert float(jnp.log(law.compute_for(N))) == pytest.approx(np.log(1e21), rel=16 * eps)


def test_approach_two_is_anchored(eps: float) -> None:
    law = VocabularyBySize()
    ratio = float(law(*numbers(33e8)) / law(*numbers(33e6)))
    assert ratio == pytest.approx(100**0.8353974035228025, rel=32 * eps)
