"""Refits of a fit with other weights or targets, from its optimum: rows of the solver's queue."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxscale.infer.fit import Fit
from jaxscale.infer.problem import Resample
from jaxscale.infer.rows import better, solve_rows
from jaxscale.solve.batch import Solutions

_TAIL = 5  # from the optimum, only the last of an objective's smoothing stages are needed


def refit(fit: Fit, context: Resample, count: int, starts: Float[Any, "rows p"] | None = None) -> Solutions:
    """The first `count` rows of `context`, each from the fit's optimum and from every other optimum that it found.

    Of every row the best converged solution is kept. `starts` replaces the optimum by one start (unconstrained)
    per row.
    """
    dtype = fit.problem.runs.target.dtype
    rows = jax.tree.leaves(context)[0].shape[0]
    first = np.zeros((rows, *fit.chart.centre.shape)) if starts is None else fit.chart.inverse(starts)
    others = [np.tile(fit.chart.inverse(z), (rows, 1)) for z in fit.alternatives]
    inverse = jnp.asarray(np.linalg.inv(np.asarray(fit.chart.scale, np.float64)), dtype)
    best = None
    for start in (first, *others):
        y, found = jnp.asarray(start, dtype), None
        for stage in fit.objective.stages(dtype)[-_TAIL:]:
            staged = eqx.tree_at(lambda p: p.split.template.objective, fit.problem, stage)
            if found is not None:
                y = _into_chart(found.z, fit.chart.centre, inverse)
            found = solve_rows(staged, fit.chart, y, context, count, fit.settings)
        assert found is not None
        best = found if best is None else better(found, best)
    assert best is not None
    return best


@jax.jit
def _into_chart(z: Float[Array, "rows p"], centre: Array, inverse: Array) -> Array:
    return jnp.matmul(z - centre[None, :], inverse.T, precision=jax.lax.Precision.HIGHEST)
