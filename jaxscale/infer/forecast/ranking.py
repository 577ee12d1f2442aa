"""Laws by what they forecast from inside the data: the order, who is left out and why, and the weights of a mixture."""

from dataclasses import dataclass

import numpy as np

from jaxscale.infer.backtest.backtest import Origins
from jaxscale.infer.backtest.noise import noise_at
from jaxscale.infer.checks.limit import vanishes

_HOPELESS = 10.0  # times the least error: such a law gets no weight, and its misses would swamp the sums
_FLOORLESS = "has no irreducible loss, and so comes after those that have"
_ORIGINS = 0.5  # of the origins: a law that has runs enough, or keeps within its bounds, at fewer is not ranked


@dataclass(frozen=True)
class Ranked:
    """A law among others.

    - `score`: mean over the common origins of its mean absolute relative error there, an origin counted as the units
      it is fitted to (`Parts.credit`); the less the better.
    - `inside`: mean absolute relative error on the runs it was fitted to. For the eye only.
    - `log_score`: mean over the same origins of its log score there; the more the better. For the eye only.
    - `in_compute`: the median miss as a factor of compute (`Origins.compute_error`). For the eye only.
    - `reason`: why it is not ranked, in words; empty where it is.
    - `doubt`: why it comes after laws that forecast worse, in words; mostly empty.
    """

    label: str
    score: float
    inside: float
    reason: str = ""
    log_score: float = float("nan")
    in_compute: float = float("nan")
    doubt: str = ""


def rank(origins: Origins) -> tuple[Ranked, ...]:
    """Laws by their mean error over the origins at which all of them had runs enough, each counted as its units.

    Where a refit failed, or the law left its bounds, it is charged with the largest error that another one made
    there. Laws that lack runs, or leave their bounds, at half of the origins are left out, then those that lack most,
    until the others have an origin in common. Laws without an irreducible loss come after those that have one: origins
    lie nearer to each other than to what is asked, so that a law which never flattens may win there and lose beyond.
    """
    error, enough = origins.error, origins.enough
    tame = np.mean(origins.wild.any(axis=2), axis=1) <= 1 - _ORIGINS
    kept = list(np.flatnonzero((np.mean(enough, axis=1) >= _ORIGINS) & tame))
    while kept and not enough[kept].all(axis=0).any():
        kept.remove(min(kept, key=lambda k: enough[k].sum()))
    common = enough[kept].all(axis=0) & np.isfinite(error[kept]).any(axis=0) if kept else np.zeros(error.shape[1], bool)
    finite = np.where(np.isfinite(error), error, -np.inf)
    charged = np.where(np.isnan(error), finite[kept].max(axis=0) if kept else np.nan, error)
    noise = np.stack([noise_at(origins.noise(k), fitted.runs.inputs) for k, fitted in origins.fits.items()])
    log_score = origins.log_score(noise)
    credit = origins.parts.credit
    found = []
    for k, (label, fitted) in enumerate(origins.fits.items()):
        used = np.asarray(fitted.runs.weight) > 0
        inside = float(np.mean(np.abs(np.expm1(-origins.log_residuals(label)[used]))))
        score = (
            float(np.average(charged[k, common], weights=credit[common]))
            if k in kept and common.any()
            else float("inf")
        )
        reason = "" if np.isfinite(score) else _unranked(k, origins)
        own = common & origins.usable[k]
        missed = origins.compute_error[k][own][origins.parts.scored[own]]
        factor = float(np.exp(np.median(missed))) if missed.size else float("nan")
        logs = float(np.average(log_score[k, own], weights=credit[own])) if own.any() else float("nan")
        doubt = _FLOORLESS if vanishes(fitted.law, fitted.runs) else ""
        found.append(Ranked(label, score, inside, reason, logs, factor, doubt))
    return tuple(sorted(found, key=lambda r: (r.reason != "", r.doubt != "", r.score, r.label)))


def _unranked(k: int, origins: Origins) -> str:
    enough, wild = origins.enough[k], origins.wild[k].any(axis=1)
    if np.mean(enough) < _ORIGINS:
        return f"runs enough at {enough.sum()} of {len(enough)} origins only"
    if np.mean(wild) > 1 - _ORIGINS:
        return f"bends beyond belief at {wild.sum()} of {len(wild)} origins"
    exploded = int(np.isinf(origins.error[k]).sum())
    return f"explodes beyond {exploded} of {len(enough)} origins" if exploded else "no origin to be scored at"


def stacked(origins: Origins, ranking: tuple[Ranked, ...]) -> dict[str, float]:
    """Weights of the laws whose weighted log forecasts from inside the data err least; none is corrected or doubted.

    Least is the mean over origins of squares, each origin counted as its units.

    A convex problem on the simplex: non-negative least squares with a heavy row for the sum, then normalised.
    """
    from scipy.optimize import nnls

    alone = [r for r in ranking if not r.reason and r.label not in origins.corrections]
    alone = [r for r in alone if not r.doubt] or alone
    labels = [r.label for r in alone if r.score <= _HOPELESS * alone[0].score]
    index = [origins.labels.index(label) for label in labels]
    miss = np.where(origins.usable[index][:, :, None], origins.miss[index], np.nan)
    seen = np.all(np.isfinite(miss), axis=0)
    count = np.maximum(seen.sum(axis=1, keepdims=True), 1)
    share = np.broadcast_to(np.sqrt(origins.parts.credit[:, None] / count), seen.shape)[seen]
    rows = np.array([m[seen] * share for m in miss]).T
    if not rows.any():  # nothing to weigh, or nothing to gain
        return {label: float(label == labels[0]) for label in labels}
    heavy = 1e3 * np.linalg.norm(rows)
    weight, _ = nnls(np.vstack([rows, np.full((1, len(labels)), heavy)]), np.r_[np.zeros(len(rows)), heavy])
    return dict(zip(labels, (weight / weight.sum()).tolist(), strict=True))
