"""`bootstrap`: thousands of refits of a fit, by weights, in a queue on every device."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray

from jaxscale.core.results import RESULTS
from jaxscale.core.runs import predict
from jaxscale.infer.ensemble import Ensemble
from jaxscale.infer.fit import Fit
from jaxscale.infer.problem import FitProblem
from jaxscale.infer.resample import AbstractScheme, Pairs, Units, units
from jaxscale.infer.shard import over_devices
from jaxscale.solve.batch import Solutions, Solver, lanes_for, minimise_many
from jaxscale.solve.chart import Chart, Charted

CHUNK = 4096


def bootstrap(
    fit: Fit,
    n: int,
    *,
    key: PRNGKeyArray | int = 0,
    scheme: AbstractScheme | None = None,
    chunk: int = CHUNK,
    progress: Callable[[int, int], None] | None = None,
) -> Ensemble:
    """Refit `fit` on `n` resamples.

    **Arguments:**

    - `scheme`: `Pairs()` by default; units are the runs' clusters, drawn within groups.
    - `chunk`: draws per call of the compiled program and device; memory does not depend on `n` beyond the
      result itself.
    - `progress`: called with (draws done, n) after each chunk.

    Draw i depends on `key` and i alone: the same for any chunk and any number of devices. Every draw starts
    from the fit's optimum, and from each other optimum the fit found, of which the best is kept. No draw is
    dropped: `Ensemble.code` says how each ended.
    """
    key = jax.random.key(key) if isinstance(key, int) else key
    scheme = Pairs() if scheme is None else scheme
    chunk = min(chunk, max(1, -(-n // jax.device_count())))
    step = chunk * jax.device_count()
    stages = _tail_stages(fit)
    dtype = fit.problem.runs.target.dtype
    lanes = lanes_for(fit.problem.runs.size, len(fit.problem.split.names()), chunk, dtype.itemsize)
    starts = [np.zeros(len(fit.problem.split.names()))]
    if fit.alternatives:
        inverse = np.linalg.inv(np.asarray(fit.chart.scale, np.float64))
        starts += [inverse @ (z - np.asarray(fit.chart.centre, np.float64)) for z in fit.alternatives]
    prepared = _Prepared(
        fit.problem, fit.chart, key, units(fit.problem.runs), scheme, jnp.asarray(np.stack(starts), dtype), stages
    )
    parts = []
    for first in range(0, n, step):
        stop = min(n, first + step)
        part = jax.device_get(_chunk(prepared, jnp.asarray(first), jnp.asarray(stop), chunk, lanes, fit.settings))
        parts.append(jax.tree.map(lambda x, rows=stop - first: x[:rows], part))
        if progress is not None:
            progress(stop, n)
    found = jax.tree.map(lambda *x: np.concatenate(x), *parts)
    law = _laws(fit.problem, fit.chart, jnp.asarray(found.z))
    return Ensemble(law, jnp.asarray(found.value), jnp.asarray(found.code), f"bootstrap:{scheme.name}")


class _Prepared(eqx.Module):
    """All that a chunk needs, as one pytree."""

    problem: FitProblem
    chart: Chart
    key: PRNGKeyArray
    drawn: Units
    scheme: AbstractScheme
    starts: Array
    widths: tuple[Any, ...]


def _tail_stages(fit: Fit) -> tuple[Any, ...]:
    """From the optimum only the last smoothing stages are needed."""
    return fit.objective.stages(fit.problem.runs.target.dtype)[-5:]


@eqx.filter_jit
def _chunk(p: _Prepared, first: Array, stop: Array, size: int, lanes: int, settings: Solver) -> Solutions:
    def on_device(p: _Prepared, first: Array, stop: Array) -> Solutions:
        prediction = predict(p.problem.template.law, p.problem.runs)

        def solve(objective: Any, start: Callable[[Array], Array]) -> Solutions:
            staged = eqx.tree_at(lambda x: x.split.template.objective, p.problem, objective)

            def draw(index: Int[Array, ""]) -> tuple[Array, Any]:
                key = jax.random.fold_in(p.key, index)
                return start(index), p.scheme(key, p.problem.runs, prediction, p.drawn, p.problem.template.objective)

            return minimise_many(Charted(staged, p.chart), draw, first, stop, size=size, lanes=lanes, settings=settings)

        best = None
        for row in range(p.starts.shape[0]):
            found = None
            for objective in p.widths:
                previous = found
                found = solve(
                    objective,
                    (lambda _, row=row: p.starts[row])
                    if previous is None
                    else (lambda i, z=previous.z: z[jnp.clip(i - first, 0, size - 1)]),
                )
            assert found is not None
            best = found if best is None else _better(found, best)
        assert best is not None
        return best

    return over_devices(on_device, p, first, stop, size)


def _better(a: Solutions, b: Solutions) -> Solutions:
    """Row by row the converged one of lower value."""
    ok_a, ok_b = a.code == int(RESULTS.converged), b.code == int(RESULTS.converged)
    take = (ok_a & ~ok_b) | ((ok_a == ok_b) & (a.value < b.value))
    return jax.tree.map(lambda x, y: jnp.where(take.reshape(-1, *[1] * (x.ndim - 1)), x, y), a, b)


@eqx.filter_jit
def _laws(problem: FitProblem, chart: Chart, y: Array) -> Any:
    return jax.vmap(lambda row: problem.split.tree(chart(row)).law)(y)
