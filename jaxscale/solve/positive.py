"""Small positive definite systems over an array namespace: `jax.numpy` for one of them inside jit, `numpy` for a stack.

Where a matrix is not positive definite, or singular, its solution is nan: no lane of a batch stops the others.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def solve_positive(xp: Any, a: Any, b: Any) -> Any:
    """x of `a @ x = b`, a (..., p, p) and b (..., p), by Cholesky's factor; nan where `a` has none."""
    if xp is jnp:
        return jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(a), b)
    lower = _stacked(np.linalg.cholesky, a)
    half = _stacked(np.linalg.solve, lower, b[..., None])
    return _stacked(np.linalg.solve, np.swapaxes(lower, -1, -2), half)[..., 0]


def solve_any(xp: Any, a: Any, b: Any) -> Any:
    """x of `a @ x = b`, for one matrix or a stack; nan or infinite where `a` is singular."""
    return jnp.linalg.solve(a, b) if xp is jnp else _stacked(np.linalg.solve, a, b[..., None])[..., 0]


def _stacked(function: Any, a: np.ndarray, *b: np.ndarray) -> np.ndarray:
    """NumPy refuses a whole stack for one bad matrix: then one by one, and nan for the bad."""
    try:
        return function(a, *b)
    except np.linalg.LinAlgError:
        if a.ndim == 2:
            return np.full_like(b[0] if b else a, np.nan)
        return np.stack([_stacked(function, *each) for each in zip(a, *b, strict=True)])
