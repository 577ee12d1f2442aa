"""Numbers as people read them: 97.2B parameters, 1.72T tokens, 1e24 FLOP."""

import math

import numpy as np

from jaxscale.core.schedule import text_of

_SUFFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


def count(value: float) -> str:
    """Three digits and a suffix, `97.2B`; beyond a thousand trillions a power of ten."""
    if not math.isfinite(value) or abs(value) >= 1e15 or abs(value) < 1:
        return f"{value:.3g}"
    for size, suffix in _SUFFIXES:
        if float(f"{value:.3g}") >= size:
            return f"{value / size:.3g}{suffix}"
    return f"{value:.3g}"


def flops(value: float) -> str:
    """Two digits and a power of ten, `5.8e+20` as `5.8e20`, round budgets as `1e24`."""
    return f"{value:.2g}".replace("e+", "e")


def quantity(value: float, unit: str) -> str:
    """A value of a law's input by its unit."""
    if unit in ("params", "tokens", "steps", "samples"):
        return count(value)
    return flops(value) if unit == "FLOP" else f"{value:.4g}"


def entry(array: np.ndarray) -> str:
    """One entry of a quantity with axes: a schedule by its segments, shares side by side."""
    return text_of(array) if np.ndim(array) == 2 else " ".join(f"{share:.4g}" for share in array)


def estimate(value: float) -> str:
    """Five significant digits; powers of ten only where plain digits would be long."""
    return f"{value:.5g}" if 1e-3 <= abs(value) < 1e6 or value == 0 else f"{value:.4e}"


def span(low: float, high: float, unit: str) -> str:
    """`74.1B to 128B`."""
    return f"{quantity(low, unit)} to {quantity(high, unit)}"
