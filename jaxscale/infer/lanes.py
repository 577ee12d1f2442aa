"""Many posteriors at once: one lane per resample, by importance sampling first and NUTS where that fails.

A lane is the fit's model with other weights or targets. Its mode comes from the solver's queue; a multivariate t
in the curved chart at the mode proposes draws, and Pareto smoothing judges them (no loop of data-dependent length,
hence no lane that waits for another). Lanes that fail the gate are sampled by NUTS in the same chart.
"""

from dataclasses import dataclass, field

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxscale.infer import convergence
from jaxscale.infer.diagnosis import Gates
from jaxscale.infer.fit import Fit
from jaxscale.infer.nuts import NUTS, run
from jaxscale.infer.problem import FitProblem, Resample
from jaxscale.infer.psis import khat_limit, relative_ess, resample, smooth
from jaxscale.infer.refit import refit
from jaxscale.infer.shard import each, over_devices
from jaxscale.solve.chart import Chart, whitener
from jaxscale.solve.curved import CurvedChart, curved

_BYTES = 2**30  # of predictions held at once on an accelerator, where all lanes run side by side
_TOGETHER = 16  # chains per call of the NUTS program
PSIS, CHAINS = 0, 1  # the engines, as stored


@dataclass(frozen=True)
class LaneSettings:
    """How every lane is drawn.

    - `draws`: kept per lane, of equal weight; `proposals`: of which importance sampling chooses them.
    - `df`: of the t proposal. `chains`, `nuts`: where NUTS takes over, with `nuts_draws` draws a chain.
    - `gates`: a lane that misses them in both engines is kept and marked.
    """

    draws: int = 250
    proposals: int = 500
    df: int = 7
    chains: int = 2
    nuts_draws: int = 500
    nuts: NUTS = field(default_factory=lambda: NUTS(target=0.9))
    gates: Gates = field(default_factory=lambda: Gates(ess=100.0))


class Lanes(eqx.Module):
    """Posteriors of m lanes, on the host.

    - `z`: draws in unconstrained coordinates, equally weighted.
    - `mode`, `sd`: the mode and the Laplace standard deviations there.
    - `ok`: whether the engine's gates were passed. `engine`: `PSIS` or `CHAINS`.
    - `khat`: of the importance weights; `ess`: of each coordinate's mean, by the engine used; `rhat`: greatest
      of the coordinates, nan for importance sampling. `code`: how the mode's solve ended.
    """

    z: Float[np.ndarray, "m draw p"]
    mode: Float[np.ndarray, "m p"]
    sd: Float[np.ndarray, "m p"]
    ok: np.ndarray
    engine: np.ndarray
    khat: np.ndarray
    ess: Float[np.ndarray, "m p"]
    rhat: np.ndarray
    code: np.ndarray


def lanes_per_call(problem: FitProblem, settings: LaneSettings, most: int = 256) -> int:
    """Lanes of one call of the compiled program, by the bytes they need; a multiple of the number of devices."""
    itemsize = problem.runs.target.dtype.itemsize
    side_by_side = 1 if jax.default_backend() == "cpu" else 4 * settings.proposals
    devices = jax.device_count()
    rows = max(1, min(most, _BYTES // (problem.runs.size * itemsize * side_by_side)))
    return -(-rows // devices) * devices


def posterior_lanes(
    fit: Fit,
    context: Resample,
    keys: PRNGKeyArray,
    count: int,
    settings: LaneSettings,
    starts: Float[np.ndarray, "rows p"] | None = None,
) -> Lanes:
    """The posteriors of the first `count` rows of `context`, of which row i uses `keys[i]` alone.

    `fit` is a mode (`prior=True`); `starts` are unconstrained points to look for the modes from, its own by default.
    """
    found = refit(fit, context, count, starts)
    stop = jnp.asarray(count, jnp.int32)
    hessian = np.asarray(_hessians(fit.problem, found.z, context, stop))
    usable = np.all(np.isfinite(hessian), axis=(1, 2))
    scale = whitener(np.where(usable[:, None, None], hessian, np.eye(hessian.shape[-1], dtype=hessian.dtype)))
    chart = Chart(found.z, jnp.asarray(scale, found.z.dtype))
    importance_keys, chain_keys = (jax.vmap(lambda k, i=i: jax.random.fold_in(k, i))(keys) for i in range(2))
    drawn = _importance(fit.problem, chart, context, importance_keys, stop, settings)
    bend, host = drawn.bend, jax.device_get((drawn.z, drawn.khat, drawn.ess))
    z, khat, ess = (np.array(x[:count]) for x in host)
    ok = (khat < khat_limit(settings.proposals)) & np.all(ess >= settings.gates.ess, axis=1) & usable[:count]
    engine, rhat = np.where(ok, PSIS, CHAINS), np.full(count, np.nan)
    failed = np.flatnonzero(~ok)
    charts = CurvedChart(chart, bend)
    together = max(1, _TOGETHER // settings.chains)
    for first in range(0, len(failed), together):
        some = failed[first : first + together]
        z[some], ess[some], rhat[some], ok[some] = _chains(fit.problem, charts, context, chain_keys, some, settings)
    spread = np.sqrt(np.sum(scale[:count] ** 2, axis=2))
    return Lanes(z, np.asarray(found.z)[:count], spread, ok, engine, khat, ess, rhat, np.asarray(found.code)[:count])


class _Drawn(eqx.Module):
    z: Float[Array, "draw p"]
    khat: Float[Array, ""]
    ess: Float[Array, " p"]
    bend: Float[Array, "p p p"]


@eqx.filter_jit
def _hessians(problem: FitProblem, z: Array, context: Resample, stop: Int[Array, ""]) -> Array:
    def block(problem: FitProblem, rows: tuple[Array, Resample], _: Array) -> Array:
        return each(lambda row: jax.hessian(problem.value)(*row), rows)

    return over_devices(block, problem, (z, context), stop)


@eqx.filter_jit
def _importance(
    problem: FitProblem, chart: Chart, context: Resample, keys: Array, stop: Int[Array, ""], settings: LaneSettings
) -> _Drawn:
    s, p, df = settings.proposals, chart.centre.shape[1], settings.df

    def one(problem: FitProblem, chart: Chart, context: Resample, key: Array) -> _Drawn:
        bent = curved(problem, chart, context)
        normal_key, choice_key = jax.random.split(key)
        normal = jax.random.normal(normal_key, (s, p + df), chart.centre.dtype)
        w = normal[:, :p] / jnp.sqrt(jnp.mean(normal[:, p:] ** 2, axis=1, keepdims=True))
        proposal = -0.5 * (df + p) * jnp.log1p(jnp.sum(w**2, axis=1) / df)
        z = jax.vmap(bent)(w)
        ratio = -jax.vmap(lambda z: problem.value(z, context))(z) - proposal
        # A proposal so far out that the law overflows has no posterior density there.
        smoothed = smooth(jnp.where(jnp.isnan(ratio), -jnp.inf, ratio))
        # Systematic resampling loses at most what that many independent draws would.
        by_weight = relative_ess(smoothed.log_weight, z)
        ess = 1 / (1 / by_weight + 1 / settings.draws)
        return _Drawn(z[resample(choice_key, smoothed.log_weight, settings.draws)], smoothed.k, ess, bent.bend)

    def block(problem: FitProblem, rows: tuple[Array, Chart, Resample, Array], stop: Array) -> _Drawn:
        index, *row = rows
        nothing = jax.tree.map(
            lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(lambda r: one(problem, *r), jax.tree.map(_first, row))
        )
        local = jnp.arange(index.shape[0], dtype=stop.dtype)
        return each(
            lambda x: jax.lax.cond(x[0] < stop, lambda r: one(problem, *r), lambda _: nothing, x[1]), (local, row)
        )

    rows = (jnp.arange(chart.centre.shape[0], dtype=stop.dtype), chart, context, keys)
    return over_devices(block, problem, rows, stop)


def _first(x: Array) -> Array:
    return x[0]


def _chains(
    problem: FitProblem, charts: CurvedChart, context: Resample, keys: Array, some: np.ndarray, settings: LaneSettings
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """NUTS for the lanes `some`: draws, effective sizes, R-hat, and whether the gates were passed."""
    chains, gates = settings.chains, settings.gates
    index = np.repeat(some, chains)
    of_chain = np.tile(np.arange(chains), len(some))
    chart, own = jax.tree.map(lambda x: x[index], (charts, context))
    key = jax.vmap(jax.random.fold_in)(keys[index], jnp.asarray(of_chain))
    start = jax.vmap(lambda k: jax.random.normal(k, charts.bend.shape[1:2], charts.bend.dtype))(key)
    rows = _TOGETHER // chains * chains if chains <= _TOGETHER else chains
    found, _ = run(problem, chart, own, start, key, settings.nuts_draws, settings.nuts, pad=rows)
    z = np.asarray(_unchart(chart, jnp.asarray(found.y)))
    shape = (len(some), chains, settings.nuts_draws)
    y = np.moveaxis(np.asarray(found.y, np.float64).reshape(*shape, -1), 0, 2)  # chain, draw, lane, coordinate
    with np.errstate(invalid="ignore", divide="ignore"):
        rhat = np.max(convergence.rhat(y), axis=-1)
        ess = np.minimum(convergence.ess_bulk(y), convergence.ess_tail(y))
    calm = ~np.any(found.diverging.reshape(len(some), -1), axis=1)
    ok = (rhat < gates.rhat) & np.all(ess >= gates.ess, axis=-1) & calm
    kept = np.linspace(0, chains * settings.nuts_draws - 1, settings.draws).round().astype(int)
    return z.reshape(len(some), -1, z.shape[-1])[:, kept], ess, rhat, ok


@eqx.filter_jit
def _unchart(charts: CurvedChart, y: Float[Array, "rows draw p"]) -> Float[Array, "rows draw p"]:
    return jax.vmap(lambda chart, y: jax.vmap(chart)(y))(charts, y)
