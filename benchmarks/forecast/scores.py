"""How forecasts of runs that were not seen are judged."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

LEVELS = (0.5, 0.8, 0.9, 0.95)
NOMINAL = 0.9  # the level of the width and of the interval score
type Ends = Mapping[float, tuple[np.ndarray, np.ndarray]]


class Failed(Exception):
    """A method gave no forecast; the reason is its message."""


@dataclass(frozen=True)
class Answer:
    """What a method says about m held-out rows, given the fitted ones.

    - `point`: shape (m,). `ends`: of its band by level, shape (m,) each; empty where it has none.
    - `others`: ends of further bands around the same point, by name.
    - `about`: what a reader may want to know, as JSON.
    """

    point: np.ndarray
    ends: Ends = field(default_factory=dict)
    others: Mapping[str, Ends] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scores:
    """Relative numbers over m rows: mean and largest error, coverage by level, mean full width, mean interval score.

    Coverage is empty, and width and score are nan, where the method has no band.
    """

    mean: float
    largest: float
    coverage: Mapping[float, float]
    width: float
    interval_score: float


def scored(point: np.ndarray, ends: Ends, observed: np.ndarray) -> Scores:
    """Error and score are divided by what was observed, width by the forecast."""
    error = np.abs(point / observed - 1)
    coverage = {level: float(np.mean((low <= observed) & (observed <= high))) for level, (low, high) in ends.items()}
    width = score = float("nan")
    if ends:
        low, high = ends[NOMINAL]
        width = float(np.mean((high - low) / point))
        score = float(np.mean(interval_score(low, high, observed, NOMINAL) / observed))
    return Scores(float(error.mean()), float(error.max()), coverage, width, score)


def interval_score(low: np.ndarray, high: np.ndarray, observed: np.ndarray, level: float) -> np.ndarray:
    """Width, and 2 / (1 - level) for every unit missed (Gneiting & Raftery 2007, eq. 43): less is better."""
    missed = np.maximum(low - observed, 0) + np.maximum(observed - high, 0)
    return high - low + 2 / (1 - level) * missed


def central(draws: np.ndarray) -> Ends:
    """Central intervals of draws (n, m) at every level."""
    return {
        level: (np.quantile(draws, 0.5 - level / 2, axis=0), np.quantile(draws, 0.5 + level / 2, axis=0))
        for level in LEVELS
    }
