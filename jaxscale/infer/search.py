"""The search of a fit: all starts through the objective's stages, the best one finished to rounding."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxscale.core.results import RESULTS
from jaxscale.core.runs import predict
from jaxscale.infer.identify import Identifiability
from jaxscale.infer.problem import FitProblem
from jaxscale.infer.rows import rows_per_call, solve_rows, unchanged
from jaxscale.solve.batch import Solutions, Solver
from jaxscale.solve.certificate import SAME, Certificate, count_optima
from jaxscale.solve.chart import Chart, chart_at, whitener
from jaxscale.solve.newton import Polished, polish
from jaxscale.solve.problem import evaluate

_APART = 5.0  # standard deviations: a round mode has lost twelve e-folds there
_FAR = 100.0  # times what two values are told apart by: ten times as far as the points of one round optimum lie
_CHARTS = 3  # tried of every stage
RESTARTS = 3  # kept of a fit's starts, for its refits
MIXING = 0.1  # a tenth of the majoriser keeps a chart regular where few runs lie in the quadratic part


class Optimum(eqx.Module):
    """The best point, and all that is asked of it."""

    polished: Polished
    model: Any
    reported: Float[Array, ""]
    prediction: Float[Array, " n"]
    jacobian: Float[Array, "n k p"]


@eqx.filter_jit
def curvature(problem: FitProblem, z: Array, mixing: Float[Array, ""]) -> Array:
    """The Gauss-Newton curvature from which charts are made."""
    return evaluate(problem, z, mixing).curvature


@eqx.filter_jit
def finish(problem: FitProblem, z: Array) -> Optimum:
    """Newton steps to rounding, then all that is asked of the point: one program instead of many small ones."""
    best = polish(problem, z)
    model = problem.split.tree(best.z)
    prediction, jacobian = predict(model.law, problem.runs), jax.jacfwd(problem.outputs)(best.z)
    return Optimum(best, model, problem.reported(best.z), prediction, jacobian)


def search(problem: FitProblem, z: np.ndarray, solver: Solver) -> tuple[Solutions, Optimum]:
    """Solve from every row of z (m, p), stage after stage, in a chart made at the best start.

    In a curved valley a chart made far from the optimum makes slow steps: where most starts use all of theirs, they go
    on in a chart made at the best point found.
    """
    dtype = problem.runs.target.dtype
    rows = rows_per_call(problem)
    own = unchanged(problem, rows)
    found = None
    for stage in problem.template.objective.stages(dtype):
        staged = eqx.tree_at(lambda p: p.split.template.objective, problem, stage)
        for _ in range(_CHARTS):
            centre = z[min(1, len(z) - 1)] if found is None else z[int(np.nanargmin(found.value))]
            chart = _chart(staged, centre, 1.0 if found is None else MIXING)
            y = chart.inverse(z)
            parts = []
            for first in range(0, len(y), rows):
                block = y[first : first + rows]
                padded = np.zeros((rows, y.shape[1]), dtype)
                padded[: len(block)] = block
                part = jax.device_get(solve_rows(staged, chart, jnp.asarray(padded), own, len(block), solver))
                kept = slice(len(block))
                parts.append(jax.tree.map(lambda x, kept=kept: x[kept], part))
            found = jax.tree.map(lambda *x: np.concatenate(x), *parts)
            z = np.asarray(found.z, np.float64)
            if np.mean(found.code == RESULTS.max_steps) < 0.5 or not np.isfinite(found.value).any():
                break
    assert found is not None
    value, codes = np.asarray(found.value, np.float64), np.asarray(found.code)
    good = codes == RESULTS.converged
    score = np.where((good | ~good.any()) & np.isfinite(value), value, np.inf)
    return found, finish(problem, jnp.asarray(z[int(np.argmin(score))], dtype))


def _chart(problem: FitProblem, centre: np.ndarray, mixing: float) -> Chart:
    dtype = problem.runs.target.dtype
    at = jnp.asarray(centre, dtype)
    shape = np.asarray(curvature(problem, at, jnp.asarray(mixing, dtype)))
    # A start so bad that its curvature is not finite says nothing about scale: leave coordinates as they are.
    return chart_at(
        jnp.asarray(centre, dtype), shape if np.all(np.isfinite(shape)) else np.eye(len(centre), dtype=dtype)
    )


def certify(
    problem: FitProblem,
    found: Solutions,
    best: Polished,
    identifiability: Identifiability,
    on_edge: tuple[str, ...],
    solver: Solver,
) -> Certificate:
    floor = float(_resolution(problem)) ** 2 * problem.runs.size
    value, codes = np.asarray(found.value, np.float64), np.asarray(found.code)
    same = _indistinct(problem, float(best.value))
    share, distinct, gap = count_optima(value, codes, same)
    inside = np.array([name not in on_edge for name in problem.split.names()], bool)
    hessian = np.asarray(best.hessian, np.float64)[np.ix_(inside, inside)]
    gradient = np.asarray(best.gradient, np.float64)[inside]
    size = np.sqrt(np.abs(np.diag(hessian)))
    size = np.where(size > 0, size, 1.0)
    finite = bool(np.all(np.isfinite(hessian)) and np.all(np.isfinite(gradient)))
    if not finite:  # no start found a usable point: nothing about it is to be called positive
        hessian, size = np.zeros_like(hessian), np.ones_like(size)
    eigenvalues = np.linalg.eigvalsh(hessian / np.outer(size, size)) if inside.any() else np.ones(1)
    norm = float(np.linalg.norm(whitener(jnp.asarray(hessian, best.z.dtype)).T @ gradient)) if finite else np.inf
    rtol = solver.tolerance(best.z.dtype)
    # The solver's own stopping rule: the decrease still to be had, against the value and its rounding.
    scale = float(np.sqrt(2 * (abs(float(best.value)) + floor / rtol)))
    ranked = np.where(np.isfinite(value), value, np.inf)
    reached = float(best.value) <= float(ranked.min()) + same
    any_good = bool(np.any(codes == RESULTS.converged))
    code = RESULTS.converged if any_good and reached else RESULTS(int(codes[int(np.argmin(ranked))]))
    # Beyond 1 / sqrt(eps) the squared condition of the normal equations exceeds what the precision resolves:
    # the direction is flat as far as anyone can tell.
    if code == RESULTS.converged and identifiability.condition > float(jnp.finfo(best.z.dtype).eps) ** -0.5:
        code = RESULTS.singular
    # A Hessian tells of one point, and on a ridge that ends at an edge of the support, or along which rounding has
    # bent it, of a determined one. Other starts know better.
    if code == RESULTS.converged and finite and _elsewhere(problem, found, best, inside):
        code = RESULTS.ambiguous
    return Certificate(
        code=code,
        starts=len(value),
        finished=int(np.sum(codes == RESULTS.converged)),
        share_best=share,
        distinct=distinct,
        second_gap=gap,
        gradient_norm=norm / scale,
        tolerance=float(np.sqrt(10 * rtol)),
        smallest_eigenvalue=float(eigenvalues[0]),
        condition=float(eigenvalues[-1] / eigenvalues[0]) if eigenvalues[0] > 0 else float("inf"),
        on_edge=on_edge,
    )


def _elsewhere(problem: FitProblem, found: Solutions, best: Polished, inside: np.ndarray) -> bool:
    """Whether a start reached the best value where, by the Hessian, it should be far above what is told apart."""
    same = _indistinct(problem, float(best.value))
    equal = (np.asarray(found.code) == RESULTS.converged) & (np.asarray(found.value) <= float(best.value) + same)
    away = (np.asarray(found.z, np.float64) - np.asarray(best.z, np.float64))[equal][:, inside]
    hessian = 0.5 * np.asarray(best.hessian, np.float64)[np.ix_(inside, inside)]
    rise = np.einsum("mi,ij,mj->m", away, hessian, away)
    # Each entry is a sum over the runs of terms that are known to rounding.
    unsure = np.einsum("mi,ij,mj->m", np.abs(away), np.abs(hessian), np.abs(away))
    rounding = problem.runs.size * float(jnp.finfo(best.z.dtype).eps)
    return bool(np.any(rise > _FAR * same + rounding * unsure))


def _indistinct(problem: FitProblem, value: float) -> float:
    """Two values this close belong to one optimum: a share of the value, or what the sum's rounding can do.

    Each output is known to its resolution, and a robust penalty has slope at most one.
    """
    dtype = problem.runs.target.dtype
    weight = float(np.sum(np.asarray(problem.runs.weight, np.float64)))
    return max(max(SAME, 32 * float(jnp.finfo(dtype).eps)) * abs(value), weight * float(_resolution(problem)))


@eqx.filter_jit
def _resolution(problem: FitProblem) -> Array:
    return problem.resolution()


def alternatives(problem: FitProblem, found: Solutions, best: Polished, most: int = 7) -> tuple[np.ndarray, ...]:
    """Distinct converged optima other than the best, within 10 % of its value; of a posterior, or within 10 e-folds.

    Optima differ in value. Those of a posterior may also be of one value, as mirror images are: then they lie apart
    by more standard deviations than one mode allows.
    """
    value, z = np.asarray(found.value, np.float64), np.asarray(found.z)
    order = [i for i in np.argsort(value) if int(found.code[i]) == RESULTS.converged]
    kept: list[np.ndarray] = []
    last = lowest = float(best.value)
    same = _indistinct(problem, last)
    highest = lowest + max(0.1 * abs(lowest), 10.0 if problem.prior else 0.0)
    # Where no start found a usable point there is no scale to tell modes by.
    modes = problem.prior and bool(np.all(np.isfinite(best.hessian)))
    chart = chart_at(best.z, best.hessian) if modes else None

    def apart(i: int) -> bool:
        if chart is None:
            return False
        others = np.stack([np.asarray(best.z), *kept])
        return bool(np.all(np.linalg.norm(chart.inverse(z[i]) - chart.inverse(others), axis=1) > _APART))

    for i in order:
        if value[i] <= highest and len(kept) < most and (value[i] - last > same or apart(i)):
            kept.append(z[i])
            last = value[i]
    return tuple(kept)


def restarts(problem: FitProblem, cold: np.ndarray, found: Solutions, best: Polished) -> tuple[np.ndarray, ...]:
    """Of the `cold` starts, the last rows of `found`, the first few that reached the best value, if any did."""
    last = slice(len(found.value) - len(cold), None)
    same = float(best.value) + _indistinct(problem, float(best.value))
    reached = (np.asarray(found.code)[last] == RESULTS.converged) & (np.asarray(found.value)[last] <= same)
    return tuple((cold[reached] if reached.any() else cold)[:RESTARTS])
