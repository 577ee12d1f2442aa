"""The Gaussian process of a law's relative errors, before any run is seen: prior, coordinates, correlation."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxscale.core.errors import BadInput
from jaxscale.core.flops import training_flops
from jaxscale.core.priors import LogNormal

# Before any miss is seen, the same for every ladder: laws are off by a percent within a factor of five, and what they
# miss changes over one or a few decades.
AMPLITUDE, LENGTH = LogNormal(0.01, 1.6), LogNormal(1.5, 0.6)
_NODES = np.linspace(-2.0, 2.0, 5)  # of each log length, in prior standard deviations


def coordinates(inputs: Mapping[str, Any]) -> np.ndarray:
    """log10 of compute (6ND) and of D/N, shape (n, 2). Raises `BadInput` on inputs without N and D."""
    if not {"N", "D"} <= set(inputs):
        raise BadInput(
            f"discrepancy: expected a law with inputs N and D, whose compute and D/N are known, got {list(inputs)}; "
            "use outlook(...), whose bands need neither"
        )
    N, D = (np.asarray(inputs[name], np.float64) for name in ("N", "D"))
    return np.stack([np.log10(training_flops(N, D)), np.log10(D / N)], axis=1)


def correlation(x: np.ndarray, y: np.ndarray, lengths: tuple[float, float]) -> np.ndarray:
    """The squared exponential of unit amplitude between coordinates (n, 2) and (m, 2), shape (n, m)."""
    return np.exp(-0.5 * np.sum(((x[:, None] - y[None]) / np.asarray(lengths)) ** 2, axis=2))


def length_grid() -> tuple[tuple[tuple[float, float], float], ...]:
    """Pairs of lengths that stand for their prior, with the log density of each up to a constant."""
    nodes = [float(x) for x in LENGTH.median * np.exp(LENGTH.sigma * _NODES)]
    return tuple(((a, b), float(log_prior(LENGTH, a) + log_prior(LENGTH, b))) for a in nodes for b in nodes)


def log_prior(prior: LogNormal, x: Any) -> Any:
    """Of log x, up to a constant."""
    return -0.5 * (np.log(x / prior.median) / prior.sigma) ** 2
