r"""Conformal bands from what a law missed: baselines beside `bands`.

All variants are one weighted quantile. Every miss $s_i$ at distance $d_i$ is carried to the distance d asked for, as
$s_i (a_i + b_i d)/(a_i + b_i d_i)$, and weighs $w_i$; the miss to come weighs 1 and is taken for infinite. The
half-width at level q is the least h that holds the share q of the whole weight (Vovk et al. 2005; Tibshirani et al.
2019, lemma 1). With n misses of equal weight that is the $\lceil q(n+1) \rceil$-th smallest, and infinite for
$q > n/(n+1)$: n misses can speak for no more.

If the miss to come were exchangeable with those seen, the band would hold it with probability at least q, whatever
their distribution. It is not. A forecast beyond the data lies further out than any miss that could be looked at, is
made by a fit to more runs than those, and one run missed from several origins is counted at each: these bands are
calibrated on this ladder and promise nothing beyond it. A miss holds the noise of its run, so none is added; misses
that are nan are left out, infinite ones count as such.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from jaxscale.core.errors import BadInput

BANDWIDTH = 0.5  # decades of distance over which a miss loses all but 1/e of its weight
_LEAST = 0.05  # of the mean miss: the least scale, so that a small miss near the origin does not count as a huge one
_ROUNDING = 1e-12  # of the whole weight: a sum of weights that falls short by this much is there


@dataclass(frozen=True)
class Conformal:
    """Half-widths of log-scale bands from k misses.

    - `name`: of the variant.
    - `size`: of each miss, |log observed - log predicted|, shape (k,); `at`: its distance in decades.
    - `floor`, `growth`: a and b of the line that carries each miss to another distance, shape (k,).
    - `weight`: of each miss, shape (k,), against 1 for the miss to come.
    - `bandwidth`: a miss u decades nearer or further out weighs exp(-u/bandwidth) of that; infinite: all of it.
    """

    name: str
    size: np.ndarray
    at: np.ndarray
    floor: np.ndarray
    growth: np.ndarray
    weight: np.ndarray
    bandwidth: float = np.inf

    def half_width(self, decades: np.ndarray, level: float) -> np.ndarray:
        """Half-width of log loss at `decades` beyond the runs, in their shape; infinite beyond `attainable`.

        Raises `BadInput` on a level outside (0, 1).
        """
        if not 0 < level < 1:
            raise BadInput(f"conformal: level: expected a number between 0 and 1, got {level}")
        far = np.asarray(decades, np.float64).reshape(-1)
        scale = (self.floor[:, None] + self.growth[:, None] * far) / (self.floor + self.growth * self.at)[:, None]
        carried = self.size[:, None] * scale
        weight = self._weights(far)
        order = np.argsort(carried, axis=0)
        held = np.cumsum(np.take_along_axis(weight, order, axis=0), axis=0)
        enough = level * (held[-1] + 1) * (1 - _ROUNDING)
        short = np.sum(held < enough, axis=0)
        ordered = np.vstack([np.take_along_axis(carried, order, axis=0), np.full(far.shape, np.inf)])
        return ordered[short, np.arange(far.size)].reshape(np.shape(decades))

    def attainable(self, decades: np.ndarray) -> np.ndarray:
        """The highest level that the misses can speak for at `decades`, in their shape: n/(n+1) for n of weight 1."""
        held = np.sum(self._weights(np.asarray(decades, np.float64).reshape(-1)), axis=0)
        return (held / (held + 1)).reshape(np.shape(decades))

    def _weights(self, far: np.ndarray) -> np.ndarray:
        return self.weight[:, None] * np.exp(-np.abs(far - self.at[:, None]) / self.bandwidth)


def split(miss: np.ndarray, decades: np.ndarray) -> Conformal:
    """Split conformal (Papadopoulos et al. 2002; Lei et al. 2018): one half-width at every distance.

    `miss`, `decades`: of m origins and n runs, shape (m, n), as `Origins.miss` of one law and `Parts.decades`; nan
    where there is none. Raises `BadInput` on other shapes, or without a miss.
    """
    size, at, _ = _seen(miss, decades)
    one = np.ones(len(size))
    return Conformal("split", size, at, one, 0 * one, one)


def normalised(miss: np.ndarray, decades: np.ndarray, noise: float = 0.0) -> Conformal:
    """Misses over a scale that grows with distance (Papadopoulos et al. 2008; Lei et al. 2018, section 5.2).

    The scale a + b d, with a, b >= 0, is the least-squares line of |miss| on the distance. A line that had seen the
    misses it divides would flatter them: those of an origin are carried by a line fitted to the other origins (as in
    the jackknife+ of Barber et al. 2021). With `noise`, the relative standard deviation of one run, a is at least the
    mean size of that noise. Arguments else and errors as for `split`; it takes finite misses from two origins.
    """
    size, at, origin = _seen(miss, decades)
    finite = np.isfinite(size)
    if len(np.unique(origin[finite])) < 2:
        raise BadInput("conformal: expected finite misses from at least two origins to fit a scale, got one or none")
    floor, growth = np.empty_like(size), np.empty_like(size)
    for own in np.unique(origin):
        others = finite & (origin != own)
        floor[origin == own], growth[origin == own] = _line(size[others], at[others], noise)
    return Conformal("normalised", size, at, floor, growth, np.ones(len(size)))


def weighted(miss: np.ndarray, decades: np.ndarray, bandwidth: float = BANDWIDTH) -> Conformal:
    """Misses weigh less the further their distance is from the one asked for (Barber et al. 2023).

    The weights are no likelihood ratio (Tibshirani et al. 2019), which nobody knows beyond the data. As they follow
    the point asked for, coverage under exchangeability would need a corrected level too (Guan 2023); q is used as it
    stands. Far beyond all misses no weight is left, and the half-width is infinite.

    Arguments else and errors as for `split`; the bandwidth is in decades and positive.
    """
    if not bandwidth > 0:
        raise BadInput(f"conformal: bandwidth: expected a positive number of decades, got {bandwidth}")
    size, at, _ = _seen(miss, decades)
    one = np.ones(len(size))
    return Conformal("weighted", size, at, one, 0 * one, one, bandwidth)


def by_origin(miss: np.ndarray, decades: np.ndarray, whole: bool = False) -> Conformal:
    """Origins, not misses, are what is exchanged: the misses of one origin share its fit.

    Each of m origins weighs 1, shared by its misses: a band for one run of a new origin (Lee, Barber & Willett 2023,
    hierarchical conformal prediction). With `whole`, the largest miss stands for its origin: a band for all runs of a
    new origin at once. Levels above m/(m+1) have infinite half-widths. Arguments and errors as for `split`.
    """
    size, at, origin = _seen(miss, decades)
    _, index, count = np.unique(origin, return_inverse=True, return_counts=True)
    if whole:
        largest = np.array([np.flatnonzero(index == i)[np.argmax(size[index == i])] for i in range(len(count))])
        one = np.ones(len(count))
        return Conformal("whole origins", size[largest], at[largest], one, 0 * one, one)
    one = np.ones(len(size))
    return Conformal("origins", size, at, one, 0 * one, 1 / count[index])


def _seen(miss: np.ndarray, decades: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sizes, distances and origins of the misses there are, shape (k,) each."""
    if miss.ndim != 2 or miss.shape != decades.shape:
        raise BadInput(
            f"conformal: expected misses and distances of one shape (origins, runs), got {miss.shape} and "
            f"{decades.shape}; give the misses of one law"
        )
    seen = ~np.isnan(miss) & np.isfinite(decades)
    if not seen.any():
        raise BadInput("conformal: expected forecasts of known outcome, got none; give more runs")
    return np.abs(miss[seen]), decades[seen], np.nonzero(seen)[0]


def _line(size: np.ndarray, at: np.ndarray, noise: float) -> tuple[float, float]:
    """Least squares of a + b d on the sizes, with b >= 0 and a at least the mean size of the noise, and positive."""
    least = max(noise * np.sqrt(2 / np.pi), _LEAST * float(np.mean(size)), np.finfo(np.float64).tiny)
    (above, growth), _ = nnls(np.stack([np.ones(len(at)), at], axis=1), size - least)
    return least + above, growth
