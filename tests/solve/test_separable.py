"""Bounded least squares against SciPy's active-set solvers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import lsq_linear, nnls

from jaxscale.solve.separable import bounded_least_squares

SOLVE = jax.jit(bounded_least_squares)


@pytest.mark.parametrize("seed", range(4))
def test_non_negative(seed: int, eps: float) -> None:
    rng = np.random.default_rng(seed)
    design, target = rng.standard_normal((30, 4)) * np.logspace(-3, 3, 4), rng.standard_normal(30)
    expected, norm = nnls(design, target)
    found = np.asarray(SOLVE(*(jnp.asarray(v, dtype=float) for v in (design, target, np.zeros(4)))), np.float64)
    assert np.all(found >= 0)
    # Well-conditioned columns: coordinate descent has converged after 200 sweeps to rounding.
    assert np.linalg.norm(design @ found - target) == pytest.approx(norm, rel=1e3 * eps)
    np.testing.assert_allclose(found * np.logspace(-3, 3, 4), expected * np.logspace(-3, 3, 4), atol=1e3 * eps)


def test_mixed_bounds(eps: float) -> None:
    rng = np.random.default_rng(9)
    design, target = rng.standard_normal((25, 3)), rng.standard_normal(25)
    lower = np.array([-np.inf, 0.2, 0.0])
    expected = lsq_linear(design, target, (lower, np.inf), tol=1e-14).x
    found = SOLVE(*(jnp.asarray(v, dtype=float) for v in (design, target, lower)))
    np.testing.assert_allclose(found, expected, atol=1e-6 + 1e3 * eps)


def test_a_column_of_zeros_stays_at_its_bound() -> None:
    design = jnp.asarray(np.stack([np.ones(5), np.zeros(5)], axis=1), dtype=float)
    found = SOLVE(design, jnp.full(5, 2.0), jnp.zeros(2))
    np.testing.assert_allclose(found, [2.0, 0.0], atol=1e-6)
