"""`sample`: the posterior of a law, by NUTS in the curved chart of its mode."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxscale.core.errors import BadInput
from jaxscale.core.law import AbstractLaw
from jaxscale.core.runs import Runs, Table
from jaxscale.infer.diagnosis import Diagnosis, Gates, diagnose
from jaxscale.infer.fit import Fit, fit
from jaxscale.infer.nuts import NUTS, Draws, run
from jaxscale.infer.posterior import Posterior
from jaxscale.infer.problem import FitProblem
from jaxscale.objectives.likelihood import Likelihood, student_t
from jaxscale.solve.chart import Chart, chart_at
from jaxscale.solve.curved import CurvedChart, curved

NEAR = 10.0  # an optimum whose density is lower than the best by more e-folds than this holds no mass worth a chain
_SPREAD = 2.0  # of the starts, in posterior standard deviations: R-hat wants them over-dispersed
_DENSE = NUTS(warmup=1000, dense=True, target=0.95, depth=10)

type Progress = Callable[[str, int, int, int], None]


def sample(
    law: AbstractLaw,
    data: Runs | Table,
    likelihood: Likelihood | None = None,
    *,
    key: PRNGKeyArray | int = 0,
    draws: int = 1000,
    chains: int = 4,
    fixed: Mapping[str, Any] | tuple[str, ...] = (),
    starts: int = 32,
    settings: NUTS | None = None,
    gates: Gates | None = None,
    progress: Progress | None = None,
) -> Posterior:
    """The posterior of `law` and its noise given `data`, with every parameter's declared prior.

    The mode is found and certified by `fit(..., prior=True)`; see `sample_from` for the rest. `likelihood`
    defaults to `student_t(5)`. Raises `BadInput` where `fit` does.
    """
    likelihood = student_t() if likelihood is None else likelihood
    mode = fit(law, data, likelihood, fixed=fixed, prior=True, starts=starts)
    return sample_from(mode, key=key, draws=draws, chains=chains, settings=settings, gates=gates, progress=progress)


def sample_from(
    mode: Fit,
    *,
    key: PRNGKeyArray | int = 0,
    draws: int = 1000,
    chains: int = 4,
    settings: NUTS | None = None,
    gates: Gates | None = None,
    progress: Progress | None = None,
) -> Posterior:
    """Draw from the posterior whose mode `fit(..., prior=True)` found.

    Chains start over-dispersed around the mode and around every other optimum of the search whose density is
    not negligible, in turn: a second mode shows as a bad R-hat instead of being missed. Where the diagnosis fails,
    the chains go on with a dense mass matrix, a longer warm-up and shorter steps; that result is returned whatever
    its verdict. `progress` is called with (stage, iterations done, iterations in all, divergences).

    Raises `BadInput` on a fit without prior, fewer than 2 chains, or fewer than 8 draws.
    """
    if not mode.problem.prior:
        raise BadInput("sample_from: expected a fit made with prior=True, got one without; use sample(...)")
    if chains < 2 or draws < 8:
        raise BadInput(f"sample: expected at least 2 chains of 8 draws, got {chains} of {draws}; ask for more")
    clock = time.perf_counter()
    seed = key if isinstance(key, int) else None
    key = jax.random.key(key) if isinstance(key, int) else key
    first, second, spread = jax.random.split(key, 3)
    chart = mode_chart(mode)
    y, starts = _starts(mode, chart, chains, spread)
    names = mode.problem.split.names()
    engine, chosen = "nuts:curved", NUTS() if settings is None else settings
    found, step = _draw(mode.problem, chart, y, first, draws, chosen, engine, progress)
    z, verdict = _judged(chart, found, names, chosen, gates)
    if settings is None and not verdict.passed:
        engine, y = "nuts:curved+dense", jnp.asarray(found.y[:, -1])
        found, step = _draw(mode.problem, chart, y, second, draws, _DENSE, engine, progress)
        z, verdict = _judged(chart, found, names, _DENSE, gates)
    return Posterior(
        fit=mode,
        z=z,
        stats=_stats(found),
        step_size=step,
        diagnosis=verdict,
        engine=engine,
        starts=starts,
        seed=seed,
        seconds={**mode.seconds, "sampling": time.perf_counter() - clock},
    )


def _judged(
    chart: CurvedChart, found: Draws, names: tuple[str, ...], settings: NUTS, gates: Gates | None
) -> tuple[np.ndarray, Diagnosis]:
    """The draws in the coordinates that have names, and the verdict on them."""
    z = np.asarray(_unchart(chart, jnp.asarray(found.y)))
    return z, diagnose(z.astype(np.float64), names, _stats(found), settings.depth, gates)


def mode_chart(mode: Fit) -> CurvedChart:
    """The curved chart at the mode, whitened by the exact Hessian."""
    z = mode.problem.split.vector()
    return _curved(mode.problem, chart_at(z, mode.hessian.astype(z.dtype)))


@eqx.filter_jit
def _curved(problem: FitProblem, chart: Chart) -> CurvedChart:
    return curved(problem, chart)


@eqx.filter_jit
def _unchart(chart: CurvedChart, y: Float[Array, "chain draw p"]) -> Float[Array, "chain draw p"]:
    return jax.vmap(jax.vmap(chart))(y)


@eqx.filter_jit
def _potential(problem: FitProblem, chart: CurvedChart, y: Float[Array, "m p"]) -> Float[Array, " m"]:
    return jax.vmap(lambda y: problem.value(chart(y)))(y)


def _starts(mode: Fit, chart: CurvedChart, chains: int, key: PRNGKeyArray) -> tuple[Array, tuple[int, ...]]:
    """One start per chain, in the chart, and the number of the optimum it belongs to."""
    dtype = mode.problem.runs.target.dtype
    centres = np.stack([np.zeros(chart.bend.shape[0]), *(chart.inverse(z) for z in mode.alternatives)])
    value = np.asarray(_potential(mode.problem, chart, jnp.asarray(centres, dtype)), np.float64)
    near = [i for i, v in enumerate(value) if i == 0 or v < value[0] + NEAR]
    of = tuple(near[i % len(near)] for i in range(chains))
    away = np.asarray(jax.random.normal(key, (chains, centres.shape[1]), dtype), np.float64)
    # Far out a density may underflow; then start nearer.
    tries = np.stack([centres[list(of)] + size * away for size in (_SPREAD, 0.5 * _SPREAD, 0.1 * _SPREAD, 0.0)])
    flat = jnp.asarray(tries.reshape(-1, tries.shape[-1]), dtype)
    usable = np.isfinite(np.asarray(_potential(mode.problem, chart, flat))).reshape(tries.shape[:2])
    return jnp.asarray(tries[np.argmax(usable, axis=0), np.arange(chains)], dtype), of


def _draw(
    problem: FitProblem,
    chart: CurvedChart,
    y: Float[Array, "chain p"],
    key: PRNGKeyArray,
    draws: int,
    settings: NUTS,
    stage: str,
    progress: Progress | None,
) -> tuple[Draws, np.ndarray]:
    chains = y.shape[0]
    charts = jax.tree.map(lambda x: jnp.broadcast_to(x, (chains, *x.shape)), chart)
    total = settings.warmup + draws
    tell = None if progress is None else lambda done, divergent: progress(stage, done, total, divergent)
    return run(problem, charts, None, y, jax.random.split(key, chains), draws, settings, progress=tell)


def _stats(found: Draws) -> dict[str, np.ndarray]:
    names = ("potential", "energy", "accept", "steps", "diverging")
    return {name: np.asarray(getattr(found, name)) for name in names}
