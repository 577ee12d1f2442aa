"""Many posteriors at once: one lane per resample, by importance sampling first and NUTS where that fails.

A lane is the fit's model with other weights or targets. Its mode comes from the solver's queue; a multivariate t
in the curved chart at the mode proposes draws, and Pareto smoothing judges them (no loop of data-dependent length,
hence no lane that waits for another). Lanes that fail the gate are proposed again around the weighted mean and
covariance of what they have; those that still fail are sampled by NUTS in the same chart.
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
from jaxscale.infer.importance import Importance, importance
from jaxscale.infer.nuts import NUTS, run, unchart
from jaxscale.infer.problem import FitProblem, Resample
from jaxscale.infer.refit import refit
from jaxscale.infer.rows import rows_per_call
from jaxscale.infer.shard import each, over_devices
from jaxscale.solve.chart import Chart, whitener
from jaxscale.solve.curved import straight

_BYTES = 2**30  # of predictions held at once on an accelerator, where all lanes run side by side
_LANES = 256
_TOGETHER = 16  # chains per call of the NUTS program
PSIS, CHAINS = 0, 1  # the engines, as stored


@dataclass(frozen=True)
class LaneSettings:
    """How every lane is drawn.

    - `importance`: the first engine, and how many draws of equal weight a lane keeps.
    - `chains`, `nuts`: where NUTS takes over, with `nuts_draws` draws a chain.
    - `gates`: a lane that misses them in both engines is kept and marked.
    """

    importance: Importance = field(default_factory=Importance)
    chains: int = 4
    nuts_draws: int = 1000
    # Lanes that come here are those for which the mode's curvature misleads: long trajectories, in a straight chart.
    nuts: NUTS = field(default_factory=lambda: NUTS(warmup=500, dense=True, target=0.95, depth=10))
    gates: Gates = field(default_factory=lambda: Gates(ess=100.0))


class Lanes(eqx.Module):
    """Posteriors of m lanes, on the host.

    - `z`: draws in unconstrained coordinates, equally weighted.
    - `mode`, `scale`: the mode, and a square root of the Laplace covariance there.
    - `ok`: whether the engine's gates were passed. `engine`: `PSIS` or `CHAINS`.
    - `khat`: of the importance weights; `ess`: of each coordinate's mean, by the engine used; `rhat`: greatest
      of the coordinates, nan for importance sampling. `code`: how the mode's solve ended.
    """

    z: Float[np.ndarray, "m draw p"]
    mode: Float[np.ndarray, "m p"]
    scale: Float[np.ndarray, "m p p"]
    ok: np.ndarray
    engine: np.ndarray
    khat: np.ndarray
    ess: Float[np.ndarray, "m p"]
    rhat: np.ndarray
    code: np.ndarray


def lanes_per_call(problem: FitProblem, settings: LaneSettings) -> int:
    """Lanes of one call of the compiled program; on an accelerator every proposal of each is held at once."""
    together = 1 if jax.default_backend() == "cpu" else 4 * settings.importance.proposals
    return rows_per_call(problem, _LANES, _BYTES // together)


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
    drawn = importance(fit.problem, chart, context, keys, count, settings.importance)
    z, khat, ess = drawn.z, drawn.khat, drawn.ess
    ok = drawn.trusted & usable[:count]
    failed = np.flatnonzero(~ok)
    engine, rhat = np.where(ok, PSIS, CHAINS), np.full(count, np.nan)
    together = max(1, _TOGETHER // settings.chains)
    for first in range(0, len(failed), together):
        some = failed[first : first + together]
        z[some], ess[some], rhat[some], ok[some] = _chains(fit.problem, chart, context, keys, some, settings)
    mode, code = (np.asarray(x)[:count] for x in (found.z, found.code))
    return Lanes(z, mode, scale[:count], ok, engine, khat, ess, rhat, code)


@eqx.filter_jit
def _hessians(problem: FitProblem, z: Array, context: Resample, stop: Int[Array, ""]) -> Array:
    def block(problem: FitProblem, rows: tuple[Array, Resample], _: Array) -> Array:
        return each(lambda row: jax.hessian(problem.value)(*row), rows)

    return over_devices(block, problem, (z, context), stop)


def _chains(
    problem: FitProblem, charts: Chart, context: Resample, keys: Array, some: np.ndarray, settings: LaneSettings
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """NUTS for the lanes `some`: draws, effective sizes, R-hat, and whether the gates were passed."""
    chains, gates = settings.chains, settings.gates
    rows = max(1, _TOGETHER // chains)
    # As many lanes as any call has, the last ones again: one program.
    index, of_chain = np.repeat(some, chains), np.tile(np.arange(chains), len(some))
    chart, own = jax.tree.map(lambda x: x[index], (straight(charts), context))
    key = jax.vmap(jax.random.fold_in)(keys[index], jnp.asarray(settings.importance.rounds + of_chain))
    start = jax.vmap(lambda k: jax.random.normal(k, charts.centre.shape[1:], charts.centre.dtype))(key)
    found, _ = run(problem, chart, own, start, key, settings.nuts_draws, settings.nuts, pad=rows * chains)
    z = np.asarray(unchart(chart, jnp.asarray(found.y)))
    shape = (len(some), chains, settings.nuts_draws)
    y = np.moveaxis(np.asarray(found.y, np.float64).reshape(*shape, -1), 0, 2)  # chain, draw, lane, coordinate
    with np.errstate(invalid="ignore", divide="ignore"):
        rhat = np.max(convergence.rhat(y), axis=-1)
        ess = np.minimum(convergence.ess_bulk(y), convergence.ess_tail(y))
    calm = ~np.any(found.diverging.reshape(len(some), -1), axis=1)
    ok = (rhat < gates.rhat) & np.all(ess >= gates.ess, axis=-1) & calm
    kept = np.linspace(0, chains * settings.nuts_draws - 1, settings.importance.draws).round().astype(int)
    return z.reshape(len(some), -1, z.shape[-1])[:, kept], ess, rhat, ok
