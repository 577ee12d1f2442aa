r"""How independent units scatter about a fit: its residuals, after what the fit itself took from them is given back.

With M what a linear fit leaves of the noise (the identity less the hat matrix U U' of the law's Jacobian), residuals
of n rows and p parameters are M times the noise, whichever penalty chose the optimum, once they are projected by M.

- `own`: every unit's residuals times $(I - U_g U_g')^{-1/2}$, which are of the right size on average where all noise
  is alike (HC2 of MacKinnon & White 1985; CR2 of Bell & McCaffrey 2002 for units of several rows).
- pooled: a variance that a unit's rows share and one that each has for itself, by the moments of M times the noise.
- freedom: of the pooled variance, $\mathrm{tr}(AV)^2 / \mathrm{tr}(AVAV)$ (Satterthwaite 1946); n - p for single rows.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import gammainccinv

from jaxscale.core.errors import BadInput
from jaxscale.core.evaluate import predict
from jaxscale.infer.search.problem import FitProblem

_RANK = 1e-6  # of the largest singular value: directions below it are rounding, in either precision
_LEVELS = 1024
_SATURATED = 1e-4  # share of its noise that a fit leaves in a unit, below which its residuals say nothing


class UnitNoise(eqx.Module):
    """What is drawn around a fit, row by row, in the residual's unit.

    - `own`: a unit's residuals, corrected for leverage. `shared`, `row`: pooled standard deviations of the noise that
      a unit's rows share, and of each row's own; the latter is 0 where every unit is one row.
    - `freedom`: degrees of freedom of these two, at least 1, shape (2,).
    - `widths`: the root of freedom over a chi-square, by what an estimated size misses its truth: for each of the two
      as many equally likely values, rising. A table costs the compiler less than a gamma variate.
    """

    own: Float[Array, " n"]
    shared: Float[Array, " n"]
    row: Float[Array, " n"]
    freedom: Float[Array, " 2"]
    widths: Float[Array, "2 levels"]

    def width(self, uniform: Float[Array, " 2"]) -> Float[Array, " 2"]:
        """One value of each, from numbers in [0, 1)."""
        level = jnp.minimum((uniform * _LEVELS).astype(jnp.int32), _LEVELS - 1)
        return self.widths[jnp.arange(2), level]


class Linearised(NamedTuple):
    """Of the rows that count: residuals projected by M and an orthonormal basis U of what the fit can follow."""

    left: np.ndarray
    basis: np.ndarray

    @property
    def freedom(self) -> int:
        return len(self.left) - self.basis.shape[1]


def unit_noise(problem: FitProblem, of_row: np.ndarray) -> UnitNoise:
    """The noise about the problem's template, of units numbered `of_row` (n,)."""
    used = np.asarray(problem.runs.weight) > 0
    residual, jacobian, scale = (np.asarray(x, np.float64)[used] for x in _linear(problem))
    _, unit = np.unique(of_row[used], return_inverse=True)
    fitted = linearised(residual / scale, jacobian / scale[:, None])
    if fitted.freedom < 1:
        raise BadInput(
            f"wild: expected more rows than the law's {fitted.basis.shape[1]} parameters, got {len(unit)}, of which "
            "the fit leaves no residuals; add runs, or use `scheme=Bayesian()` with priors"
        )
    shared, row, freedom, row_freedom = pooled(fitted, unit)
    dtype = problem.runs.target.dtype

    def wide(x: np.ndarray) -> Array:
        whole = np.zeros(len(used))
        whole[used] = x * scale
        return jnp.asarray(whole, dtype)

    one = np.ones(len(unit))
    freedom = np.array([freedom, row_freedom])
    middle = (np.arange(_LEVELS) + 0.5) / _LEVELS
    widths = np.sqrt(freedom / (2 * gammainccinv(freedom / 2, middle[:, None]))).T
    return UnitNoise(
        wide(corrected(fitted, unit)),
        wide(shared * one),
        wide(row * one),
        jnp.asarray(freedom, dtype),
        jnp.asarray(widths, dtype),
    )


def linearised(residual: np.ndarray, jacobian: np.ndarray) -> Linearised:
    """From residuals (n,) and their derivatives (n, p); a parameter that moves nothing follows nothing."""
    size = np.linalg.norm(jacobian, axis=0)
    left, singular, _ = np.linalg.svd(jacobian / np.where(size > 0, size, 1.0), full_matrices=False)
    basis = left[:, singular > _RANK * singular.max(initial=0.0)]
    return Linearised(residual - basis @ (basis.T @ residual), basis)


def corrected(fitted: Linearised, unit: np.ndarray) -> np.ndarray:
    """Residuals (n,) times the inverse root of what the fit leaves of their unit's noise; 0 where it leaves none."""
    if len(unit) == unit.max() + 1:
        kept = 1 - np.sum(fitted.basis**2, axis=1)
        return np.where(kept > _SATURATED, fitted.left / np.sqrt(np.maximum(kept, _SATURATED)), 0.0)
    found = fitted.left.copy()
    for number in range(unit.max() + 1):
        rows = unit == number
        # The rest of the block's eigenvalues are 1: only directions in the span of its own rows of U are changed.
        across, size, _ = np.linalg.svd(fitted.basis[rows], full_matrices=False)
        kept = 1 - np.minimum(size, 1.0) ** 2
        root = np.where(kept > _SATURATED, 1 / np.sqrt(np.maximum(kept, _SATURATED)), 0.0)
        found[rows] += across @ ((root - 1) * (across.T @ fitted.left[rows]))
    return found


def pooled(fitted: Linearised, unit: np.ndarray) -> tuple[float, float, float, float]:
    """Standard deviations of the shared and of the rows' own noise, and the degrees of freedom of each."""
    n, rest = len(unit), max(fitted.freedom, 1)
    size = np.bincount(unit).astype(float)
    total = float(fitted.left @ fitted.left)
    if len(size) == n:
        return np.sqrt(total / rest), 0.0, float(rest), 1.0
    sums = np.zeros((len(size), fitted.basis.shape[1]))
    np.add.at(sums, unit, fitted.basis)
    within = np.diag(size) - sums @ sums.T  # Z' M Z, with Z the units' indicators
    half = within / np.sqrt(size)[:, None]
    between = float(np.sum(np.bincount(unit, fitted.left) ** 2 / size))
    # Expected sums of squares, in all and of the units' means, by a row's variance and by the shared one.
    expected = np.array([[fitted.freedom, np.trace(within)], [np.sum(np.diag(within) / size), np.sum(half**2)]])
    row, shared = _moments(expected, np.array([total, between]))
    quadratic = row * half / np.sqrt(size)[None, :] + shared * half @ half.T
    squares = float(np.sum(quadratic**2))
    freedom = float(np.trace(quadratic)) ** 2 / squares if squares > 0 else 1.0
    row_rest = max(fitted.freedom - len(size), 1)
    return np.sqrt(shared), np.sqrt(row), max(freedom, 1.0), float(row_rest)


def _moments(expected: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Variances of rows and of units whose expected sums are `seen`; where one is negative, the other alone."""
    if np.linalg.matrix_rank(expected) == 2:
        found = np.linalg.solve(expected, seen)
        if found.min() >= 0:
            return found
        if found[1] >= 0:
            return np.array([0.0, seen[1] / expected[1, 1]])
    return np.array([seen[0] / max(expected[0, 0], 1.0), 0.0])


@eqx.filter_jit
def _linear(problem: FitProblem) -> tuple[Array, Array, Array]:
    """Residuals (n,), their derivatives by the free parameters (n, p), and their scale (n,) as the objective has it."""
    objective, runs = problem.template.objective, problem.runs.sheltered()

    def residual(z: Array) -> tuple[Array, Array]:
        found = objective.residual(predict(problem.split.tree(z).law, runs), runs)
        return found, found

    def slope(of: object) -> Array:
        return jax.jvp(of, (prediction,), (jnp.ones_like(prediction),))[1]  # pyright: ignore

    prediction = predict(problem.template.law, runs)
    jacobian, here = jax.jacfwd(residual, has_aux=True)(problem.split.vector())
    relative = slope(lambda x: objective.residual(x, runs)) / slope(lambda x: objective.outputs(x, runs)[:, 0])
    return here, jacobian, jnp.abs(relative)
