r"""What a law leaves out, as one number at every point: the mean of its discrepancy, given the runs alone.

The process is that of `discrepancy`, orthogonal to the law's tangent. Amplitude and lengths are weighed by their prior
and by the evidence of the runs: no miss is looked at, so that a corrected law can be scored from origins as any law is,
and an outlook may choose it. Far from the runs the process fades, and what stays is what the law's parameters had taken
up of it; a correction never exceeds the largest that the runs themselves show.

Its correlation is of low rank: lengths are of the order of a decade, and runs span a few. A pivoted Cholesky
factorisation (Harbrecht, Peters & Schneider 2012) finds the places that carry it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh, solve_triangular

from jaxscale.core.law import signature
from jaxscale.infer.correction.kernel import AMPLITUDE, coordinates, correlation, length_grid, log_prior
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.local.linearised import Linear, Tangent, one_scale

_AMPLITUDES = np.geomspace(1e-4, 1.0, 41)
_LEFT = 1e-10  # of the variance, that the places of a factorisation leave unexplained at the runs
_PLACES = 256  # at most; 200 are needed for the shortest lengths on six decades by three
_NIL = 1e-5  # share of a pair of lengths below which it is left out


@dataclass(frozen=True)
class Correction:
    """The log of observed over predicted that is expected at any N and D.

    - `kernels`: for each pair of lengths in decades, the places (r, 2) that carry the process, and a weight of each.
    - `shift`: what of it the law's own parameters take up, (p,). `limit`: its largest size at the runs.
    - `freedom`: how many parameters it is worth: the trace of the map from residuals to their correction.
    """

    kernels: Mapping[tuple[float, float], tuple[np.ndarray, np.ndarray]]
    shift: np.ndarray
    limit: float
    freedom: float

    def at(self, points: Linear) -> np.ndarray:
        """At m points of the law's tangent, shape (m,)."""
        x = coordinates(points.inputs)
        told = [correlation(x, places, lengths) @ weight for lengths, (places, weight) in self.kernels.items()]
        return np.clip(np.sum(told, axis=0) - points.jacobian @ self.shift, -self.limit, self.limit)


def correctable(fit: Fit) -> bool:
    """Whether a fit's law has N and D and nothing else for inputs, and residuals on which a process can stand."""
    return set(signature(fit.law).inputs) == {"N", "D"} and one_scale(fit)


def correction(law: Tangent) -> Correction:
    """What the runs of a law's tangent tell of its discrepancy."""
    x, sd = coordinates(law.inputs), np.sqrt(law.variance)
    takes_up, _ = law.refit(np.ones(len(law.rows)))
    residual = law.residual / sd
    found, evidence, worth = [], [], []
    for lengths, prior in length_grid():
        factor, places = _factor(x, lengths)
        taken = takes_up @ factor
        design = (factor - law.jacobian @ taken) / sd[:, None]
        strength, turn = eigh(design.T @ design)
        signal = turn.T @ (design.T @ residual)
        # One row for each amplitude: a regression on standard normal coefficients.
        variance = 1 + _AMPLITUDES[:, None] ** 2 * np.maximum(strength, 0)
        gain = _AMPLITUDES[:, None] ** 2 * signal / variance
        worth.append(np.sum(1 - 1 / variance, axis=1))
        before = prior + log_prior(AMPLITUDE, _AMPLITUDES)
        evidence.append(before + 0.5 * np.sum(gain * signal - np.log(variance), axis=1))
        found.append((lengths, x[places], factor[places], taken, gain @ turn.T))
    share = np.exp(evidence - np.max(evidence))
    share /= share.sum()
    kernels, shift = {}, np.zeros(law.jacobian.shape[1])
    for weight, (lengths, places, root, taken, coefficients) in zip(share, found, strict=True):
        if weight.sum() > _NIL:
            mean = weight @ coefficients
            kernels[lengths] = places, solve_triangular(root, mean, lower=True, trans=1)
            shift += taken @ mean
    freedom = float(np.sum(share * worth))
    free = Correction(kernels, shift, np.inf, freedom)
    return Correction(kernels, shift, float(np.max(np.abs(free.at(law)))), freedom)


def _factor(x: np.ndarray, lengths: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """The correlation of n coordinates as `factor @ factor.T`, (n, r), and the rows of its r places.

    Rows of the places are a lower triangle, in the order in which they were found.
    """
    rank = min(len(x), _PLACES)
    factor, left, places = np.zeros((len(x), rank)), np.ones(len(x)), []
    for k in range(rank):
        i = int(np.argmax(left))
        if left[i] < _LEFT:
            break
        told = correlation(x, x[[i]], lengths)[:, 0] - factor[:, :k] @ factor[i, :k]
        factor[:, k] = told / np.sqrt(left[i])
        factor[places, k] = 0  # to rounding
        left = np.maximum(left - factor[:, k] ** 2, 0)
        left[i] = 0
        places.append(i)
    return factor[:, : len(places)], np.array(places)
