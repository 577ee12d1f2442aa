"""The queue driven from the host: one compiled evaluation of a few lanes a step, the rest of the step in NumPy.

The second driver of the step of `gauss_newton`, for few rows on a CPU, where compiling `batch`'s loop takes longer than
all of its steps. Steps, stopping rule and codes are those of the loop; values agree to rounding.
"""

from dataclasses import replace
from functools import partial
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
    """Evaluates a problem for lanes side by side, arrays (lanes, ...) on the host, through one compiled program.

    `rows` and `parameters` say how large its Jacobian is. The number of lanes depends on them alone, not on how many
    solves there are: fits and refits of one problem share the program.
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
        order = np.argsort(~wanted, kind="stable")  # unfinished lanes first: the last ones of a solve are few
        blocks = np.int32(-(-np.sum(wanted) // self.block))
        own = jax.tree.map(lambda x: x[order], (z, mixing, context))
        at, rows, resolution = jax.tree.map(np.asarray, _look(self.problem, *own, blocks, block=self.block))
        back = np.argsort(order)
        return *jax.tree.map(lambda x: x[back], (at, rows)), resolution


@partial(jax.jit, static_argnames="block")
def _look(
    problem: AbstractProblem,
    z: Float[Array, "lanes p"],
    mixing: Float[Array, " lanes"],
    context: Any,
    blocks: Int[Array, ""],
    *,
    block: int,
) -> tuple[Evaluation, Int[Array, " lanes"], Float[Array, ""]]:
    """Of the lanes in the first `blocks` blocks; nothing for the others."""
    lanes, p = z.shape

    def one(z: Array, mixing: Array, own: Any) -> tuple[Evaluation, Array]:
        return evaluate(problem, z, mixing, own), jnp.sum(problem.weights(own) > 0, dtype=jnp.int32)

    def body(b: Array, found: Any) -> Any:
        own = jax.tree.map(lambda x: jax.lax.dynamic_slice_in_dim(x, b * block, block), (z, mixing, context))
        here = jax.vmap(one)(*own)
        return jax.tree.map(lambda x, y: jax.lax.dynamic_update_slice_in_dim(x, y, b * block, 0), found, here)

    zeros = partial(jnp.zeros, dtype=z.dtype)
    nothing = Evaluation(zeros(lanes), zeros((lanes, p)), zeros((lanes, p, p))), jnp.zeros(lanes, jnp.int32)
    at, rows = jax.lax.fori_loop(jnp.int32(0), blocks, body, nothing)
    return at, rows, problem.resolution()


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
