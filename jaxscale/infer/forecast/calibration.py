r"""How wide a forecast must be, learnt from the forecasts a law made from inside the data.

The miss of a forecast at distance d (decades beyond the runs) is a Student-t of scale s,
$s^2 = \sigma^2 + \tau^2 + (a + b d)^2$: noise of a run, the parameters' spread at that origin, the law's own error.
The first two are known at every origin, so that early ones, which rest on few runs, do not pass for errors of the law;
a and b are learnt from the misses, on a grid, with a prior, and a band is a quantile of what their posterior predicts,
the law's own error taken `beyond` times: the fewer forecasts were seen, the wider. It knows nothing of why a law errs,
and is a straight line where no origin has looked: calibrated on these runs, not guaranteed.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import stdtr

from jaxscale.core.errors import BadInput
from jaxscale.infer.backtest.noise import DF, log_density, unit_quantile

LEVELS = (0.5, 0.8, 0.9, 0.95)
# Median and e-folds of the prior on a, and on b per decade. Bands of 2 to 4 % full width, one to two decades out, are
# what published ladders needed (design/method.md, 2.2); one and a half e-folds either way says little more than that.
FLOOR, GROWTH, SPREAD = 1e-3, 5e-3, 1.5
# How much larger the law's errors beyond the data were than misses from inside told: a law that is a little wrong is
# fitted better the more runs it has, and is no less wrong. Learnt on ladders other than those with demanded bounds
# (Gadre, Datablations, Gemstones, pocket: 16 splits; the 90 % band then holds .92 on average, and .90 of all rows).
BEYOND = 1.75
# With its correction a law is less wrong the more runs it has. Learnt on the same ladders, from the corrected law that
# the origins of each rank first: the 90 % band then holds .90 on average, and .92 of all rows.
CORRECTED = 1.5
LIKE = 0.5  # decades within which misses of one origin are taken for one: they share its fit and its bias
_STEPS = 200  # ten are usual
_LEAST = 3  # such looks from which a band is learnt
_GRID = np.concatenate([[0.0], np.geomspace(1e-4, 0.5, 48)])
_NONE = 0.1  # prior probability that a law errs in nothing (a = 0), and that its errors do not grow (b = 0)


@dataclass(frozen=True)
class Bands:
    """What is known of the law's own errors.

    - `weight`: posterior of (a, b) on `_GRID` squared.
    - `reach`: the furthest distance at which a miss was seen, in decades.
    - `looks`: how many independent looks the misses were counted as.
    - `beyond`: times which the law's own errors are taken.
    """

    weight: np.ndarray
    reach: float
    looks: float
    beyond: float = BEYOND

    @cached_property
    def floor(self) -> float:
        """Posterior mean of a."""
        return float(np.sum(self.weight.sum(axis=1) * _GRID))

    @cached_property
    def growth(self) -> float:
        """Posterior mean of b, per decade."""
        return float(np.sum(self.weight.sum(axis=0) * _GRID))

    def half_width(self, level: float, decades: np.ndarray, known: np.ndarray | float = 0.0) -> np.ndarray:
        """Half-width of the central `level` at `decades` (m,), beside a `known` scale of noise and spread (m,)."""
        if not 0 < level < 1:
            raise BadInput(f"bands: expected a level between 0 and 1, got {level:g}; write 0.9 for 90 %")
        # Few pairs carry the posterior; the others would only cost time.
        a, b = np.nonzero(self.weight > 1e-4 * self.weight.max())
        weight = self.weight[a, b] / np.sum(self.weight[a, b])
        known = np.broadcast_to(known, decades.shape)
        half = np.full(decades.shape, np.inf)  # where resamples overflow, nothing bounds the forecast
        sound = np.isfinite(known)
        own = self.beyond * (_GRID[a, None] + _GRID[b, None] * decades[sound])
        scale = np.maximum(np.hypot(own, known[sound]), 1e-12)
        inner = unit_quantile(level) * scale.min(axis=0)
        # The share inside is concave in the half-width: from below, Newton's steps come ever closer and never beyond.
        for _ in range(_STEPS):
            t = inner / scale
            step = (level - weight @ (2 * stdtr(DF, t) - 1)) / (weight @ (2 * np.exp(log_density(t)) / scale))
            inner = inner + step
            if np.all(step <= 1e-12 * inner):
                half[sound] = inner
                return half
        raise RuntimeError(f"bands: expected the half-width within {_STEPS} of Newton's steps; this is a bug")


def calibrate(
    miss: np.ndarray,
    decades: np.ndarray,
    known: np.ndarray | float,
    credit: np.ndarray | None = None,
    beyond: float = BEYOND,
) -> Bands:
    """Bands from misses (origins, n), nan where there is none, at `decades`; `known`: scale of their noise and spread.

    `credit`: how much each origin counts, shape (origins,), one by default (`Parts.credit`). Raises `BadInput` where
    they are fewer than three independent looks.
    """
    origin = np.broadcast_to(np.arange(len(miss))[:, None], miss.shape)
    known = np.broadcast_to(known, miss.shape)
    seen = np.isfinite(miss) & np.isfinite(decades) & np.isfinite(known)
    size, far, beside = np.abs(miss[seen]), decades[seen], known[seen]
    alike = np.stack([origin[seen], np.floor(far / LIKE)])
    _, index, count = np.unique(alike, axis=1, return_inverse=True, return_counts=True)
    if len(count) < _LEAST:
        raise BadInput(
            f"bands: expected forecasts of known outcome from at least {_LEAST} origins or distances, got "
            f"{len(count)}; give more runs"
        )
    credit = np.ones(len(miss)) if credit is None else credit
    weight = credit[origin[seen]] / count[index.reshape(-1)]
    log_posterior = _log_prior(FLOOR)[:, None] + _log_prior(GROWTH)[None, :]
    for i, a in enumerate(_GRID):
        scale = np.maximum(np.hypot(beside, a + _GRID[:, None] * far), 1e-12)
        density = -np.log(scale) - 0.5 * (DF + 1) * np.log1p((size / scale) ** 2 / DF)
        log_posterior[i] += density @ weight
    posterior = np.exp(log_posterior - log_posterior.max())
    return Bands(posterior / posterior.sum(), float(far.max()), float(len(count)), beyond)


def _log_prior(median: float) -> np.ndarray:
    """Log probability of each point of the grid, which is even in the logarithm but for its zero."""
    bell = np.exp(-0.5 * (np.log(_GRID[1:] / median) / SPREAD) ** 2)
    return np.log(np.concatenate([[_NONE], (1 - _NONE) * bell / bell.sum()]))
