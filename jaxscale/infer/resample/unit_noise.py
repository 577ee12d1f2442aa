r"""How independent units scatter about a fit: its residuals, after what the fit itself took from them is given back.

With M what a linear fit leaves of the noise (the identity less the hat matrix U U' of the law's Jacobian), residuals
of n rows and p parameters are M times the noise, whichever penalty chose the optimum, once they are projected by M.

- `own`: every unit's residuals times $A_g = (I - U_g U_g')^{-1/2}$, of the right size on average where all noise is
  alike (HC2 of MacKinnon & White 1985; CR2 of Bell & McCaffrey 2002 for units of several rows). Nothing is assumed of
  the noise within a unit: it may be shared by its rows, grow along them, or be each row's own.
- freedom: of the variance $\sum_g (\ell_g' A_g r_g)^2$ that own residuals r give an estimate $\ell' y$, $(\mathrm{tr}\,
  \Omega)^2 / \mathrm{tr}\,\Omega^2$ with $\Omega_{gh} = \ell_g' A_g M_g V M_h' A_h \ell_h$ (Satterthwaite 1946; Bell &
  McCaffrey 2002), where V is a variance that a unit's rows share and one that each has for itself (Imbens & Kolesar
  2016), pooled by the moments of M times the noise. Near 1 where one unit decides the estimate.
"""

from collections.abc import Iterator
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
_LEVELS = 256
_TOGETHER = 256  # columns of weights, for the memory that they take
_SATURATED = 1e-4  # share of its noise that a fit leaves in a unit, below which its residuals say nothing


class UnitNoise(eqx.Module):
    """What is drawn around a fit, row by row, in the residual's unit.

    - `own`: a unit's residuals, corrected for leverage.
    - `widths`: the root of freedom over a chi-square, by what a unit's estimated size misses its truth, where the
      estimate is the unit's own fitted value: equally likely values, rising. A table costs the compiler less than a
      chi-square variate.
    """

    own: Float[Array, " n"]
    widths: Float[Array, "levels n"]

    def width(self, uniform: Float[Array, ""]) -> Float[Array, " n"]:
        """That of all units from one number in [0, 1): wide together, so that sums of many are no wider than each."""
        level = (uniform * _LEVELS).astype(jnp.int32)
        return self.widths[jnp.minimum(level, _LEVELS - 1)]


class Linearised(NamedTuple):
    """Of the rows that count: residuals projected by M and an orthonormal basis U of what the fit can follow."""

    left: np.ndarray
    basis: np.ndarray

    @property
    def freedom(self) -> int:
        return len(self.left) - self.basis.shape[1]


class Scatter(NamedTuple):
    """A fit's residuals by unit: of the rows that count (`used`), over their `scale` as the objective has it."""

    fitted: Linearised
    unit: np.ndarray
    used: np.ndarray
    scale: np.ndarray

    def own(self) -> np.ndarray:
        """Residuals (n,) of all rows, corrected for leverage."""
        whole = np.zeros(len(self.used))
        whole[self.used] = own(self.fitted, self.unit) * self.scale
        return whole

    def freedom(self, weights: np.ndarray) -> np.ndarray:
        """Of the variances of estimates that are weights (n, k) times the noise, shape (k,)."""
        return freedom(self.fitted, self.unit, weights[self.used] * self.scale[:, None])


def scatter(problem: FitProblem, of_row: np.ndarray) -> Scatter:
    """About the problem's template, of units numbered `of_row` (n,)."""
    used = np.asarray(problem.runs.weight) > 0
    residual, jacobian, scale = (np.asarray(x, np.float64)[used] for x in _linear(problem))
    _, unit = np.unique(of_row[used], return_inverse=True)
    fitted = linearised(residual / scale, jacobian / scale[:, None])
    if fitted.freedom < 1:
        raise BadInput(
            f"wild: expected more rows than the law's {fitted.basis.shape[1]} parameters, got {len(unit)}, of which "
            "the fit leaves no residuals; add runs, or use `scheme=Bayesian()` with priors"
        )
    return Scatter(fitted, unit, used, scale)


def unit_noise(problem: FitProblem, of_row: np.ndarray) -> UnitNoise:
    """The noise about the problem's template, of units numbered `of_row` (n,)."""
    found = scatter(problem, of_row)
    lead = _leads(found.fitted, found.unit)
    some = range(0, len(lead), _TOGETHER)
    each = [freedom(found.fitted, found.unit, found.fitted.basis @ lead[i : i + _TOGETHER].T) for i in some]
    half = np.concatenate(each)[found.unit] / 2
    middle = (np.arange(_LEVELS) + 0.5) / _LEVELS
    widths = np.ones((_LEVELS, len(found.used)))
    widths[:, found.used] = np.sqrt(half / gammainccinv(half, middle[:, None]))
    dtype = problem.runs.target.dtype
    return UnitNoise(jnp.asarray(found.own(), dtype), jnp.asarray(widths, dtype))


def linearised(residual: np.ndarray, jacobian: np.ndarray) -> Linearised:
    """From residuals (n,) and their derivatives (n, p); a parameter that moves nothing follows nothing."""
    size = np.linalg.norm(jacobian, axis=0)
    left, singular, _ = np.linalg.svd(jacobian / np.where(size > 0, size, 1.0), full_matrices=False)
    basis = left[:, singular > _RANK * singular.max(initial=0.0)]
    return Linearised(residual - basis @ (basis.T @ residual), basis)


def own(fitted: Linearised, unit: np.ndarray) -> np.ndarray:
    """Residuals (n,), corrected; where the fit leaves nothing of a unit's noise, of the pooled size."""
    shared, row = pooled(fitted, unit)
    found = corrected(fitted, unit, fitted.left[:, None])[:, 0]
    for rows, across, kept in _blocks(fitted, unit):
        lost = across[:, kept <= _SATURATED]
        found[rows] += lost @ np.sqrt(shared * np.sum(lost, axis=0) ** 2 + row)
    return found


def corrected(fitted: Linearised, unit: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Columns x (n, k) times the inverse root of what the fit leaves of each unit's noise; 0 where it leaves none."""
    found = x.copy()
    for rows, across, kept in _blocks(fitted, unit):
        root = np.where(kept > _SATURATED, 1 / np.sqrt(np.maximum(kept, _SATURATED)), 0.0)
        found[rows] += across @ ((root - 1)[:, None] * (across.T @ x[rows]))
    return found


def _blocks(fitted: Linearised, unit: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Rows of every unit, directions among them that the fit can follow, and the share of noise it leaves there."""
    for rows in _rows(unit):
        across, size, _ = np.linalg.svd(fitted.basis[rows], full_matrices=False)
        yield rows, across, 1 - np.minimum(size, 1.0) ** 2


def freedom(fitted: Linearised, unit: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Degrees of freedom of the variance by own residuals of estimates that are weights (n, k) times the rows."""
    shared, row = pooled(fitted, unit)
    shared, row = (shared, row) if shared + row > 0 else (0.0, 1.0)
    count, size = unit.max() + 1, fitted.basis.shape[1]

    rows = _rows(unit)
    order, first = np.concatenate(rows), np.cumsum([0, *map(len, rows[:-1])])

    def summed(x: np.ndarray) -> np.ndarray:
        return np.add.reduceat(x[order], first, axis=0)

    b, of_units = corrected(fitted, unit, weights), summed(fitted.basis)
    sums, squares = summed(b), summed(b**2)
    found = np.full(weights.shape[1], float(count - size))  # the pooled variance's, where own residuals are none
    for k in range(weights.shape[1]):
        # Omega is a diagonal and, as M is the identity less U U', a matrix of rank 2p.
        through = summed(b[:, k, None] * fitted.basis)
        factor = np.concatenate([through, sums[:, k, None] * of_units], axis=1)
        inner = np.zeros((2 * size, 2 * size))
        inner[:size, :size] = shared * of_units.T @ of_units - row * np.eye(size)
        inner[:size, size:] = inner[size:, :size] = -shared * np.eye(size)
        diagonal = row * squares[:, k] + shared * sums[:, k] ** 2
        lower = np.sum((factor @ inner) * factor, axis=1)
        across = inner @ (factor.T @ factor)
        trace = np.sum(diagonal + lower)
        square = np.sum(diagonal**2 + 2 * diagonal * lower) + np.sum(across * across.T)
        if np.any(squares[:, k] > 0):
            found[k] = trace**2 / square
    return np.maximum(found, 1.0)


def pooled(fitted: Linearised, unit: np.ndarray) -> tuple[float, float]:
    """Variances of the noise that a unit's rows share and of each row's own; all is the row's where units are rows."""
    n, rest = len(unit), max(fitted.freedom, 1)
    size = np.bincount(unit).astype(float)
    total = float(fitted.left @ fitted.left)
    if len(size) == n:
        return 0.0, total / rest
    sums = np.zeros((len(size), fitted.basis.shape[1]))
    np.add.at(sums, unit, fitted.basis)
    within = np.diag(size) - sums @ sums.T  # Z' M Z, with Z the units' indicators
    half = within / np.sqrt(size)[:, None]
    between = float(np.sum(np.bincount(unit, fitted.left) ** 2 / size))
    # Expected sums of squares, in all and of the units' means, by a row's variance and by the shared one.
    expected = np.array([[fitted.freedom, np.trace(within)], [np.sum(np.diag(within) / size), np.sum(half**2)]])
    row, shared = _moments(expected, np.array([total, between]))
    return float(shared), float(row)


def _rows(unit: np.ndarray) -> list[np.ndarray]:
    """Numbers of every unit's rows."""
    order = np.argsort(unit, kind="stable")
    return np.split(order, np.searchsorted(unit[order], np.arange(1, unit.max() + 1)))


def _leads(fitted: Linearised, unit: np.ndarray) -> np.ndarray:
    """What each unit's rows have most leverage on, in the basis (units, p): their fitted value, where they are one."""
    return np.stack([np.linalg.svd(fitted.basis[rows], full_matrices=False)[2][0] for rows in _rows(unit)])


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
