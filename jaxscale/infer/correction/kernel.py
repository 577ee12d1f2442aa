"""The Gaussian process of a law's relative errors, before any run is seen: prior, coordinates, correlation."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxscale.core.errors import BadInput
from jaxscale.core.priors import LogNormal
from jaxscale.core.scale import scales

# Before any miss is seen, the same for every ladder: laws are off by a percent within a factor of five, and what they
# miss changes over one or a few decades.
AMPLITUDE, LENGTH = LogNormal(0.01, 1.6), LogNormal(1.5, 0.6)
_NODES = np.linspace(-2.0, 2.0, 5)  # of each log length, in prior standard deviations
_GRID = 81  # sets of lengths, at most


def coordinates(inputs: Mapping[str, Any], names: Sequence[str] = ("N", "D")) -> np.ndarray:
    """`scales` of n runs along `names`, shape (n, d). Raises `BadInput` where an input is missing."""
    if not set(names) <= set(inputs):
        raise BadInput(
            f"discrepancy: expected a law with inputs {' and '.join(names)}, got {list(inputs)}; "
            "use outlook(...), which takes any"
        )
    return scales({name: np.asarray(inputs[name], np.float64) for name in names}, names)


def correlation(x: np.ndarray, y: np.ndarray, lengths: tuple[float, ...]) -> np.ndarray:
    """The squared exponential of unit amplitude between coordinates (n, d) and (m, d), shape (n, m)."""
    apart = ((x[:, None, k] - y[None, :, k]) / length for k, length in enumerate(lengths))
    return np.exp(-0.5 * sum(a**2 for a in apart))


def length_grid(d: int = 2) -> tuple[tuple[tuple[float, ...], float], ...]:
    """Lengths along d coordinates that stand for their prior, with the log density of each up to a constant.

    Five along each coordinate, or three, or the median alone, as many as a grid of 81 has room for.
    """
    each = next(n for n in (5, 3, 1) if n**d <= _GRID)
    nodes = LENGTH.median * np.exp(LENGTH.sigma * _NODES[(5 - each) // 2 : (5 + each) // 2])
    sets = itertools.product([float(x) for x in nodes], repeat=d)
    return tuple((lengths, float(sum(log_prior(LENGTH, x) for x in lengths))) for lengths in sets)


def log_prior(prior: LogNormal, x: Any) -> Any:
    """Of log x, up to a constant."""
    return -0.5 * (np.log(x / prior.median) / prior.sigma) ** 2
