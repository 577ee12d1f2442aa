"""A robust scale against SciPy's, and on draws of a known one."""

import jax.numpy as jnp
import numpy as np
from scipy.stats import median_abs_deviation

from jaxscale.core.numerics.robust import robust_scale


def test_it_is_scipys_about_zero(eps: float) -> None:
    residual = np.random.default_rng(0).standard_t(3, 201)
    expected = median_abs_deviation(residual, center=lambda x, axis: 0.0 * np.mean(x, axis=axis), scale="normal")
    # SciPy has the constant to all digits.
    np.testing.assert_allclose(robust_scale(residual), expected, rtol=2e-5)
    np.testing.assert_allclose(float(robust_scale(jnp.asarray(residual), jnp)), robust_scale(residual), rtol=4 * eps)


def test_wild_and_missing_ones_do_not_move_it() -> None:
    residual = np.random.default_rng(1).normal(0, 0.01, 1000)
    wild = np.r_[residual, np.full(20, 5.0), np.full(20, np.nan)]
    assert abs(robust_scale(wild) / robust_scale(residual) - 1) < 0.05
