"""Rows of work for the solver's queue: starts and resamples as arrays, through one compiled program.

The starts of a cold fit and the draws of a bootstrap are the same thing to the solver, a row with a start
and a weight per run. Sharing the program, and its number of rows, saves the second compile.
"""

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

_ROWS = 2048
_BYTES = 2**26  # of resamples held at once


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
    return Resample(weight=jnp.broadcast_to(problem.runs.weight, (rows, problem.runs.size)))


def solve_rows(
    problem: FitProblem, chart: Chart, y: Float[Array, "rows p"], context: Resample, stop: int, solver: Solver
) -> Solutions:
    """Solve the first `stop` rows from starts y in the chart; solutions come in the problem's own coordinates."""
    lanes = lanes_for(
        problem.runs.size, y.shape[1], y.shape[0] // jax.local_device_count(), problem.runs.target.dtype.itemsize
    )
    return _solve(Charted(problem, chart), y, context, jnp.asarray(stop, jnp.int32), solver, lanes)


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
