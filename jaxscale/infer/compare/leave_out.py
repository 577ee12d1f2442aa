"""Scores of runs that were left out: by importance weights where they can be trusted, by refits where not."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, PRNGKeyArray

from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.posterior.batched import LaneSettings, lanes_per_call, posterior_lanes
from jaxscale.infer.posterior.importance import Importance
from jaxscale.infer.posterior.posterior import Posterior, models
from jaxscale.infer.posterior.predictive import log_likelihood
from jaxscale.infer.posterior.psis import khat_limit, loo
from jaxscale.infer.search.problem import Resample
from jaxscale.infer.search.rows import row_keys
from jaxscale.infer.search.units import units

_DRAWS = 2000  # of a posterior, evenly spread over its chains: more do not make the weights better


class LeaveOneOut(NamedTuple):
    """Log predictive density of every run given all others (given all other clusters where runs have any).

    - `elpd`, `p`: in nats, shape (n,); nan for runs of weight zero. `k`: Pareto shape of the weights.
    - `refitted`: runs whose weights were not to be trusted, left out by a refit instead.
    """

    elpd: np.ndarray
    k: np.ndarray
    p: np.ndarray
    refitted: np.ndarray


def leave_one_out(posterior: Posterior, key: PRNGKeyArray) -> LeaveOneOut:
    """PSIS-LOO, or leave-one-cluster-out, exact where the Pareto shape passes its limit."""
    fit, count = posterior.fit, posterior.fit.count
    total = posterior.chains * posterior.draws
    kept = np.unique(np.linspace(0, total - 1, min(total, _DRAWS)).round().astype(int))
    density = log_likelihood(jax.tree.map(lambda x: x[kept], posterior.model), fit.runs)
    weight = np.asarray(fit.runs.weight)
    used = weight > 0
    of_row = np.asarray(units(fit.problem.runs).of_row)[:count]
    sums = np.zeros((len(kept), of_row.max() + 1))
    # As the posterior has it: a run of weight two was seen twice.
    np.add.at(sums.T, of_row[used], (weight * density).T[used])
    found = jax.device_get(loo(jnp.asarray(density), jnp.asarray(sums[:, of_row], density.dtype)))
    elpd, k, p = (np.where(used, x, np.nan) for x in (found.elpd, found.k, found.p))
    refitted = used & ~(k < khat_limit(len(kept)))
    if refitted.any():
        clusters = np.unique(of_row[refitted])
        masks = used & (of_row[None, :] == clusters[:, None])
        exact = score_left_out(fit, masks, key)
        full = np.logaddexp.reduce(density, axis=0) - np.log(len(kept))
        for row in exact:
            there = np.isfinite(row)
            elpd[there], p[there] = row[there], (full - row)[there]
    return LeaveOneOut(elpd, k, p, refitted)


def score_left_out(
    fit: Fit, masks: Bool[np.ndarray, "m n"], key: PRNGKeyArray, settings: LaneSettings | None = None
) -> np.ndarray:
    """Log predictive density of the runs in each mask, given the runs outside it; shape (m, n), nan elsewhere.

    One posterior per mask, all in one batch. A row is nan throughout where its posterior failed its gates.
    """
    settings = LaneSettings(importance=Importance(draws=500, proposals=1000)) if settings is None else settings
    rows, count = lanes_per_call(fit.problem, settings), fit.count
    weight = np.asarray(fit.problem.runs.weight)
    found = np.full(masks.shape, np.nan)
    for first in range(0, len(masks), rows):
        some = masks[first : first + rows]
        kept = np.broadcast_to(weight, (rows, len(weight))).copy()
        kept[: len(some), :count][some] = 0
        keys = row_keys(key, first, rows)
        lanes = posterior_lanes(fit, Resample(weight=jnp.asarray(kept)), keys, len(some), settings)
        for i in np.flatnonzero(lanes.ok):
            density = log_likelihood(models(fit.problem, lanes.z[i]), fit.runs)
            score = np.logaddexp.reduce(density, axis=0) - np.log(len(density))
            found[first + i] = np.where(some[i], score, np.nan)
    return found
