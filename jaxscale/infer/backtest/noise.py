r"""The noise of one run about its law, from the residuals of a fit: a Student-t whose scale may grow with its size.

$\log\sigma(C) = \log\sigma_0 + s (\log_{10} C - c_0)$, with s only where the residuals want it. C is the compute of a
run, or what else its `size` is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from scipy.special import gammaln, stdtrit

from jaxscale.core.runs import Runs
from jaxscale.core.scale import compute, size

DF = 5.0  # of the Student-t: losses have heavier tails than a normal, from runs that went a little wrong
_SLOPE = 0.7  # prior standard deviation of s, in e-folds per decade of compute
_FINE = {"xatol": 1e-9, "fatol": 1e-12}  # a band rests on it, and must not depend on how a search ends
_WANTED = 2.0  # posterior standard deviations from zero at which a slope counts


@dataclass(frozen=True)
class RunNoise:
    """Scale of log residuals, relative.

    - `scale`: at `centre` (log10 of a run's size); everywhere, where `slope` is 0.
    - `slope`: e-folds per decade of size.
    - `low`, `high`: log10 of the least and the largest size that was fitted; beyond, the scale is that of the edge.
    - `along`: what the size is, by name.
    """

    scale: float
    slope: float = 0.0
    centre: float = 0.0
    low: float = -np.inf
    high: float = np.inf
    along: str = "C"

    def at(self, log10_size: np.ndarray) -> np.ndarray:
        """The scale at each size; shape as given."""
        away = np.clip(log10_size, self.low, self.high) - self.centre
        return self.scale * np.exp(self.slope * (away if self.slope else np.zeros_like(away)))


def unit_quantile(level: float) -> float:
    """Half-width of the central `level` of the unit Student-t."""
    return float(stdtrit(DF, 0.5 + level / 2))


def log_density(t: np.ndarray) -> np.ndarray:
    """Of the unit Student-t."""
    constant = gammaln((DF + 1) / 2) - gammaln(DF / 2) - 0.5 * np.log(DF * np.pi)
    return constant - 0.5 * (DF + 1) * np.log1p(t**2 / DF)


def noise_of(runs: Runs, residual: np.ndarray, freedom: float) -> RunNoise:
    """The noise of one of n runs, from the log residuals (n,) of what was fitted to them with `freedom` parameters."""
    used = np.asarray(runs.weight) > 0
    known = size(runs)
    if known is None:
        return run_noise(residual[used], None, freedom)
    return replace(run_noise(residual[used], np.log10(known[1][used]), freedom), along=known[0])


def noise_at(noise: RunNoise, points: Mapping[str, Any]) -> np.ndarray:
    """The scale of a run's noise at points (m,), by their size where it is known."""
    at = np.zeros(len(next(iter(points.values()))))
    if noise.along in points:
        at = np.log10(np.asarray(points[noise.along], np.float64))
    elif (known := compute(points)) is not None:
        at = np.log10(known[1])
    return np.broadcast_to(noise.at(at), at.shape)


def run_noise(residual: np.ndarray, log10_size: np.ndarray | None, parameters: float) -> RunNoise:
    """The noise that log residuals (n,) of a fit with `parameters` free parameters show.

    Residuals of a fit are smaller than the noise: their scale is raised by the square root of n / (n - parameters).
    """
    from scipy.optimize import minimize  # a tenth of a second that only forecasts need

    n = len(residual)
    raised = np.sqrt(n / max(n - parameters, 1))
    start = np.log(max(1.3760 * float(np.median(np.abs(residual))), 1e-12))  # 1 / the t's own median size
    flat = minimize(partial(_minus_log, residual, np.zeros(n)), [start], method="Nelder-Mead", options=_FINE).x
    if log10_size is None or np.ptp(log10_size) == 0:
        return RunNoise(float(np.exp(flat[0])) * raised)
    centre = float(np.mean(log10_size))
    away = log10_size - centre
    cost = partial(_minus_log, residual, away)
    found = minimize(cost, [flat[0], 0.0], method="Nelder-Mead", options=_FINE)
    slope, step = float(found.x[1]), 1e-3
    aside = np.array([0.0, step])
    curvature = (cost(found.x + aside) + cost(found.x - aside) - 2 * cost(found.x)) / step**2
    low, high = float(np.min(log10_size)), float(np.max(log10_size))
    if slope**2 * curvature < _WANTED**2:
        return RunNoise(float(np.exp(flat[0])) * raised, 0.0, centre, low, high)
    return RunNoise(float(np.exp(found.x[0])) * raised, slope, centre, low, high)


def _minus_log(residual: np.ndarray, away: np.ndarray, x: np.ndarray) -> float:
    """Minus the log posterior of (log scale, slope)."""
    slope = x[1] if len(x) > 1 else 0.0
    log_scale = x[0] + slope * away
    t = residual * np.exp(-log_scale)
    return float(np.sum(log_scale + 0.5 * (DF + 1) * np.log1p(t**2 / DF)) + 0.5 * (slope / _SLOPE) ** 2)
