"""Refits of a fit with other weights or targets, from its optimum: rows of the solver's queue."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxscale.core.results import RESULTS
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.search.problem import Resample
from jaxscale.infer.search.rows import better, solve_rows
from jaxscale.solve.batch import Solutions
from jaxscale.solve.chart import Chart

_TAIL = 5  # from the optimum, only the last of an objective's smoothing stages are needed


def refit(
    fit: Fit, context: Resample, count: int, starts: Float[Any, "rows p"] | None = None, work: int | None = None
) -> Solutions:
    """The first `count` rows of `context`, each from the fit's optimum and from every other optimum that it found.

    `work` is how many rows there are in all calls together (`rows.driven_from_host`); by default those of this one.
    Of every row the best converged solution is kept. `starts` replaces the optimum by one start (unconstrained)
    per row. Where a parameter of the fit went to an edge of its support, every derivative along it has vanished with
    it, and other weights or targets pull at it in vain: all rows begin again off the edge, at the fit's `cold` starts.
    Elsewhere the rows that failed do. Those that run out of steps go on from where they are, in a chart made there.
    """
    rows, work = jax.tree.leaves(context)[0].shape[0], count if work is None else work
    own = np.asarray(fit.chart.centre, np.float64)
    best = _solved(fit, fit.chart, np.tile(own, (rows, 1)) if starts is None else starts, context, count, work)
    for z in fit.alternatives:
        best = better(_solved(fit, fit.chart, np.tile(z, (rows, 1)), context, count, work), best)

    def unsure() -> np.ndarray:
        return np.flatnonzero(fit.near_edge | (np.asarray(best.code)[:count] != RESULTS.converged))

    if len(unsure()):  # cold starts that no row needs are not looked for
        for z in fit.cold:
            some = unsure()
            if len(some):
                best = _again(fit, fit.chart_near(z), np.tile(z, (len(some), 1)), context, some, best, work)
    slow = np.flatnonzero(np.asarray(best.code)[:count] == RESULTS.max_steps)
    if len(slow):
        ends = np.asarray(best.z, np.float64)[slow]
        best = _again(fit, fit.chart_near(ends[0]), ends, context, slow, best, work)
    return best


def _solved(fit: Fit, chart: Chart, starts: np.ndarray, context: Resample, count: int, work: int) -> Solutions:
    """Rows from their starts (unconstrained), through the last stages of the objective."""
    dtype = fit.problem.runs.target.dtype
    inverse = jnp.asarray(np.linalg.inv(np.asarray(chart.scale, np.float64)), dtype)
    y, found = jnp.asarray(chart.inverse(starts), dtype), None
    for stage in fit.objective.stages(dtype)[-_TAIL:]:
        staged = eqx.tree_at(lambda p: p.split.template.objective, fit.problem, stage)
        if found is not None:
            y = _into_chart(found.z, chart.centre, inverse)
        found = solve_rows(staged, chart, y, context, count, fit.settings, work)
    assert found is not None
    return found


def _again(
    fit: Fit, chart: Chart, starts: np.ndarray, context: Resample, some: np.ndarray, best: Solutions, work: int
) -> Solutions:
    """`best`, with the rows `some` solved once more from `starts` and the better one kept."""
    # As many rows as any call has, whatever stands in those past the last: one program.
    index = np.resize(some, best.code.shape[0])
    part = jax.tree.map(lambda x: x[index], context)
    found = _solved(fit, chart, np.resize(starts, (len(index), starts.shape[1])), part, len(some), work)
    found = better(found, jax.tree.map(lambda x: np.asarray(x)[index], best))

    def put(x: Any, new: np.ndarray) -> np.ndarray:
        changed = np.array(x)
        changed[some] = new[: len(some)]
        return changed

    return jax.tree.map(put, best, found)


@jax.jit
def _into_chart(z: Float[Array, "rows p"], centre: Array, inverse: Array) -> Array:
    return jnp.matmul(z - centre[None, :], inverse.T, precision=jax.lax.Precision.HIGHEST)
