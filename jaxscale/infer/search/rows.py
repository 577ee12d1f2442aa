"""Rows of work for the solver's queue: starts and resamples as arrays, through one compiled program.

The starts of a cold fit and the draws of a bootstrap are the same thing to the solver, a row with a start
and a weight per run. Sharing the program, and its number of rows, saves the second compile.
"""

from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxscale.core.results import RESULTS
from jaxscale.execute.devices import over_devices
from jaxscale.infer.search.problem import FitProblem, Resample
from jaxscale.solve.batch import Solutions, Solver, lanes_for, minimise_many
from jaxscale.solve.chart import Chart, Charted
from jaxscale.solve.gauss_newton import GaussNewton
from jaxscale.solve.host import Looker, minimise_from_host

_ROWS = 2048
_BYTES = 2**26  # of resamples held at once
_HOST_WORK = 2**17  # rows times runs whose steps from the host take less than the compiled loop takes to compile


def rows_per_call(problem: FitProblem, most: int = _ROWS, budget: int = _BYTES) -> int:
    """Rows of one call of the compiled program: set by the number of runs and devices, not by how many are asked.

    At most `most`, and as many as `budget` bytes hold at one number per run; a multiple of the number of devices.
    """
    devices = jax.local_device_count()
    rows = max(1, min(most, budget // (problem.runs.size * problem.runs.target.dtype.itemsize)))
    return -(-rows // devices) * devices


def row_keys(key: PRNGKeyArray, first: int, rows: int) -> PRNGKeyArray:
    """Keys of the rows `first` to `first + rows`; that of row i depends on `key` and i alone."""
    return jax.vmap(lambda i: jax.random.fold_in(key, i))(first + jnp.arange(rows))


def unchanged(problem: FitProblem, rows: int) -> Resample:
    """The runs' own weights in every row."""
    weight: Any = np.broadcast_to(problem.runs.weight, (rows, problem.runs.size))
    return Resample(weight=weight)


def driven_from_host(problem: FitProblem, work: int, solver: Solver) -> bool:
    """Which driver runs the solver: the host for few rows on a CPU, else the compiled loop.

    `work` is how many rows are solved in all, whatever part of them a call takes: which driver runs, and so the last
    bits of a row, depends on the work alone, never on chunks or devices, nor on what has been compiled before.
    """
    few = work * problem.runs.size <= _HOST_WORK
    return few and isinstance(solver, GaussNewton) and jax.default_backend() == "cpu"


def looker_of(problem: FitProblem, chart: Chart) -> Looker:
    runs = problem.runs
    return Looker(Charted(problem, chart), runs.size, chart.centre.shape[0], runs.target.dtype)


def curvature(problem: FitProblem, z: np.ndarray, mixing: float) -> np.ndarray:
    """The Gauss-Newton curvature at z (p,), from which charts are made; by the program that moves the lanes."""
    dtype, p = problem.runs.target.dtype, len(z)
    looker = looker_of(problem, Chart(*(jnp.asarray(x, dtype) for x in (np.zeros(p), np.eye(p)))))
    lanes = looker.lanes
    everywhere = np.tile(np.asarray(z, dtype), (lanes, 1))
    at, _, _ = looker(everywhere, np.full(lanes, mixing, dtype), unchanged(problem, lanes), np.arange(lanes) == 0)
    return np.asarray(at.curvature)[0]


def solve_rows(
    problem: FitProblem,
    chart: Chart,
    y: Float[Any, "rows p"],
    context: Resample,
    stop: int,
    solver: Solver,
    work: int,
) -> Solutions:
    """Solve the first `stop` rows from starts y in the chart, of all the rows of a `work` (`driven_from_host`).

    Solutions come in the problem's own coordinates; those of the rows past `stop` mean nothing.
    """
    if driven_from_host(problem, work, solver):
        return _from_host(problem, chart, np.asarray(y), context, stop, solver)
    lanes = lanes_for(
        problem.runs.size, y.shape[1], y.shape[0] // jax.local_device_count(), problem.runs.target.dtype.itemsize
    )
    return _solve(Charted(problem, chart), jnp.asarray(y), context, jnp.asarray(stop, jnp.int32), solver, lanes)


def _from_host(
    problem: FitProblem, chart: Chart, y: np.ndarray, context: Resample, stop: int, solver: Any
) -> Solutions:
    own = jax.tree.map(lambda x: np.asarray(x)[:stop], context)
    found = minimise_from_host(looker_of(problem, chart), y[:stop], own, solver)
    centre, scale = np.asarray(chart.centre), np.asarray(chart.scale)
    found = replace(found, z=centre + found.z @ scale.T)
    empty = [(0, len(y) - stop)]
    return jax.tree.map(lambda x: np.pad(x, empty + [(0, 0)] * (x.ndim - 1)), found)


@eqx.filter_jit
def _solve(
    problem: Charted, y: Array, context: Resample, stop: Int[Array, ""], solver: Solver, lanes: int
) -> Solutions:
    def run(problem: Charted, rows: tuple[Array, Resample], stop: Array) -> Solutions:
        starts, contexts = rows
        size = starts.shape[0]

        def draw(index: Int[Array, ""]) -> tuple[Array, Resample]:
            return jax.tree.map(lambda x: x[jnp.minimum(index, size - 1)], (starts, contexts))

        found = minimise_many(problem, draw, jnp.int32(0), stop, size=size, lanes=lanes, settings=solver)
        return eqx.tree_at(lambda s: s.z, found, jax.vmap(problem.chart)(found.z))

    return over_devices(run, problem, (y, context), stop)


def better(a: Solutions, b: Solutions) -> Solutions:
    """Row by row the converged one of lower value, on the host."""
    ok_a, ok_b = (np.asarray(s.code) == RESULTS.converged for s in (a, b))
    take = (ok_a & ~ok_b) | ((ok_a == ok_b) & (np.asarray(a.value) < np.asarray(b.value)))
    return jax.tree.map(lambda x, y: np.where(take.reshape(-1, *[1] * (x.ndim - 1)), x, y), a, b)
