"""Importance sampling of many lanes: a multivariate t in the curved chart of each mode, Pareto-smoothed.

No loop here has a length that depends on data: lanes never wait for one another. A lane whose weights are not to be
trusted is proposed again around the weighted mean and covariance of what it has, by the same compiled program.
"""

from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxscale.core.ranges import Range, check_fields, many
from jaxscale.execute.devices import each, over_devices
from jaxscale.infer.posterior.psis import khat_limit, relative_ess, resample, smooth
from jaxscale.infer.search.problem import FitProblem, Resample
from jaxscale.solve.chart import Chart
from jaxscale.solve.curved import curved


@dataclass(frozen=True)
class Importance:
    """Settings of importance sampling.

    - `proposals`: per round, of which `draws` are kept; `rounds` at most. `df`: of the t.
    - `ess`: effective draws below which a lane is proposed again.
    - `khat`: largest Pareto shape that is trusted, `psis.khat_limit(proposals)` where None; 0 rounds trust nothing.
    """

    draws: Annotated[int, many(1, like="250")] = 250
    proposals: Annotated[int, many(30, like="500")] = 500
    rounds: Annotated[int, Range(0, 100, True, "3")] = 3
    df: Annotated[int, Range(1, 1000, True, "7")] = 7
    ess: Annotated[float, Range(0.0, 1e30, like="100")] = 100.0
    khat: Annotated[float, Range(0.0, 1e30, like="0.7")] | None = None

    def __post_init__(self) -> None:
        check_fields(self)


class Weighted(NamedTuple):
    """Draws of equal weight (m, draw, p) in unconstrained coordinates, and how far they are to be trusted."""

    z: np.ndarray
    khat: np.ndarray
    ess: np.ndarray
    trusted: np.ndarray


def importance(
    problem: FitProblem, chart: Chart, context: Resample, keys: PRNGKeyArray, count: int, settings: Importance
) -> Weighted:
    """Sample the first `count` lanes, each in its own chart and context (leading axis of all arguments)."""
    limit = khat_limit(settings.proposals) if settings.khat is None else settings.khat
    rows, p = chart.centre.shape
    dtype = chart.centre.dtype
    z, ess = np.zeros((count, settings.draws, p), dtype), np.zeros((count, p))
    khat, trusted, failed = np.full(count, np.inf), np.zeros(count, bool), np.arange(count)
    proposal = Proposal(np.zeros((count, p)), np.tile(np.eye(p), (count, 1, 1)))
    for stage in range(settings.rounds):
        # The same program for a few failed lanes: the rows after them are not run.
        index, left = np.resize(failed, rows), len(failed)
        own = jax.tree.map(lambda x, index=index: x[index], (chart, context, keys))
        about = jax.tree.map(lambda x, index=index: jnp.asarray(x[index], dtype), proposal)
        stages = jnp.full(rows, stage)
        drawn = jax.device_get(_propose(problem, (*own, about, stages), jnp.asarray(left, jnp.int32), settings))
        drawn = jax.tree.map(lambda x, left=left: x[:left], drawn)
        z[failed], khat[failed], ess[failed] = drawn.z, drawn.khat, drawn.ess
        trusted[failed] = (drawn.khat < limit) & np.all(drawn.ess >= settings.ess, axis=1)
        proposal.mean[failed], proposal.factor[failed] = drawn.mean, _roots(drawn.covariance)
        failed = np.flatnonzero(~trusted)
        if not len(failed):
            break
    return Weighted(z, khat, ess, trusted)


class Proposal(eqx.Module):
    """Where importance sampling proposes in a lane's chart: a t around `mean`, stretched by `factor`."""

    mean: Float[Any, "*m p"]
    factor: Float[Any, "*m p p"]


class _Drawn(eqx.Module):
    z: Float[Array, "draw p"]
    khat: Float[Array, ""]
    ess: Float[Array, " p"]
    mean: Float[Array, " p"]
    covariance: Float[Array, "p p"]


def _roots(covariance: np.ndarray) -> np.ndarray:
    """Square roots of covariances (m, p, p), on the host in float64; the identity where there is none."""
    found = np.tile(np.eye(covariance.shape[-1]), (len(covariance), 1, 1))
    for i, matrix in enumerate(np.asarray(covariance, np.float64)):
        eigenvalues, vectors = np.linalg.eigh(matrix) if np.all(np.isfinite(matrix)) else (np.zeros(1), matrix)
        if eigenvalues[0] > 0:
            found[i] = vectors * np.sqrt(eigenvalues)
    return found


@eqx.filter_jit
def _propose(problem: FitProblem, rows: Any, stop: Int[Array, ""], settings: Importance) -> _Drawn:
    s, df = settings.proposals, settings.df

    def one(problem: FitProblem, chart: Chart, context: Resample, key: Array, at: Proposal, stage: Array) -> _Drawn:
        bent, p = curved(problem, chart, context), chart.centre.shape[0]
        normal_key, choice_key = jax.random.split(jax.random.fold_in(key, stage))
        normal = jax.random.normal(normal_key, (s, p + df), chart.centre.dtype)
        t = normal[:, :p] / jnp.sqrt(jnp.mean(normal[:, p:] ** 2, axis=1, keepdims=True))
        density = -0.5 * (df + p) * jnp.log1p(jnp.sum(t**2, axis=1) / df)  # the factor's determinant is a constant
        w = at.mean[None, :] + jnp.matmul(t, at.factor.T, precision=jax.lax.Precision.HIGHEST)
        z = jax.vmap(bent)(w)
        ratio = -jax.vmap(lambda z: problem.value(z, context))(z) - density
        # A proposal so far out that the law overflows has no posterior density there.
        smoothed = smooth(jnp.where(jnp.isnan(ratio), -jnp.inf, ratio))
        # Systematic resampling loses at most what that many independent draws would.
        ess = 1 / (1 / relative_ess(smoothed.log_weight, z) + 1 / settings.draws)
        weight = jnp.exp(smoothed.log_weight)[:, None]
        mean = jnp.sum(weight * w, axis=0)
        away = w - mean[None, :]
        chosen = z[resample(choice_key, smoothed.log_weight, settings.draws)]
        return _Drawn(chosen, smoothed.k, ess, mean, jnp.matmul((weight * away).T, away))

    def block(problem: FitProblem, rows: Any, stop: Array) -> _Drawn:
        return each(lambda row: one(problem, *row), rows, stop)

    return over_devices(block, problem, rows, stop)
