"""Noise about a fit, by what the same linear algebra gives in full matrices, and by simulation at a known truth."""

import numpy as np
import pytest
from scipy.linalg import fractional_matrix_power

from jaxscale.infer.resample.unit_noise import corrected, linearised, pooled


@pytest.fixture
def design() -> tuple[np.ndarray, np.ndarray]:
    """Three columns, and units of one to four rows."""
    unit = np.repeat(np.arange(9), [4, 3, 1, 2, 4, 4, 1, 3, 2])
    x = np.random.default_rng(2).uniform(-1, 1, len(unit))
    return np.stack([np.ones_like(x), x, x**2], axis=1), unit


def full(design: np.ndarray) -> np.ndarray:
    return np.eye(len(design)) - design @ np.linalg.pinv(design)


def test_own_residuals_are_divided_by_the_root_of_their_block(design: tuple[np.ndarray, np.ndarray]) -> None:
    columns, unit = design
    y = np.random.default_rng(3).standard_normal(len(unit))
    left = full(columns) @ y
    expected = np.concatenate(
        [fractional_matrix_power(full(columns)[np.ix_(unit == g, unit == g)], -0.5) @ left[unit == g] for g in range(9)]
    )
    np.testing.assert_allclose(corrected(linearised(y, columns), unit), expected, atol=1e-10)
    # Of single rows: by the root of one less the leverage.
    alone = corrected(linearised(y, columns), np.arange(len(unit)))
    np.testing.assert_allclose(alone, left / np.sqrt(np.diag(full(columns))), atol=1e-12)


def test_whatever_penalty_chose_the_optimum(design: tuple[np.ndarray, np.ndarray]) -> None:
    """Residuals off the optimum of least squares differ by what the columns span, which is projected out."""
    columns, unit = design
    y = np.random.default_rng(4).standard_normal(len(unit))
    aside = y + columns @ [3.0, -2.0, 0.5]
    np.testing.assert_allclose(linearised(aside, columns).left, linearised(y, columns).left, atol=1e-12)


def test_pooled_variances_are_right_on_average(design: tuple[np.ndarray, np.ndarray]) -> None:
    """Moments are linear in squares of noise: their mean over simulations is the truth where none was cut at 0."""
    columns, unit = design
    rng = np.random.default_rng(5)
    shared, row = 2.0, 0.7
    found = []
    for _ in range(2000):
        y = shared * rng.standard_normal(9)[unit] + row * rng.standard_normal(len(unit))
        found.append(pooled(linearised(y, columns), unit))
    a, b, freedom, rest = np.array(found).T
    for values, truth in ((a**2, shared**2), (b**2, row**2)):
        assert values.mean() == pytest.approx(truth, abs=4 * values.std() / np.sqrt(len(values)))
    # Satterthwaite: twice the squared mean of an estimate over its variance.
    assert np.median(freedom) == pytest.approx(2 * np.mean(a**2) ** 2 / np.var(a**2), rel=0.25)
    assert rest[0] == len(unit) - 3 - 9


def test_single_rows_have_the_ordinary_variance(design: tuple[np.ndarray, np.ndarray]) -> None:
    columns, unit = design
    y = np.random.default_rng(6).standard_normal(len(unit))
    shared, row, freedom, _ = pooled(linearised(y, columns), np.arange(len(unit)))
    assert shared**2 == pytest.approx(float(y @ full(columns) @ y) / (len(unit) - 3))
    assert (row, freedom) == (0.0, len(unit) - 3)


def test_a_row_that_is_fitted_whatever_it_says_has_no_residual() -> None:
    columns = np.stack([np.ones(6), np.eye(6)[0]], axis=1)
    found = corrected(linearised(np.arange(6.0) ** 2, columns), np.arange(6))
    assert found[0] == 0
    assert np.all(found[1:] != 0)


def test_a_parameter_that_moves_nothing_takes_no_freedom() -> None:
    columns = np.stack([np.ones(6), np.zeros(6)], axis=1)
    assert linearised(np.arange(6.0), columns).freedom == 5
