r"""What a law leaves out, as a Gaussian process whose scale is learnt from its own forecasts (Kennedy & O'Hagan 2001).

$$ \log L_i = \log f(\theta; N_i, D_i) + \delta(x_i) + \epsilon_i, \qquad
   x = (\log_{10} C, \log_{10} D/N), \qquad \delta \sim GP(0, a^2 \rho) $$

$\rho$ is a squared exponential with a length for each axis, in decades: laws that differ do so smoothly, and with
lengths of decades the band grows over the distances that are forecast. It saturates beyond a few lengths, where it
holds no more than what was missed from inside the runs.

$\theta$ and $\delta$ can explain the same runs. $\delta$ is therefore taken orthogonal to the law's tangent at the runs
(Plumlee 2017): it is what the law misses once it is fitted. So taken, a law fitted below an origin misses the runs
beyond it by $m = (\delta + \epsilon)_{above} - J_{above} A (\delta + \epsilon)_{below}$, J the law's Jacobian and A
the linear map of its fit (whose priors add their share): a Gaussian vector whose covariance knows a and the lengths.
Origins share their runs, so the log densities of their misses are averaged over the origins and not added: together
they count as one.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import cholesky, eigh, solve_triangular

from jaxscale.core.errors import BadInput
from jaxscale.core.priors import LogNormal
from jaxscale.infer.backtest.backtest import Origins
from jaxscale.infer.correction.kernel import AMPLITUDE, coordinates, correlation, length_grid, log_prior
from jaxscale.infer.local.linearised import Linear, Tangent, tangent

_AMPLITUDES = np.geomspace(1e-4, 1.0, 81)
_WEAK = 1e-6  # share of the largest strength below which the runs tell nothing of a coefficient
_LEAST = 20  # misses from which a scale can be learnt


@dataclass(frozen=True)
class Discrepancy:
    """A Gaussian process of relative errors: what is known of it before the runs it is used with.

    - `amplitude`: prior of its standard deviation, relative.
    - `lengths`: in decades, of compute and of D/N.
    - `misses`: from how many of how many `origins` it was learnt.
    """

    amplitude: LogNormal
    lengths: tuple[float, ...]
    misses: int
    origins: int


@dataclass(frozen=True)
class Basis:
    """The process of unit amplitude orthogonal to a law's tangent, by r standard normal coefficients.

    At the runs it is `factor @ coefficients`, with `factor` (n, r): Karhunen and Loeve's expansion in units of each
    run's noise, so that given runs and law the coefficients are independent. What the runs tell nothing of is left
    to `at`.

    - `directions`: (n, r), orthonormal. `strength`: (r,), signal over noise of a coefficient, as variances.
    """

    law: Tangent
    lengths: tuple[float, ...]
    directions: np.ndarray
    strength: np.ndarray

    @property
    def factor(self) -> np.ndarray:
        return np.sqrt(self.law.variance)[:, None] * self.directions * np.sqrt(self.strength)

    def at(self, points: Linear) -> tuple[np.ndarray, np.ndarray]:
        """At m new points: the factor of the same coefficients (m, r), and of m new ones that no run tells of."""
        n = len(self.law.rows)
        covariance = _orthogonal(self.law, self.lengths, points)
        same = covariance[n:, :n] / np.sqrt(self.law.variance) @ self.directions / np.sqrt(self.strength)
        variance, axes = eigh(covariance[n:, n:] - same @ same.T)
        return same, axes * np.sqrt(np.maximum(variance, 0))


def basis(law: Tangent, lengths: tuple[float, ...]) -> Basis:
    """Of the process at the runs of a law's tangent."""
    noise = np.sqrt(law.variance)
    strength, directions = eigh(_orthogonal(law, lengths) / noise[:, None] / noise)
    kept = strength > _WEAK * strength[-1]
    return Basis(law, lengths, directions[:, kept], strength[kept])


def _orthogonal(law: Tangent, lengths: tuple[float, ...], *more: Linear) -> np.ndarray:
    """Covariance of the process at the runs, then at `more` places, less what a refit of the law to it takes up."""
    places = (law, *more)
    x, jacobian = (np.concatenate(a) for a in zip(*((coordinates(p.inputs), p.jacobian) for p in places), strict=True))
    less = np.eye(len(x))
    less[:, : len(law.rows)] -= jacobian @ law.refit(np.ones(len(law.rows)))[0]
    return less @ correlation(x, x, lengths) @ less.T


def learn_discrepancy(origins: Origins, label: str) -> Discrepancy:
    """The scale of what the law `label` leaves out, from what it missed beyond every origin.

    The density of amplitude and lengths is summed on a grid; the lengths are then held at their geometric mean, and
    the amplitude keeps the spread that it has over all lengths. Raises `BadInput` on an unknown label, on fewer than
    20 misses, on laws without N and D, and on likelihoods of raw residuals or with a noise that varies.
    """
    if label not in origins.fits:
        raise BadInput(f"discrepancy: expected one of {list(origins.labels)}, got {label!r}")
    if label in origins.corrections:
        raise BadInput(f"discrepancy: expected a law alone, got {label!r}, which has one already")
    law = tangent(origins.fits[label])
    x = coordinates(law.inputs)
    looks = _looks(origins, label, law)
    misses = sum(len(look.miss) for look in looks)
    if misses < _LEAST:
        raise BadInput(f"discrepancy: expected at least {_LEAST} forecasts of known outcome, got {misses}; add runs")
    before = log_prior(AMPLITUDE, _AMPLITUDES)
    share = _share([_density(looks, x, pair) + before + prior for pair, prior in length_grid()])
    compute, ratio = np.exp(share.sum(axis=1) @ np.log([pair for pair, _ in length_grid()]))
    lengths = (float(compute), float(ratio))
    _, spread = _moments(share.sum(axis=0))
    centre, _ = _moments(_share(_density(looks, x, lengths) + before))
    return Discrepancy(LogNormal(float(np.exp(centre)), spread), lengths, misses, len(looks))


@dataclass(frozen=True)
class _Look:
    """One origin's misses, white under noise alone: `miss` (s,), and the map to it from what acts on the runs."""

    miss: np.ndarray
    reach: np.ndarray


def _looks(origins: Origins, label: str, law: Tangent) -> list[_Look]:
    k, found = origins.labels.index(label), []
    for part in np.flatnonzero(origins.usable[k]):
        miss = origins.miss[k, part][law.rows]
        above = origins.parts.scored[part][law.rows] & np.isfinite(miss)
        if not above.any():
            continue
        follow, covariance = law.refit(origins.parts.fitted[part][law.rows])
        reach = (np.eye(len(law.rows)) - law.jacobian @ follow)[above]
        drawn = law.jacobian[above] @ covariance  # by the priors, from where the parameters are
        root = cholesky(reach * law.variance @ reach.T + drawn @ law.precision @ drawn.T, lower=True)
        found.append(_Look(*(solve_triangular(root, a, lower=True) for a in (miss[above], reach))))
    return found


def _density(looks: list[_Look], x: np.ndarray, lengths: tuple[float, ...]) -> np.ndarray:
    """Mean over origins of the log density of the misses, for every amplitude, up to a constant."""
    total, shape = np.zeros(len(_AMPLITUDES)), correlation(x, x, lengths)
    for look in looks:
        strength, turn = eigh(look.reach @ shape @ look.reach.T)
        variance = 1 + _AMPLITUDES[:, None] ** 2 * np.maximum(strength, 0)
        total -= 0.5 * np.sum(np.log(variance) + (turn.T @ look.miss) ** 2 / variance, axis=1)
    return total / len(looks)


def _share(density: Any) -> np.ndarray:
    """Probabilities from log densities."""
    share = np.exp(density - np.max(density))
    return share / share.sum()


def _moments(share: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of the log amplitude."""
    logs = np.log(_AMPLITUDES)
    mean = float(share @ logs)
    return mean, float(np.sqrt(share @ (logs - mean) ** 2))
