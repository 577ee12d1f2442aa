"""The tridiagonal form of a symmetric matrix, against NumPy's eigenvalues and solutions of the matrix itself."""

import numpy as np
import pytest

from jaxscale.infer.correction.tridiagonal import tridiagonal

EPS = np.finfo(float).eps


@pytest.mark.parametrize("size", [1, 2, 3, 40, 130])
def test_it_is_the_same_matrix(size: int) -> None:
    rng = np.random.default_rng(size)
    root = rng.standard_normal((size, size)) * np.exp(-0.2 * np.arange(size))  # to nothing, as a kernel's
    a, b = root.T @ root, rng.standard_normal(size)
    found = tridiagonal(a)
    values = np.linalg.eigvalsh(a)
    scale = size * EPS * values[-1]
    np.testing.assert_allclose(found.eigenvalues(), values, atol=8 * scale)
    np.testing.assert_allclose(found.back(found.turned(b)), b, atol=8 * size * EPS * np.linalg.norm(b))
    # Backward stable: off by the condition of the penalised matrix.
    penalty = 0.1
    solved = found.back(found.solved(penalty, found.turned(b)))
    expected = np.linalg.solve(a + penalty * np.eye(size), b)
    assert np.linalg.norm(solved - expected) <= 16 * scale / penalty * np.linalg.norm(expected) + 16 * size * EPS
