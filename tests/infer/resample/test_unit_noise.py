"""Noise about a fit, by what the same linear algebra gives in full matrices, and by simulation at a known truth."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.linalg import fractional_matrix_power

from jaxscale.core.runs import Runs
from jaxscale.infer.fit.fit import fit
from jaxscale.infer.resample.unit_noise import corrected, freedom, linearised, own, pooled, unit_noise
from jaxscale.objectives.penalty import raw_least_squares


@pytest.fixture
def design() -> tuple[np.ndarray, np.ndarray]:
    """Three columns, and units of one to four rows."""
    unit = np.repeat(np.arange(9), [4, 3, 1, 2, 4, 4, 1, 3, 2])
    x = np.random.default_rng(2).uniform(-1, 1, len(unit))
    return np.stack([np.ones_like(x), x, x**2], axis=1), unit


def full(design: np.ndarray) -> np.ndarray:
    return np.eye(len(design)) - design @ np.linalg.pinv(design)


def roots(design: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """A of all units, block by block."""
    root = np.zeros((len(unit), len(unit)))
    for g in range(unit.max() + 1):
        block = np.ix_(unit == g, unit == g)
        root[block] = fractional_matrix_power(full(design)[block], -0.5)
    return root


def test_own_residuals_are_divided_by_the_root_of_their_block(design: tuple[np.ndarray, np.ndarray]) -> None:
    columns, unit = design
    y = np.random.default_rng(3).standard_normal(len(unit))
    fitted, left = linearised(y, columns), full(columns) @ y
    found = corrected(fitted, unit, fitted.left[:, None])[:, 0]
    np.testing.assert_allclose(found, roots(columns, unit) @ left, atol=1e-10)
    # Of single rows: by the root of one less the leverage.
    alone = corrected(fitted, np.arange(len(unit)), fitted.left[:, None])[:, 0]
    np.testing.assert_allclose(alone, left / np.sqrt(np.diag(full(columns))), atol=1e-12)


def test_their_variance_has_the_freedom_of_bell_and_mccaffrey(design: tuple[np.ndarray, np.ndarray]) -> None:
    """Of the estimates, by full matrices of which no structure is used."""
    columns, unit = design
    indicator = np.eye(9)[unit]
    y = 1.5 * np.random.default_rng(7).standard_normal(9)[unit] + np.random.default_rng(8).standard_normal(len(unit))
    fitted, weights = linearised(y, columns), np.linalg.pinv(columns).T
    for number, units in ((unit, indicator), (np.arange(len(unit)), np.eye(len(unit)))):
        shared, row = pooled(fitted, number)
        noise = shared * units @ units.T + row * np.eye(len(unit))
        for found, ell in zip(freedom(fitted, number, weights), weights.T, strict=True):
            steps = (roots(columns, number) @ np.diag(ell) @ units).T @ full(columns)
            omega = steps @ noise @ steps.T
            assert found == pytest.approx(np.trace(omega) ** 2 / np.sum(omega**2), rel=1e-9)


def test_freedom_is_that_of_the_estimated_variance_in_simulation(design: tuple[np.ndarray, np.ndarray]) -> None:
    """Satterthwaite: twice the squared mean of a variance over its own variance; and its mean is the truth."""
    columns, unit = design
    y = np.random.default_rng(9).standard_normal((20_000, len(unit)))
    root, weights = roots(columns, np.arange(len(unit))), np.linalg.pinv(columns)
    left = y @ full(columns) @ root
    seen = left**2 @ weights.T**2
    expected = freedom(linearised(y[0], columns), np.arange(len(unit)), weights.T)
    # An estimate of a variance of m draws of a chi-square with v degrees of freedom: relative error sqrt((2 + 12/v)/m).
    error = np.sqrt((2 + 12 / expected) / len(y))
    np.testing.assert_array_less(np.abs(2 * seen.mean(axis=0) ** 2 / seen.var(axis=0) / expected - 1), 5 * error)
    truth = np.sum(weights**2, axis=1)
    np.testing.assert_array_less(np.abs(seen.mean(axis=0) / truth - 1), 5 * np.sqrt(2 / expected / len(y)))


def test_equal_means_of_two_samples_have_the_freedom_of_welch() -> None:
    """Two groups of single rows: (a + b)^2 / (a^2/(m-1) + b^2/(n-1)) with a, b the variances of their means."""
    m, n = 4, 9
    group = np.repeat([0, 1], [m, n])
    columns = np.eye(2)[group]
    weights = np.where(group == 0, -1 / m, 1 / n)[:, None]
    (found,) = freedom(linearised(np.random.default_rng(0).standard_normal(m + n), columns), np.arange(m + n), weights)
    assert found == pytest.approx((1 / m + 1 / n) ** 2 / (1 / m**2 / (m - 1) + 1 / n**2 / (n - 1)), rel=1e-9)


def test_units_widen_as_students_t(laws: dict[str, Any]) -> None:
    """A line through two rows at one end and 40 at the other: normals times widths are t of each mean."""
    x = np.repeat([1.0, 0.0], [2, 40])
    y = 5 + np.concatenate([[-1.0, 1.0], np.random.default_rng(0).standard_normal(40)])
    problem = fit(laws["Line"](), Runs.of({"x": x}, y), raw_least_squares(), starts=0).problem
    noise = unit_noise(problem, np.minimum(np.arange(problem.runs.size), 41))
    uniform = np.random.default_rng(1).random(20_000)
    width = np.asarray(jax.vmap(noise.width)(jnp.asarray(uniform, noise.own.dtype)), np.float64)
    normal = np.random.default_rng(2).standard_normal(len(width))
    for row, degrees in ((0, 1), (20, 39)):
        share = np.mean(np.abs(normal * width[:, row]) < stats.t.ppf(0.95, degrees))
        assert share == pytest.approx(0.9, abs=4 * np.sqrt(0.09 / len(width)))


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
    found = []
    for _ in range(2000):
        y = 2.0 * rng.standard_normal(9)[unit] + 0.7 * rng.standard_normal(len(unit))
        found.append(pooled(linearised(y, columns), unit))
    for values, truth in zip(np.array(found).T, (2.0**2, 0.7**2), strict=True):
        assert values.mean() == pytest.approx(truth, abs=4 * values.std() / np.sqrt(len(values)))


def test_single_rows_have_the_ordinary_variance(design: tuple[np.ndarray, np.ndarray]) -> None:
    columns, unit = design
    y = np.random.default_rng(6).standard_normal(len(unit))
    shared, row = pooled(linearised(y, columns), np.arange(len(unit)))
    assert (shared, row) == (0.0, pytest.approx(float(y @ full(columns) @ y) / (len(unit) - 3)))


def test_a_row_that_is_fitted_whatever_it_says_has_the_size_of_the_others() -> None:
    """A mean of one row, and a mean of five: s, and the residuals of the five over the root of four fifths."""
    columns = np.stack([np.eye(6)[0], 1 - np.eye(6)[0]], axis=1)
    y = np.arange(6.0) ** 2
    fitted = linearised(y, columns)
    found = own(fitted, np.arange(6))
    assert abs(found[0]) == pytest.approx(np.std(y[1:], ddof=1))
    np.testing.assert_allclose(found[1:], (y[1:] - y[1:].mean()) / np.sqrt(0.8))
    weights = np.linalg.pinv(columns).T
    np.testing.assert_allclose(freedom(fitted, np.arange(6), weights), [4, 4])


def test_a_parameter_that_moves_nothing_takes_no_freedom() -> None:
    columns = np.stack([np.ones(6), np.zeros(6)], axis=1)
    assert linearised(np.arange(6.0), columns).freedom == 5
