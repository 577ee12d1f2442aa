"""Weights and differences of K models from their log predictive densities of the same n runs.

float64 on the host: n K numbers, once. Checkpoints of one run are not independent: where rows share a cluster,
whole clusters are compared.
"""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import ArrayLike, Float, Int, PRNGKeyArray

from jaxscale.core.errors import BadInput

_TOLERANCE = 1e-8
_STEPS = 200


class Differences(NamedTuple):
    """Summed log predictive densities against the best model's, in nats, and their standard errors; zero for it."""

    diff: Float[np.ndarray, " K"]
    se: Float[np.ndarray, " K"]


def clustered(elpd: Float[ArrayLike, "n K"], cluster: Int[ArrayLike, " n"] | None = None) -> Float[np.ndarray, "m K"]:
    """Sums of `elpd` within each cluster, by ascending label; the rows themselves without clusters.

    Raises `BadInput` unless (n, K), finite, with one label per row.
    """
    table = np.asarray(elpd, np.float64)
    if table.ndim != 2 or 0 in table.shape:
        raise BadInput(f"elpd: expected one row per run and one column per model, got shape {table.shape}")
    bad = np.argwhere(~np.isfinite(table))
    if len(bad):
        i, k = bad[0]
        raise BadInput(
            f"elpd: expected finite log densities, got {table[i, k]} for run {i} of model {k}; drop that run or model"
        )
    if cluster is None:
        return table
    labels = np.asarray(cluster)
    if labels.shape != table.shape[:1]:
        raise BadInput(f"cluster: expected one label for each of {len(table)} runs, got shape {labels.shape}")
    first, of_row = np.unique(labels, return_inverse=True)
    sums = np.zeros((len(first), table.shape[1]))
    np.add.at(sums, of_row, table)
    return sums


def stacking(elpd: Float[ArrayLike, "n K"]) -> Float[np.ndarray, " K"]:
    """Weights of the mixture of models that predicts best: argmax over the simplex of sum_i log sum_k w_k exp elpd_ik.

    Yao, Vehtari, Simpson & Gelman 2018. Identical models share their weight equally. For clusters, stack
    `clustered(elpd, cluster)`. The weights are within 1e-8 nats per run of the optimum, by the gap of this concave
    problem.

    Raises `RuntimeError` where the gap stays open.
    """
    # The simplex constraint is implied by maximising mean log(P w) - sum w over w >= 0. Newton on its primal-dual
    # optimality conditions; multiplicative (EM) updates take of the order of 1 / tolerance steps where a model is
    # only just left out.
    table = clustered(elpd)
    density = np.exp(table - table.max(axis=1, keepdims=True))
    n, models = density.shape
    w, slack, gap = np.full(models, 1 / models), np.ones(models), np.inf
    for _ in range(_STEPS):
        share = density / (density @ w)[:, None]
        gradient = share.mean(axis=0)
        # Rescaled to the simplex, no mixture gains more than this per run.
        gap = gradient.max() * w.sum() - 1
        if gap <= _TOLERANCE:
            return w / w.sum()
        # Scaled by sqrt(w), the system stays well-conditioned when weights vanish.
        root, aim = np.sqrt(w), 0.1 * (w @ slack) / models
        system = root[:, None] * (share.T @ share / n) * root + np.diag(slack)
        move = root * np.linalg.solve(system, root * (gradient - 1 + aim / w))
        lift = (aim - slack * move) / w - slack
        shrink = np.max(np.concatenate([-move / w, -lift / slack]))
        step = min(1, 0.99 / shrink) if shrink > 0 else 1
        w, slack = w + step * move, slack + step * lift
    raise RuntimeError(f"stacking: a gap of {gap:.1e} nats per run is left after {_STEPS} steps; this is a bug")


def pseudo_bma(
    elpd: Float[ArrayLike, "n K"], key: PRNGKeyArray, draws: int = 1000, cluster: Int[ArrayLike, " n"] | None = None
) -> Float[np.ndarray, " K"]:
    """Pseudo-BMA+ weights: softmax of the summed densities, averaged over Bayesian bootstraps of the runs.

    Yao et al. 2018. The bootstrap keeps a lead that rests on few runs from taking all the weight.
    """
    table = clustered(elpd, cluster)
    share = np.asarray(jax.random.exponential(key, (draws, len(table))), np.float64)
    total = len(table) * (share / share.sum(axis=1, keepdims=True)) @ table
    weight = np.exp(total - total.max(axis=1, keepdims=True))
    return np.mean(weight / weight.sum(axis=1, keepdims=True), axis=0)


def differences(elpd: Float[ArrayLike, "n K"], cluster: Int[ArrayLike, " n"] | None = None) -> Differences:
    """Every model against the best: summed difference <= 0, and sqrt(n) times the sd of the pointwise ones.

    Vehtari, Gelman & Gabry 2017. n counts clusters where there are any; normal intervals need about a
    hundred, and differences above four nats (Sivula et al. 2025). Raises `BadInput` on fewer than two.
    """
    table = clustered(elpd, cluster)
    if len(table) < 2:
        raise BadInput(f"differences: expected at least two independent runs, got {len(table)}; there is no spread")
    apart = table - table[:, [np.argmax(table.sum(axis=0))]]
    return Differences(apart.sum(axis=0), np.sqrt(len(table)) * apart.std(axis=0, ddof=1))
