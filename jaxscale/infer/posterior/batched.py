"""Many posteriors at once: one lane per resample, by importance sampling or by NUTS.

A lane is the fit's model with other weights or targets. Its mode comes from the solver's queue. Where importance
sampling is the engine, a multivariate t in the curved chart at the mode proposes draws, and Pareto smoothing judges
them (no loop of data-dependent length, hence no lane that waits for another); lanes that fail the gate are proposed
again around the weighted mean and covariance of what they have. Where NUTS is the engine, chains run in the same
charts. Lanes that still fail are sampled by NUTS without the bend, with a mass matrix of their own.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxscale.core.errors import BadInput
from jaxscale.core.ranges import check_fields, many
from jaxscale.execute.devices import each, over_devices
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.fit.refit import refit
from jaxscale.infer.posterior.diagnosis import Gates, diagnose
from jaxscale.infer.posterior.importance import Importance, importance
from jaxscale.infer.posterior.nuts import DENSE, NUTS, SPREAD, run, unchart
from jaxscale.infer.search.problem import FitProblem, Resample
from jaxscale.infer.search.rows import rows_per_call
from jaxscale.solve.chart import Chart, whitener
from jaxscale.solve.curved import CurvedChart, curved, straight

_BYTES = 2**30  # of predictions held at once on an accelerator, where all lanes run side by side
_LANES = 256
_RESCUES = 4  # lanes per call of the program that takes over from the engine: few come there
PSIS, RESCUE, CHAINS = 0, 1, 2  # what drew a lane, as stored

type Engine = Literal["importance", "nuts"]
ENGINES: Final[tuple[Engine, ...]] = get_args(Engine.__value__)


@dataclass(frozen=True, kw_only=True)
class LaneSettings:
    """How every lane is drawn. Raises `BadInput` on an engine that there is not, and outside of the ranges.

    - `engine`: "importance" or "nuts".
    - `importance`: settings of the former, and how many draws of equal weight a lane keeps, whatever drew them.
    - `nuts`, `draws`: settings of the latter, and how many draws a chain makes.
    - `rescue`, `rescue_draws`: the same where the engine failed.
    - `chains`: of a lane, `gates`: of its chains; a lane that misses them both times is kept and marked.
    """

    engine: Engine = "importance"
    importance: Importance = field(default_factory=Importance)
    nuts: NUTS = field(default_factory=NUTS)
    draws: Annotated[int, many(8, like="500")] = 500
    rescue: NUTS = DENSE
    rescue_draws: Annotated[int, many(8, like="1000")] = 1000
    chains: Annotated[int, many(2, like="4")] = 4
    gates: Gates = field(default_factory=lambda: Gates(ess=100.0))

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise BadInput(f"engine: expected one of {', '.join(ENGINES)}, got {self.engine!r}")
        check_fields(self)


class Lanes(eqx.Module):
    """Posteriors of m lanes, on the host.

    - `z`: draws in unconstrained coordinates, equally weighted.
    - `mode`, `scale`: the mode, and a square root of the Laplace covariance there.
    - `ok`: whether the gates were passed. `engine`: `PSIS`, `CHAINS`, or `RESCUE` after either.
    - `khat`: of the importance weights, nan without them; `ess`: of each coordinate's mean, by what drew the lane;
      `rhat`: greatest of the coordinates, nan for importance sampling. `code`: how the mode's solve ended.
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
    """Lanes of one call of the compiled program; on an accelerator every proposal or chain of each is held at once."""
    many = settings.importance.proposals if settings.engine == "importance" else settings.chains
    together = 1 if jax.default_backend() == "cpu" else 4 * many
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
    # A lane is the same however many others there are: the work is the call's.
    found = refit(fit, context, count, starts, work=len(keys))
    stop = jnp.asarray(count, jnp.int32)
    hessian = np.asarray(_hessians(fit.problem, found.z, context, stop))
    usable = np.all(np.isfinite(hessian), axis=(1, 2))
    scale = whitener(np.where(usable[:, None, None], hessian, np.eye(hessian.shape[-1], dtype=hessian.dtype)))
    chart = Chart(found.z, jnp.asarray(scale, found.z.dtype))
    if settings.engine == "importance":
        z, khat, ess, ok = importance(fit.problem, chart, context, keys, count, settings.importance)
        rhat, engine = np.full(count, np.nan), np.full(count, PSIS)
    else:
        bent, work = _bent(fit.problem, chart, context, stop), _Work(settings.nuts, settings.draws, len(keys), 0)
        z, ess, rhat, ok = _chains(fit.problem, bent, context, keys, np.arange(count), settings, work)
        khat, engine = np.full(count, np.nan), np.full(count, CHAINS)
    ok = ok & usable[:count]
    failed = np.flatnonzero(~ok)
    engine[failed] = RESCUE
    work = _Work(settings.rescue, settings.rescue_draws, _RESCUES, 1)
    for first in range(0, len(failed), _RESCUES):
        some = failed[first : first + _RESCUES]
        z[some], ess[some], rhat[some], ok[some] = _chains(
            fit.problem, straight(chart), context, keys, some, settings, work
        )
    mode, code = (np.asarray(x)[:count] for x in (found.z, found.code))
    return Lanes(z, mode, scale[:count], ok, engine, khat, ess, rhat, code)


@eqx.filter_jit
def _hessians(problem: FitProblem, z: Array, context: Resample, stop: Int[Array, ""]) -> Array:
    def block(problem: FitProblem, rows: tuple[Array, Resample], _: Array) -> Array:
        return each(lambda row: jax.hessian(problem.value)(*row), rows)

    return over_devices(block, problem, (z, context), stop)


@eqx.filter_jit
def _bent(problem: FitProblem, chart: Chart, context: Resample, stop: Int[Array, ""]) -> CurvedChart:
    def block(problem: FitProblem, rows: Any, stop: Array) -> CurvedChart:
        return each(lambda row: curved(problem, *row), rows, stop)

    return over_devices(block, problem, (chart, context), stop)


class _Work(NamedTuple):
    """What chains of lanes do: settings, draws of each, the lanes that a call has room for, and which time this is."""

    nuts: NUTS
    draws: int
    lanes: int
    time: int


def _chains(
    problem: FitProblem,
    charts: CurvedChart,
    context: Resample,
    keys: Array,
    some: np.ndarray,
    settings: LaneSettings,
    work: _Work,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """NUTS for the lanes `some`: the draws kept, effective sizes, R-hat, and whether the gates were passed."""
    chains = settings.chains
    index, of_chain = np.repeat(some, chains), np.tile(np.arange(chains), len(some))
    chart, own = jax.tree.map(lambda x: x[index], (charts, context))
    salt = settings.importance.rounds + chains * work.time + of_chain  # after the rounds of importance sampling
    key = jax.vmap(jax.random.fold_in)(keys[index], jnp.asarray(salt))
    centre = charts.chart.centre
    start = SPREAD * jax.vmap(lambda k: jax.random.normal(k, centre.shape[1:], centre.dtype))(key)
    # As many lanes as any call has, the last ones again: one program.
    found, _ = run(problem, chart, own, start, key, work.draws, work.nuts, pad=work.lanes * chains)
    shape = (len(some), chains, work.draws)
    names = problem.split.names()
    z = np.asarray(unchart(chart, jnp.asarray(found.y))).reshape(*shape, -1)
    stats = {name: x.reshape(shape) for name, x in found.stats().items()}
    verdicts = []
    for i in range(len(some)):
        record = {name: x[i] for name, x in stats.items()}
        verdicts.append(diagnose(z[i].astype(np.float64), names, record, work.nuts.depth, settings.gates))
    ess = np.array([np.minimum(v.ess_bulk, v.ess_tail) for v in verdicts])
    rhat, ok = np.array([np.max(v.rhat) for v in verdicts]), np.array([v.passed for v in verdicts])
    kept = np.linspace(0, chains * work.draws - 1, settings.importance.draws).round().astype(int)
    return z.reshape(len(some), chains * work.draws, -1)[:, kept], ess, rhat, ok
