"""Robust scale: what a few wild residuals do not move."""

from typing import Any

import numpy as np


def robust_scale(residual: Any, xp: Any = np) -> Any:
    """Of residuals about zero, NaN left out: 1.4826 times their median size, a normal's standard deviation.

    `xp`: NumPy, or `jax.numpy` for traced residuals.
    """
    return 1.4826 * xp.nanmedian(xp.abs(residual))
