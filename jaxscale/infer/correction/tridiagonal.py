"""A symmetric matrix as Q T Q' with T tridiagonal: a quarter of the work of its eigenvectors, on one core.

What a ridge regression asks for at many penalties, determinants and solutions, T gives as cheaply as eigenvectors do.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import eigvalsh_tridiagonal
from scipy.linalg.lapack import get_lapack_funcs

_WORK = 32  # columns that LAPACK takes at a time
_sytrd, _ormqr, _ptsv = get_lapack_funcs(("sytrd", "ormqr", "ptsv"), dtype=np.float64)


class Tridiagonal(NamedTuple):
    """`reflected` and `tau` hold Q as LAPACK's reflectors: its first row and column are those of the identity."""

    diagonal: np.ndarray
    beside: np.ndarray
    reflected: np.ndarray
    tau: np.ndarray

    def eigenvalues(self) -> np.ndarray:
        return np.asarray(eigvalsh_tridiagonal(self.diagonal, self.beside)) if len(self.beside) else self.diagonal

    def turned(self, x: np.ndarray) -> np.ndarray:
        """Q' x."""
        return self._by(x, "T")

    def back(self, x: np.ndarray) -> np.ndarray:
        """Q x."""
        return self._by(x, "N")

    def solved(self, penalty: float, b: np.ndarray) -> np.ndarray:
        """x of (T + penalty) x = b, for a positive semi-definite T and a positive penalty."""
        if not len(self.beside):
            return b / (self.diagonal + penalty)
        return _ptsv(self.diagonal + penalty, self.beside, b)[2]

    def _by(self, x: np.ndarray, transposed: str) -> np.ndarray:
        if not len(self.beside):
            return x
        rest = x[1:, None]
        rest = _ormqr("L", transposed, self.reflected[1:, :-1], self.tau, rest, _WORK)[0]
        return np.concatenate([x[:1], rest[:, 0]])


def tridiagonal(a: np.ndarray) -> Tridiagonal:
    """Of a symmetric matrix, of which the lower triangle is read."""
    reflected, diagonal, beside, tau, _ = _sytrd(a, lower=1, lwork=_WORK * len(a))
    return Tridiagonal(diagonal, beside, reflected, tau)
