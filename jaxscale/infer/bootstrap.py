"""`bootstrap`: thousands of refits of a fit, by weights, in a queue on every device."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxscale.core.law import AbstractLaw
from jaxscale.core.runs import predict
from jaxscale.infer.ensemble import Ensemble
from jaxscale.infer.fit import Fit
from jaxscale.infer.problem import FitProblem, Resample
from jaxscale.infer.resample import AbstractScheme, Pairs, Units, units
from jaxscale.infer.rows import better, rows_per_call, solve_rows
from jaxscale.solve.batch import Solutions

_TAIL = 5  # from the optimum, only the last of an objective's smoothing stages are needed


def bootstrap(
    fit: Fit,
    n: int,
    *,
    key: PRNGKeyArray | int = 0,
    scheme: AbstractScheme | None = None,
    chunk: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Ensemble:
    """Refit `fit` on `n` resamples.

    **Arguments:**

    - `scheme`: `Pairs()` by default; units are the runs' clusters, drawn within groups.
    - `chunk`: most draws per call of the compiled program; memory does not depend on `n` beyond the result.
    - `progress`: called with (draws done, n) after each chunk.

    Draw i depends on `key` and i alone: the same for any chunk and any number of devices. Every draw starts
    from the fit's optimum, and from each other optimum the fit found, of which the best is kept. No draw is
    dropped: `Ensemble.code` says how each ended. Raises `ValueError` on n < 1.
    """
    if n < 1:
        raise ValueError(f"bootstrap: expected at least one draw, got {n}")
    key = jax.random.key(key) if isinstance(key, int) else key
    scheme = Pairs() if scheme is None else scheme
    rows = rows_per_call(fit.problem) if chunk is None else rows_per_call(fit.problem, chunk)
    drawn, starts = units(fit.problem.runs), _starts(fit)
    parts = []
    for first in range(0, n, rows):
        count = min(rows, n - first)
        context = _resamples(fit.problem, key, scheme, drawn, jnp.asarray(first), rows)
        found = _best(fit, starts, context, count)
        law = _laws(fit.problem, jnp.asarray(found.z))
        part = jax.device_get((law, found.value, found.code))
        parts.append(jax.tree.map(lambda x, count=count: x[:count], part))
        if progress is not None:
            progress(first + count, n)
    law, value, code = jax.tree.map(lambda *x: jnp.asarray(np.concatenate(x)), *parts)
    return Ensemble(law, value, code, f"bootstrap:{scheme.name}")


def _starts(fit: Fit) -> list[np.ndarray]:
    """The optimum and the other optima that the search found, in the fit's chart."""
    inverse = np.linalg.inv(np.asarray(fit.chart.scale, np.float64))
    centre = np.asarray(fit.chart.centre, np.float64)
    return [np.zeros(len(centre)), *(inverse @ (z - centre) for z in fit.alternatives)]


def _best(fit: Fit, starts: list[np.ndarray], context: Resample, count: int) -> Solutions:
    """Every row from every start, through the objective's last stages; the best of each row."""
    dtype = fit.problem.runs.target.dtype
    rows = jax.tree.leaves(context)[0].shape[0]
    inverse = jnp.asarray(np.linalg.inv(np.asarray(fit.chart.scale, np.float64)), dtype)
    best = None
    for start in starts:
        y = jnp.asarray(np.tile(start, (rows, 1)), dtype)
        found = None
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


@eqx.filter_jit
def _resamples(
    problem: FitProblem, key: PRNGKeyArray, scheme: AbstractScheme, drawn: Units, first: Int[Array, ""], rows: int
) -> Resample:
    prediction = predict(problem.template.law, problem.runs)

    def one(index: Int[Array, ""]) -> Resample:
        drawn_key = jax.random.fold_in(key, index)
        return scheme(drawn_key, problem.runs, prediction, drawn, problem.template.objective)

    return jax.vmap(one)(first + jnp.arange(rows, dtype=first.dtype))


@eqx.filter_jit
def _laws(problem: FitProblem, z: Float[Array, "rows p"]) -> AbstractLaw:
    return jax.vmap(lambda row: problem.split.tree(row).law)(z)
