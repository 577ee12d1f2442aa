"""The queue driven from the host: one compiled evaluation of a few lanes a step, the rest of the step in NumPy.

The second driver of the step of `gauss_newton`, for few rows on a CPU, where compiling `batch`'s loop takes longer than
all of its steps. Steps, stopping rule and codes are those of the loop; values agree to rounding.
"""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxscale.core.results import RESULTS
from jaxscale.solve.batch import Solutions, lanes_for
from jaxscale.solve.gauss_newton import GaussNewton, Lane, begun, choose, propose, settle
from jaxscale.solve.problem import AbstractProblem, Evaluation, evaluate

_BLOCKS = 4  # of lanes at most; those that hold no unfinished lane cost nothing


class Looker:
    """Evaluates a problem for lanes side by side, arrays (lanes, ...) on the host, block by block.

    `rows` and `parameters` say how large its Jacobian is. The number of lanes depends on them alone, not on how many
    solves there are: fits and refits of one problem share one compiled program.
    """

    def __init__(self, problem: AbstractProblem, rows: int, parameters: int, dtype: Any):
        self.problem, self.dtype = problem, np.dtype(dtype)
        self.block = lanes_for(rows, parameters, 2**31, self.dtype.itemsize)
        self.lanes = _BLOCKS * self.block

    def __call__(
        self, z: np.ndarray, mixing: np.ndarray, context: Any, wanted: np.ndarray
    ) -> tuple[Evaluation, np.ndarray, np.ndarray]:
        """Of every lane the evaluation, how many rows count, and an output's resolution; nothing that is not `wanted`.

        `context` holds an array of every lane's own.
        """
        there, asked = np.flatnonzero(wanted), []
        for first in range(0, len(there), self.block):
            some = np.resize(there[first : first + self.block], self.block)
            own = jax.tree.map(lambda x, some=some: x[some], context)
            asked.append(_look(self.problem, z[some], mixing[some], own))  # runs while the next is prepared
        place = np.maximum(np.cumsum(wanted) - 1, 0)
        return jax.tree.map(lambda *x: np.concatenate(x)[place], *asked)


@jax.jit
def _look(
    problem: AbstractProblem, z: Float[Array, "block p"], mixing: Float[Array, " block"], context: Any
) -> tuple[Evaluation, Int[Array, " block"], Float[Array, " block"]]:
    def one(z: Array, mixing: Array, own: Any) -> tuple[Evaluation, Array, Array]:
        rows = jnp.sum(problem.weights(own) > 0, dtype=jnp.int32)
        return evaluate(problem, z, mixing, own), rows, problem.resolution()

    return jax.vmap(one)(z, mixing, context)


def minimise_from_host(looker: Looker, z: Float[np.ndarray, "m p"], contexts: Any, settings: GaussNewton) -> Solutions:
    """Solve from every row of z, each with its row of `contexts`: `batch.minimise_many`, on the host."""
    m = len(z)
    z, contexts = z.astype(looker.dtype), jax.tree.map(np.asarray, contexts)
    code, steps = np.full(m, int(RESULTS.max_steps), np.int32), np.zeros(m, np.int32)
    out: Any = Solutions(np.zeros_like(z), np.full(m, np.nan, z.dtype), code, steps)  # pyright: ignore[reportArgumentType]
    row, upcoming = np.arange(looker.lanes), looker.lanes
    with np.errstate(all="ignore"):  # lanes may leave the numbers: their codes say so
        lane, context = _loaded(z, contexts, row)
        while np.any(row < m):
            ahead = propose(np, lane)
            new, rows, resolution = looker(lane.z + ahead.step, ahead.mixing, context, ~lane.done)
            lane = settle(np, lane, ahead, new, rows, resolution, settings)
            if np.any(ended := lane.done & (row < m)):
                found = lane.z, lane.value, lane.code, lane.steps
                for column, here in zip(jax.tree.leaves(out), found, strict=True):
                    column[row[ended]] = here[ended]
                row = np.where(lane.done, upcoming + np.cumsum(lane.done) - 1, row)
                upcoming += int(lane.done.sum())
                fresh, context = _loaded(z, contexts, row)
                lane = choose(np, lane.done, fresh, lane)
    return out


def _loaded(z: np.ndarray, contexts: Any, row: np.ndarray) -> tuple[Lane, Any]:
    """Lanes at the starts of their rows, and their contexts; those past the last row are done."""
    own = np.minimum(row, len(z) - 1)
    return replace(begun(np, z[own]), done=row >= len(z)), jax.tree.map(lambda x: x[own], contexts)
