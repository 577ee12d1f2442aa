"""Whether rows are of two kinds: losses of two tokenisers or corpora, or a column in two units.

A surface of second order in the logarithms of the inputs is fitted to the log of the target, once as the table is and
once with rows told apart: by a common factor on the target, or by a factor of a thousand on an input. Rows and surface
are found in turn, as in a mixture of regressions. Among rows of one kind the best split in two takes away half of the
scatter, among rows of two kinds nearly all of it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

_LEFT = 0.3  # of the scatter: rows of one kind keep .4 to .6 of it, in simulations and in public studies
_SPARE = 6  # rows beyond the columns: fewer are split into anything
_OFFSET = 0.05  # log of the factor: two tokenisers differ by more, two halves of the noise by less
_SHARE = 0.2  # of the rows in the smaller part: fewer are outliers
_FLAT = 1e-12  # of the largest eigenvalue: a direction that the inputs do not have
_ROUNDS, _STARTS = 30, 40
_MOST, _GROUPS = 4000, 20  # rows and groups beyond which this would take seconds
_THOUSAND = 1e3  # larger units show in D/N, or as a law that explains nothing


@dataclass(frozen=True)
class Mixed:
    """Rows `apart` (indices) differ by `factor` in `what`, which is an input's name, or empty for the target."""

    what: str
    factor: float
    apart: np.ndarray


def mixed(
    inputs: dict[str, np.ndarray], target: np.ndarray, group: np.ndarray, residual: np.ndarray | None = None
) -> Mixed | None:
    """The two kinds of rows that explain nearly all scatter of positive `target` (n,); None where there are none.

    `residual` (n,) of some fit is one more start of the search.
    """
    if len(target) > _MOST or group.max() > _GROUPS:
        return None
    x = np.log(np.stack([*inputs.values()], axis=1))
    y = np.log(target)
    offsets = np.eye(int(group.max()) + 1)[group]
    columns = offsets.shape[1] + x.shape[1] * (x.shape[1] + 3) // 2
    if len(y) < columns + _SPARE:
        return None
    plain = _scatter(_surface(x, offsets), y)
    best, found = _LEFT * plain, None
    for what, factor, apart, left in (*_offset(x, y, offsets, residual), *_scaled(list(inputs), x, y, offsets)):
        if left < best and abs(np.log(factor)) > _OFFSET and _SHARE <= np.mean(apart) <= 1 - _SHARE:
            best, found = left, Mixed(what, factor, np.flatnonzero(apart))
    return found


def _surface(x: np.ndarray, offsets: np.ndarray, centre: np.ndarray | None = None) -> np.ndarray:
    away = x - (np.mean(x, axis=0) if centre is None else centre)
    i, j = np.triu_indices(x.shape[1])
    return np.concatenate([offsets, away, away[:, i] * away[:, j]], axis=1)


def _solved(design: np.ndarray, y: np.ndarray) -> np.ndarray:
    # Normal equations: precise enough for a split in two, and quick for many rows.
    return np.linalg.lstsq(design.T @ design, design.T @ y, rcond=_FLAT)[0]


def _scatter(design: np.ndarray, y: np.ndarray) -> float:
    """Standard deviation about the surface, its degrees of freedom counted."""
    rank = np.linalg.matrix_rank(design.T @ design, rtol=_FLAT, hermitian=True)
    return float(np.sqrt(np.sum((y - design @ _solved(design, y)) ** 2) / max(len(y) - rank, 1)))


def _settled(apart: np.ndarray, again: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    for _ in range(_ROUNDS):
        renewed = again(apart)
        if np.array_equal(renewed, apart) or renewed.all() or not renewed.any():
            return renewed
        apart = renewed
    return apart


def _offset(
    x: np.ndarray, y: np.ndarray, offsets: np.ndarray, given: np.ndarray | None
) -> Iterator[tuple[str, float, np.ndarray, float]]:
    """Rows, the smaller part, whose target is multiplied by one factor."""
    surface = _surface(x, offsets)

    def again(apart: np.ndarray) -> np.ndarray:
        solution = _solved(np.c_[surface, apart], y)
        residual = y - surface @ solution[:-1]
        return np.abs(residual - solution[-1]) < np.abs(residual)

    residual = y - surface @ _solved(surface, y)
    rng = np.random.default_rng(0)  # starts of a local search
    starts = [residual > 0, *(rng.uniform(size=(_STARTS, len(y))) < 0.5)]
    for start in starts if given is None else [given > (given.min() + given.max()) / 2, *starts]:
        apart = _settled(start, again)
        apart = apart if np.mean(apart) <= 0.5 else ~apart
        design = np.c_[surface, apart]
        yield "", float(np.exp(_solved(design, y)[-1])), apart, _scatter(design, y)


def _scaled(
    names: list[str], x: np.ndarray, y: np.ndarray, offsets: np.ndarray
) -> Iterator[tuple[str, float, np.ndarray, float]]:
    """Rows in which one input is a thousandth of what it is in the others."""
    for k, name in enumerate(names):
        step = np.zeros(x.shape[1])
        step[k] = np.log(_THOUSAND)

        def again(apart: np.ndarray, step: np.ndarray = step) -> np.ndarray:
            mended = x + step * apart[:, None]
            centre = np.mean(mended, axis=0)
            solution = _solved(_surface(mended, offsets, centre), y)
            as_is, as_thousands = (np.abs(y - _surface(z, offsets, centre) @ solution) for z in (x, x + step))
            return as_thousands < as_is

        low = np.argsort(x[:, k] - np.mean(np.delete(x, k, axis=1), axis=1) if x.shape[1] > 1 else x[:, k])
        for share in (0.3, 0.4, 0.5, 0.6, 0.7):
            start = np.zeros(len(y), bool)
            start[low[: int(share * len(y))]] = True
            apart = _settled(start, again)
            yield name, 1 / _THOUSAND, apart, _scatter(_surface(x + step * apart[:, None], offsets), y)
