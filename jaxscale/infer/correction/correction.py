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

import jax
import jax.numpy as jnp
import numpy as np
from scipy.linalg import solve_triangular

from jaxscale.compose.corrected import Corrected
from jaxscale.core.law import signature
from jaxscale.core.parametric import values
from jaxscale.infer.correction.kernel import AMPLITUDE, coordinates, correlation, length_grid, log_prior
from jaxscale.infer.correction.tridiagonal import tridiagonal
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.local.linearised import Linear, Tangent, free_of, one_scale

_AMPLITUDES = np.geomspace(1e-4, 1.0, 41)
_LEFT = 1e-10  # of the variance, that the places of a factorisation leave unexplained at the runs
_PLACES = 256  # at most; 200 are needed for the shortest lengths on six decades by three
_NIL = 1e-5  # share of a pair of lengths below which it is left out


@dataclass(frozen=True)
class Correction:
    """The log of observed over predicted that is expected at any point, along d inputs of the law.

    - `names`: of these inputs.
    - `kernels`: for each set of d lengths in decades, the places (r, d) that carry the process, and a weight of each.
    - `shift`: what of it the law's own parameters take up, (p,). `limit`: its largest size at the runs.
    - `freedom`: how many parameters it is worth: the trace of the map from residuals to their correction.
    """

    names: tuple[str, ...]
    kernels: Mapping[tuple[float, ...], tuple[np.ndarray, np.ndarray]]
    shift: np.ndarray
    limit: float
    freedom: float

    def at(self, points: Linear) -> np.ndarray:
        """At m points of the law's tangent, shape (m,)."""
        x = coordinates(points.inputs, self.names)
        told = [correlation(x, places, lengths) @ weight for lengths, (places, weight) in self.kernels.items()]
        return np.clip(np.sum(told, axis=0) - points.jacobian @ self.shift, -self.limit, self.limit)


def correctable(fit: Fit) -> tuple[str, ...]:
    """Inputs of a fit's law along which it can be corrected: those that are sizes; none where a process cannot stand.

    It cannot on the data sets of a joint law, and not on residuals of several scales. An input that is nothing in a
    run has no size there.
    """
    inputs = signature(fit.law).inputs
    if "group" in inputs or not one_scale(fit):
        return ()
    used = np.asarray(fit.runs.weight) > 0
    known = {name: np.asarray(fit.runs.inputs[name], np.float64)[used] for name in inputs}
    return tuple(n for n, quantity in inputs.items() if quantity.positive and known[n].min() > 0)


def correction(law: Tangent, names: tuple[str, ...] = ("N", "D")) -> Correction:
    """What the runs of a law's tangent tell of its discrepancy along `names`."""
    x, sd = coordinates(law.inputs, names), np.sqrt(law.variance)
    takes_up, _ = law.refit(np.ones(len(law.rows)))
    residual = law.residual / sd
    found, evidence, worth = [], [], []
    for lengths, prior in length_grid(x.shape[1]):
        factor, places = _factor(x, lengths)
        taken = takes_up @ factor
        design = (factor - law.jacobian @ taken) / sd[:, None]
        same = tridiagonal(design.T @ design)
        signal = same.turned(design.T @ residual)
        # One row for each amplitude: a regression on standard normal coefficients.
        variance = 1 + _AMPLITUDES[:, None] ** 2 * np.maximum(same.eigenvalues(), 0)
        gain = np.stack([same.solved(amplitude**-2.0, signal) for amplitude in _AMPLITUDES])
        worth.append(np.sum(1 - 1 / variance, axis=1))
        before = prior + log_prior(AMPLITUDE, _AMPLITUDES)
        evidence.append(before + 0.5 * (gain @ signal - np.sum(np.log(variance), axis=1)))
        found.append((lengths, x[places], factor[places], taken, gain, same))
    share = np.exp(evidence - np.max(evidence))
    share /= share.sum()
    kernels, shift = {}, np.zeros(law.jacobian.shape[1])
    for weight, (lengths, places, root, taken, gain, same) in zip(share, found, strict=True):
        if weight.sum() > _NIL:
            mean = same.back(weight @ gain)
            kernels[lengths] = places, solve_triangular(root, mean, lower=True, trans=1)
            shift += taken @ mean
    freedom = float(np.sum(share * worth))
    free = Correction(names, kernels, shift, np.inf, freedom)
    return Correction(names, kernels, shift, float(np.max(np.abs(free.at(law)))), freedom)


def corrected(fit: Fit, found: Correction) -> Corrected:
    """The fitted law with its correction, as a law."""
    free = free_of(fit)
    z = free.vector()
    _, moved = jax.jvp(free.tree, (z,), (jnp.asarray(found.shift, z.dtype),))
    kernels, none = found.kernels, np.zeros((0, len(found.names)))
    return Corrected(
        fit.law,
        found.names,
        shift=values(moved),
        places=np.concatenate([none, *(places for places, _ in kernels.values())]),
        lengths=np.concatenate([none, *(np.tile(lengths, (len(w), 1)) for lengths, (_, w) in kernels.items())]),
        weight=np.concatenate([none[:, 0], *(w for _, w in kernels.values())]),
        limit=found.limit,
    )


def _factor(x: np.ndarray, lengths: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
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
