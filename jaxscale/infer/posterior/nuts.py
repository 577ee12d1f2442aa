"""NUTS chains as rows of work: NumPyro's kernel on a problem's value, in a curved chart.

A chain's row holds its own chart and context, so that the chains of one posterior and those of a thousand
resampled ones are the same program. It runs in short blocks from the host: progress can be shown, memory is
bounded, and no accelerator sees a long program.
"""

import math
from collections.abc import Callable
from typing import Annotated, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from jaxscale.core.errors import BadInput
from jaxscale.core.ranges import FRACTION, Range, check_fields, many
from jaxscale.execute.devices import each, over_devices
from jaxscale.infer.search.problem import FitProblem
from jaxscale.solve.chart import Chart
from jaxscale.solve.curved import CurvedChart, curved


class NUTS(eqx.Module):
    """Settings of the sampler.

    - `warmup`: iterations that adapt the step size, and with `dense` the mass matrix; they are dropped.
    - `dense`: adapt a dense mass matrix in the chart, for targets whose curvature at the mode misleads.
    - `target`: acceptance aimed at; `depth`: most doublings of a trajectory.
    """

    warmup: Annotated[int, many(1, like="150")] = eqx.field(static=True, default=150)
    dense: bool = eqx.field(static=True, default=False)
    target: Annotated[float, FRACTION] = eqx.field(static=True, default=0.8)
    depth: Annotated[int, Range(1, 20, True, "8", "a trajectory of depth d has 2^d steps")] = eqx.field(
        static=True, default=8
    )

    def __check_init__(self) -> None:
        check_fields(self)


# Where the mode's curvature misleads: at 0.95 a few of 16,000 transitions still diverged where E may be almost nothing.
DENSE = NUTS(warmup=1000, dense=True, target=0.99, depth=10)
SPREAD = 2.0  # of starts, in posterior standard deviations: R-hat wants them over-dispersed


class Draws(eqx.Module):
    """What chains did, row by row: draws y in the chart, minus log density, and NUTS's own record of each draw."""

    y: Float[Array, "rows draw p"]
    potential: Float[Array, "rows draw"]
    energy: Float[Array, "rows draw"]
    accept: Float[Array, "rows draw"]
    steps: Int[Array, "rows draw"]
    diverging: Bool[Array, "rows draw"]

    def stats(self) -> dict[str, np.ndarray]:
        """NUTS's own record, by the names that `diagnose` takes."""
        names = ("potential", "energy", "accept", "steps", "diverging")
        return {name: np.asarray(getattr(self, name)) for name in names}


class Chain(eqx.Module):
    """One row: where it samples, and the kernel's state there."""

    chart: CurvedChart
    context: Any
    state: Any


def run(
    problem: FitProblem,
    chart: CurvedChart,
    context: Any,
    y: Float[Array, "rows p"],
    keys: PRNGKeyArray,
    draws: int,
    settings: NUTS,
    *,
    block: int = 100,
    pad: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Draws, np.ndarray]:
    """Chains from starts y, each in its own chart and context (leading axis `rows`; a context of None is shared).

    Gives `draws` draws of every row, on the host, and the adapted step sizes (rows,). A row depends on its own
    inputs alone. Rows are filled up to a multiple of `pad`, so that calls of other sizes share one program.
    `progress` is called with (iterations done, divergences after warm-up) after each block.
    """
    if y.dtype != jax.dtypes.canonicalize_dtype(float):
        raise BadInput(
            f"sample: expected runs in the precision of this process ({jax.dtypes.canonicalize_dtype(float)}), got "
            f"{y.dtype}, which NumPyro cannot mix; make the runs in it, or set jax_enable_x64"
        )
    rows, devices = y.shape[0], jax.local_device_count()
    pad = math.lcm(pad, devices)
    total = -(-rows // pad) * pad
    parts, done, divergent = [], 0, 0
    # NumPyro is written for JAX's standard promotion, whatever the caller has set.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        chains = _begin(problem, _longer((chart, context, y, keys), total), settings)
        while done < settings.warmup + draws:
            chains, part = _advance(problem, chains, jnp.asarray(rows, jnp.int32), settings, block)
            part = jax.device_get(part)
            counted = slice(max(0, settings.warmup - done), max(0, settings.warmup + draws - done))
            divergent += int(np.sum(part.diverging[:rows, counted]))
            done += block
            parts.append(part)
            if progress is not None:
                progress(min(done, settings.warmup + draws), divergent)
    joined = jax.tree.map(lambda *x: np.concatenate(x, axis=1), *parts)
    kept = jax.tree.map(lambda x: x[:rows, settings.warmup : settings.warmup + draws], joined)
    return kept, np.asarray(chains.state.adapt_state.step_size)[:rows]


@eqx.filter_jit
def bent(problem: FitProblem, charts: Chart) -> CurvedChart:
    """The curved chart of every row of `charts`."""
    return each(lambda chart: curved(problem, chart), charts)


@eqx.filter_jit
def unchart(charts: CurvedChart, y: Float[Array, "rows draw p"]) -> Float[Array, "rows draw p"]:
    """Draws in unconstrained coordinates, from those in each row's own chart."""
    return jax.vmap(lambda chart, y: jax.vmap(chart)(y))(charts, y)


def _longer(rows: Any, total: int) -> Any:
    """Rows repeated at the end up to `total`; the copies are not run."""
    return jax.tree.map(lambda x: jnp.concatenate([x, jnp.repeat(x[-1:], total - x.shape[0], axis=0)]), rows)


def _kernel(
    problem: FitProblem, chart: CurvedChart, context: Any, y: Array, key: Array, settings: NUTS
) -> tuple[Any, Any]:
    """The state at y, and NumPyro's transition from any state."""
    # Loading NumPyro takes a second; inside a trace the constants of its modules would be tracers.
    with jax.ensure_compile_time_eval():
        from numpyro.infer.hmc import hmc
    init, sample = hmc(lambda y: problem.value(chart(y), context), algo="NUTS")
    p = y.shape[0]
    state = init(
        y,
        settings.warmup,
        # Near what 0.8 acceptance takes in a round Gaussian of p dimensions.
        step_size=1.3 * p**-0.25,
        inverse_mass_matrix=jnp.eye(p, dtype=y.dtype) if settings.dense else jnp.ones(p, y.dtype),
        adapt_mass_matrix=settings.dense,
        dense_mass=settings.dense,
        target_accept_prob=settings.target,
        max_tree_depth=settings.depth,
        rng_key=key,
    )
    return state, sample


@eqx.filter_jit
def _begin(problem: FitProblem, rows: tuple[CurvedChart, Any, Array, Array], settings: NUTS) -> Chain:
    def one(chart: CurvedChart, context: Any, y: Array, key: Array) -> Chain:
        return Chain(chart, context, _kernel(problem, chart, context, y, key, settings)[0])

    return jax.vmap(one)(*rows)


@eqx.filter_jit
def _advance(
    problem: FitProblem, chains: Chain, stop: Int[Array, ""], settings: NUTS, block: int
) -> tuple[Chain, Draws]:
    def some(problem: FitProblem, chains: Chain, stop: Array) -> tuple[Chain, Draws]:
        def one(chain: Chain) -> tuple[Chain, Draws]:
            # The kernel keeps its settings from its own start, which is computed again and thrown away unused.
            _, sample = _kernel(problem, chain.chart, chain.context, chain.state.z, chain.state.rng_key, settings)

            def step(state: Any, _: None) -> tuple[Any, Draws]:
                state = sample(state)
                return state, Draws(
                    state.z, state.potential_energy, state.energy, state.accept_prob, state.num_steps, state.diverging
                )

            state, draws = jax.lax.scan(step, chain.state, None, block)
            return eqx.tree_at(lambda c: c.state, chain, state), draws

        return each(one, chains, stop)

    return over_devices(some, problem, chains, stop)
