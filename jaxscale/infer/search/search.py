"""The search of a fit: all starts through the objective's stages, the best one finished to rounding."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxscale.core.evaluate import predict
from jaxscale.core.results import RESULTS
from jaxscale.infer.search.identify import Identifiability
from jaxscale.infer.search.problem import FitProblem
from jaxscale.infer.search.rows import curvature, rows_per_call, solve_rows, unchanged
from jaxscale.objectives.objective import AbstractObjective
from jaxscale.solve.batch import Solutions, Solver, lanes_for, minimise_many
from jaxscale.solve.certificate import SAME, Certificate, count_optima, share_best
from jaxscale.solve.chart import Chart, Charted, chart_at, on_host, unit_diagonal, whitener
from jaxscale.solve.newton import Polished, look, polish_from_host
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
    prior: Float[Array, "p p"] | None  # curvature of the priors, where they count


def finish(problem: FitProblem, z: np.ndarray) -> Optimum:
    """Newton steps to rounding, then all that is asked of the point: one program, called for each of them."""
    dtype = problem.runs.target.dtype
    return polish_from_host(
        lambda z: _seen(problem, jnp.asarray(z, dtype)),
        lambda there: jax.device_get(there.polished),
        z,
        np.sum(np.asarray(problem.runs.weight)) * np.asarray(_resolution(problem)),
    )


@eqx.filter_jit
def _seen(problem: FitProblem, z: Array) -> Optimum:
    model = problem.split.tree(z)
    prediction, jacobian = predict(model.law, problem.runs), jax.jacfwd(problem.outputs)(z)
    prior = jax.hessian(problem.regulariser)(z) if problem.prior else None
    return Optimum(look(problem, z), model, problem.reported(z), prediction, jacobian, prior)


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
                part = jax.device_get(solve_rows(staged, chart, padded, own, len(block), solver, len(y)))
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
    return found, finish(problem, z[int(np.argmin(score))])


def search_inside(
    problem: FitProblem, stages: Sequence[AbstractObjective], z: Float[Array, "m p"], solver: Solver
) -> Solutions:
    """`search` for use inside jit: through the objective's `stages` in the same charts, without the last steps."""
    dtype, (m, p) = z.dtype, z.shape
    each = jax.tree.map(lambda *x: jnp.stack(x), *stages)
    lanes = lanes_for(problem.runs.size, p, m, dtype.itemsize)

    def solve(carry: tuple[Array, Array, Solutions]) -> tuple[Array, Array, Solutions]:
        stage, tried, found = carry
        staged = eqx.tree_at(lambda x: x.split.template.objective, problem, jax.tree.map(lambda x: x[stage], each))
        first = (stage == 0) & (tried == 0)
        best = jnp.argmin(jnp.where(jnp.isfinite(found.value), found.value, jnp.inf))
        centre = found.z[jnp.where(first, min(1, m - 1), best)]
        shape = evaluate(staged, centre, jnp.where(first, 1.0, MIXING).astype(dtype)).curvature
        chart = chart_at(centre, shape)
        y = chart.inverse(found.z)
        found = minimise_many(
            Charted(staged, chart), lambda i: (y[jnp.minimum(i, m - 1)], None), jnp.int32(0), jnp.int32(m),
            size=m, lanes=lanes, settings=solver,
        )  # fmt: skip
        found = eqx.tree_at(lambda s: s.z, found, jax.vmap(chart)(found.z))
        slow = jnp.mean(jnp.where(found.code == int(RESULTS.max_steps), 1.0, 0.0)) >= 0.5
        again = slow & jnp.any(jnp.isfinite(found.value)) & (tried + 1 < _CHARTS)
        return jnp.where(again, stage, stage + 1), jnp.where(again, tried + 1, 0), found

    nothing = Solutions(
        z, jnp.full(m, jnp.nan, dtype), jnp.full(m, int(RESULTS.max_steps), jnp.int32), jnp.zeros(m, jnp.int32)
    )
    start = (jnp.int32(0), jnp.int32(0), nothing)
    return jax.lax.while_loop(lambda carry: carry[0] < len(stages), solve, start)[-1]


def _chart(problem: FitProblem, centre: np.ndarray, mixing: float) -> Chart:
    return chart_at(jnp.asarray(centre, problem.runs.target.dtype), curvature(problem, centre, mixing))


class Judged(NamedTuple):
    """What is found of the best point and of the starts that reached it, as numbers: on the host or inside jit."""

    code: Any
    finished: Any
    share_best: Any
    gradient_norm: Any
    smallest_eigenvalue: Any
    condition: Any


def judged(
    problem: FitProblem, found: Solutions, best: Polished, condition: Any, inside: Any, resolution: Any, rtol: float
) -> Judged:
    """`inside` (p,) says which coordinates lie off the edges, `condition` how well the runs determine these."""
    xp, hessian, gradient, at, top, value, z = on_host(
        best.hessian, best.gradient, best.z, best.value, found.value, found.z
    )
    codes = xp.asarray(found.code)
    dtype, rows, eye = best.z.dtype, problem.runs.size, xp.eye(len(inside), dtype=hessian.dtype)
    # What lies on an edge is left out: in a matrix of unit diagonal a one that stands alone changes no extreme.
    hessian = xp.where(inside[:, None] & inside[None, :], hessian, eye)
    gradient = xp.where(inside, gradient, 0)
    finite = xp.all(xp.isfinite(hessian)) & xp.all(xp.isfinite(gradient))
    # No start found a usable point: nothing about it is to be called positive.
    hessian, gradient = xp.where(finite, hessian, 0), xp.where(finite, gradient, 0)
    eigenvalues = xp.linalg.eigvalsh(unit_diagonal(xp, hessian)[0]) if len(inside) else xp.ones(1)
    norm = xp.linalg.norm(whitener(hessian.astype(dtype)).T @ gradient)
    scale = gradient_scale(xp, top, resolution**2 * rows, rtol)
    same, good = _indistinct(problem, top, resolution), codes == int(RESULTS.converged)
    ranked = xp.where(xp.isfinite(value), value, xp.inf)
    reached = top <= xp.min(ranked) + same
    code = xp.where(xp.any(good) & reached, int(RESULTS.converged), codes[xp.argmin(ranked)])
    # Beyond 1 / sqrt(eps) the squared condition of the normal equations exceeds what the precision resolves:
    # the direction is flat as far as anyone can tell.
    flat = condition > float(jnp.finfo(dtype).eps) ** -0.5
    # A Hessian tells of one point, and on a ridge that ends at an edge of the support, or along which rounding has
    # bent it, of a determined one. Other starts know better.
    away = xp.where((good & (value <= top + same))[:, None] & inside[None, :], z - at[None, :], 0)
    apart = finite & _apart(xp, away, 0.5 * hessian, same, rows * float(jnp.finfo(dtype).eps))
    code = xp.where((code == int(RESULTS.converged)) & flat, int(RESULTS.singular), code)
    code = xp.where((code == int(RESULTS.converged)) & apart, int(RESULTS.ambiguous), code)
    return Judged(
        code=code,
        finished=xp.sum(good),
        share_best=share_best(value, codes, same, xp),
        gradient_norm=xp.where(finite, norm, xp.inf) / scale,
        smallest_eigenvalue=eigenvalues[0],
        condition=xp.where(
            eigenvalues[0] > 0, eigenvalues[-1] / xp.where(eigenvalues[0] > 0, eigenvalues[0], 1), xp.inf
        ),
    )


def gradient_scale(xp: Any, value: Any, floor: Any, rtol: float) -> Any:
    """The unit of `Judged.gradient_norm`, from the objective and what rounding makes of it.

    The solver's own stopping rule: the decrease still to be had, against the value and its rounding.
    """
    return xp.sqrt(2 * (xp.abs(value) + floor / rtol))


def gradient_tolerance(rtol: float) -> float:
    """Below which `Judged.gradient_norm` is nothing."""
    return float(np.sqrt(10 * rtol))


def rtol_of(tolerance: float) -> float:
    """The inverse of `gradient_tolerance`."""
    return tolerance**2 / 10


def certify(
    problem: FitProblem,
    found: Solutions,
    best: Polished,
    identifiability: Identifiability,
    on_edge: tuple[str, ...],
    solver: Solver,
) -> Certificate:
    inside = np.array([name not in on_edge for name in problem.split.names()], bool)
    resolution, rtol = float(_resolution(problem)), solver.tolerance(best.z.dtype)
    seen = judged(problem, found, best, identifiability.condition, inside, resolution, rtol)
    value, codes = np.asarray(found.value, np.float64), np.asarray(found.code)
    _, distinct, gap = count_optima(value, codes, _indistinct(problem, float(best.value), resolution))
    return Certificate(
        code=RESULTS(int(seen.code)),
        starts=len(value),
        finished=int(seen.finished),
        share_best=float(seen.share_best),
        distinct=distinct,
        second_gap=gap,
        gradient_norm=float(seen.gradient_norm),
        tolerance=gradient_tolerance(rtol),
        smallest_eigenvalue=float(seen.smallest_eigenvalue),
        condition=float(seen.condition),
        on_edge=on_edge,
    )


def _apart(xp: Any, away: Any, hessian: Any, same: Any, rounding: float) -> Any:
    """Whether one of the points `away` (m, p) from the best, of its value, should by the Hessian be far above it."""
    rise = xp.einsum("mi,ij,mj->m", away, hessian, away)
    # Each entry is a sum over the runs of terms that are known to rounding.
    unsure = xp.einsum("mi,ij,mj->m", xp.abs(away), xp.abs(hessian), xp.abs(away))
    return xp.any(rise > _FAR * same + rounding * unsure)


def _indistinct(problem: FitProblem, value: Any, resolution: Any) -> Any:
    """Two values this close belong to one optimum: a share of the value, or what the sum's rounding can do.

    Each output is known to its resolution, and a robust penalty has slope at most one.
    """
    xp, value, weight = on_host(value, problem.runs.weight)
    share = max(SAME, 32 * float(jnp.finfo(problem.runs.target.dtype).eps))
    return xp.maximum(share * xp.abs(value), xp.sum(weight) * resolution)


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
    same = float(_indistinct(problem, last, float(_resolution(problem))))
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
    same = float(best.value) + float(_indistinct(problem, float(best.value), float(_resolution(problem))))
    reached = (np.asarray(found.code)[last] == RESULTS.converged) & (np.asarray(found.value)[last] <= same)
    return tuple((cold[reached] if reached.any() else cold)[:RESTARTS])
