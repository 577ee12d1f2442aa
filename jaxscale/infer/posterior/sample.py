"""`sample`: the posterior of a law, by NUTS in the curved chart of its mode."""

import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxscale.core.errors import BadInput
from jaxscale.core.law import AbstractLaw
from jaxscale.core.ranges import SEED, checked, many
from jaxscale.core.runs import Runs, Table
from jaxscale.infer.fit.fit import Fit, fit
from jaxscale.infer.posterior.diagnosis import Diagnosis, Gates, diagnose
from jaxscale.infer.posterior.nuts import DENSE, NUTS, SPREAD, Draws, bent, run, unchart
from jaxscale.infer.posterior.posterior import Posterior
from jaxscale.infer.search.problem import FitProblem
from jaxscale.objectives.likelihood import Likelihood, student_t
from jaxscale.solve.chart import Chart, whitener
from jaxscale.solve.curved import CurvedChart, straight

NEAR = 7.0  # an optimum of less than a thousandth of the best one's mass (as Laplace has it) is not worth a chain
_THIN = 4  # of the draws without the bend

type Progress = Callable[[str, int, int, int], None]


@checked
def sample(
    law: AbstractLaw,
    data: Runs | Table,
    likelihood: Likelihood | None = None,
    *,
    key: PRNGKeyArray | Annotated[int, SEED] = 0,
    draws: Annotated[int, many(8)] = 1000,
    chains: Annotated[int, many(2, like="4")] = 4,
    fixed: Mapping[str, Any] | tuple[str, ...] = (),
    starts: Annotated[int, many(0, like="32")] = 32,
    settings: NUTS | None = None,
    gates: Gates | None = None,
    progress: Progress | None = None,
) -> Posterior:
    """The posterior of `law` and its noise given `data`, with every declared prior taken for losses of the runs' size.

    The mode is found and certified by `fit(..., prior=True)`; see `sample_from` for the rest. `likelihood`
    defaults to `student_t(5)`. Raises `BadInput` where `fit` does.
    """
    likelihood = student_t() if likelihood is None else likelihood
    mode = fit(law, data, likelihood, fixed=fixed, prior=True, starts=starts)
    return sample_from(mode, key=key, draws=draws, chains=chains, settings=settings, gates=gates, progress=progress)


@checked
def sample_from(
    mode: Fit,
    *,
    key: PRNGKeyArray | Annotated[int, SEED] = 0,
    draws: Annotated[int, many(8)] = 1000,
    chains: Annotated[int, many(2, like="4")] = 4,
    settings: NUTS | None = None,
    gates: Gates | None = None,
    progress: Progress | None = None,
) -> Posterior:
    """Draw from the posterior whose mode `fit(..., prior=True)` found.

    Chains start over-dispersed around the mode and, in turn, around every other optimum of the search whose mass is
    not negligible, each in the curved chart of its own optimum: a second mode shows as a bad R-hat instead of being
    missed. Where the geometry defeats them (divergences, transitions all but rejected, exhausted trees, or fewer than a
    fifth as many effective draws as draws), they go on without the bend, which is the mode's own and may mislead far
    from it, with a dense mass matrix, a longer warm-up and shorter steps, and keep every fourth draw; that result is
    returned whatever its verdict. `progress` is called with (engine, iterations done, iterations in all, divergences).

    Raises `BadInput` on a fit without prior, fewer than 2 chains, or fewer than 8 draws.
    """
    if not mode.problem.prior:
        raise BadInput("sample_from: expected a fit made with prior=True, got one without; use sample(...)")
    many(16).check(chains * draws, "sample: draws of all chains")
    clock = time.perf_counter()
    seed = key if isinstance(key, int) else None
    key = jax.random.key(key) if isinstance(key, int) else key
    first, second, spread = jax.random.split(key, 3)
    chart, y, starts = _starts(mode, chains, spread)
    names = mode.problem.split.names()
    engine, chosen = "nuts:curved", NUTS() if settings is None else settings
    found, step = _draw(mode.problem, chart, y, first, draws, chosen, engine, progress)
    z, verdict = _judged(chart, found, names, chosen, gates)
    thin = 1
    if settings is None and not verdict.passed and verdict.rough:
        engine, thin, chart = "nuts:dense", _THIN, straight(chart.chart)
        y = jnp.asarray([_row(chart, i).inverse(last) for i, last in enumerate(z[:, -1])], y.dtype)
        found, step = _draw(mode.problem, chart, y, second, thin * draws, DENSE, engine, progress)
        z, verdict = _judged(chart, found, names, DENSE, gates, thin)
    return Posterior(
        fit=mode,
        z=z,
        stats={name: x[:, thin - 1 :: thin] for name, x in found.stats().items()},
        step_size=step,
        diagnosis=verdict,
        engine=engine,
        starts=starts,
        seed=seed,
        seconds={**mode.seconds, "sampling": time.perf_counter() - clock},
    )


def _row(chart: CurvedChart, i: int) -> CurvedChart:
    return jax.tree.map(lambda x: x[i], chart)


def _judged(
    chart: CurvedChart, found: Draws, names: tuple[str, ...], settings: NUTS, gates: Gates | None, thin: int = 1
) -> tuple[np.ndarray, Diagnosis]:
    """The draws that are kept, in the coordinates that have names, and the verdict on them and on every transition."""
    z = np.asarray(unchart(chart, jnp.asarray(found.y[:, thin - 1 :: thin])))
    return z, diagnose(z.astype(np.float64), names, found.stats(), settings.depth, gates)


def _optima(mode: Fit) -> tuple[CurvedChart, np.ndarray]:
    """Curved charts at the mode and the other optima (leading axis), and the log of Laplace's mass of each."""
    z = mode.problem.split.vector()
    centres = jnp.stack([z, *(jnp.asarray(a, z.dtype) for a in mode.alternatives)])
    value, hessian = jax.device_get(_looked(mode.problem, centres))
    chart = Chart(centres, jnp.asarray(whitener(np.where(np.isfinite(hessian), hessian, 0)), z.dtype))
    # The chart's volume is that of the Gaussian; where the curvature is flat or negative its floor is meaningless.
    width = np.linalg.slogdet(np.asarray(chart.scale, np.float64))[1]
    sound = np.all(np.linalg.eigvalsh(np.asarray(hessian, np.float64)) > 0, axis=1)
    return bent(mode.problem, chart), np.where(sound, width, width[0]) - value


@eqx.filter_jit
def _looked(problem: FitProblem, z: Float[Array, "m p"]) -> tuple[Array, Array]:
    return jax.vmap(problem.value)(z), jax.vmap(jax.hessian(problem.value))(z)


@eqx.filter_jit
def _potential(problem: FitProblem, charts: CurvedChart, y: Float[Array, "m p"]) -> Float[Array, " m"]:
    return jax.vmap(lambda chart, y: problem.value(chart(y)))(charts, y)


def _starts(mode: Fit, chains: int, key: PRNGKeyArray) -> tuple[CurvedChart, Array, tuple[int, ...]]:
    """Every chain's chart and start in it, and the number of the optimum it belongs to."""
    optima, mass = _optima(mode)
    near = [i for i, m in enumerate(mass) if i == 0 or m > mass[0] - NEAR]
    of = np.array([near[i % len(near)] for i in range(chains)])
    chart = jax.tree.map(lambda x: x[of], optima)
    away = jax.random.normal(key, chart.chart.centre.shape, chart.chart.centre.dtype)
    # Far out a density may underflow; then start nearer.
    tries = [size * away for size in (SPREAD, 0.5 * SPREAD, 0.1 * SPREAD, 0.0)]
    usable = np.stack([np.isfinite(_potential(mode.problem, chart, y)) for y in tries])
    return chart, jnp.stack(tries)[np.argmax(usable, axis=0), np.arange(chains)], tuple(of.tolist())


def _draw(
    problem: FitProblem,
    chart: CurvedChart,
    y: Float[Array, "chain p"],
    key: PRNGKeyArray,
    draws: int,
    settings: NUTS,
    engine: str,
    progress: Progress | None,
) -> tuple[Draws, np.ndarray]:
    total = settings.warmup + draws
    tell = None if progress is None else lambda done, divergent: progress(engine, done, total, divergent)
    return run(problem, chart, None, y, jax.random.split(key, y.shape[0]), draws, settings, progress=tell)
