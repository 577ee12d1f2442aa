"""BitLevel: its two ways of writing, and the optimal width by Lambert's W and by search."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import lambertw

from jaxscale.laws.precision.ding2025 import BitLevel


@pytest.mark.parametrize("b", [2.0, 4.0, 16.0])
def test_is_a_power_of_total_bits_times_the_factor_of_the_format(b: float, eps: float) -> None:
    law, N, bits = BitLevel(), jnp.asarray(1e9, dtype=float), jnp.asarray(b, dtype=float)
    want = float(law.E) + float(law.K) * (1e9 * b) ** -float(law.g) * float(law.format_factor(bits))
    assert float(law(N, bits)) == pytest.approx(want, rel=32 * eps)


@pytest.mark.parametrize(("b_0", "w", "g"), [(2.5, 0.7, 0.34), (4.0, 0.5, 0.1), (1.5, 0.3, 0.8), (12.0, 1.0, 0.05)])
def test_optimal_bits(b_0: float, w: float, g: float, eps: float) -> None:
    got = float(BitLevel(b_0=b_0, w=w, g=g).optimal_bits())
    closed = w * (g - lambertw(-g * np.exp(g - b_0 / w), -1).real)
    assert got == pytest.approx(closed, rel=64 * eps)
    found = minimize_scalar(
        lambda b: g * np.log(b) + np.log1p(np.exp((b_0 - b) / w)), bounds=(closed / 2, 2 * closed), method="bounded"
    )
    assert got == pytest.approx(found.x, rel=1e-4)


def test_no_optimum_is_not_a_number() -> None:
    """With b_0 far below w the cost never grows fast enough: fewer bits are always better."""
    assert np.isnan(float(BitLevel(b_0=0.1, w=2.0, g=0.9).optimal_bits()))
