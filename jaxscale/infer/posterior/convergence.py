r"""Convergence of chains: rank-normalised split R-hat, bulk and tail effective sample size, E-BFMI.

Vehtari, Gelman, Simpson, Carpenter & Bürkner 2021 (doi 10.1214/20-BA1221) and Betancourt 2016 (arXiv 1604.00695).
In NumPy and for many quantities at once, since thousands of posteriors are judged after one run; ArviZ, which
takes them one by one, is the oracle of the tests. Arrays have shape (chain, draw, ...).
"""

import numpy as np


def rhat(x: np.ndarray) -> np.ndarray:
    """The greater of the R-hats of split chains of ranks and of folded ranks; nan where a quantity is constant."""
    halves = _split(x)
    folded = np.abs(halves - np.median(halves, axis=(0, 1)))
    return np.maximum(_rhat(_normal_scores(halves)), _rhat(_normal_scores(folded)))


def ess_bulk(x: np.ndarray) -> np.ndarray:
    """Effective sample size of the centre of the distribution."""
    return ess(_normal_scores(_split(x)))


def ess_tail(x: np.ndarray, tail: float = 0.05) -> np.ndarray:
    """The lesser effective sample size of the two quantiles at `tail` and 1 - `tail`."""
    cuts = np.quantile(x, (tail, 1 - tail), axis=(0, 1))
    low, high = (ess(_split((x <= cut).astype(np.float64))) for cut in cuts)
    return np.minimum(low, high)


def bfmi(energy: np.ndarray) -> np.ndarray:
    """Estimated Bayesian fraction of missing information of each chain, from energies (chain, draw, ...)."""
    return np.mean(np.diff(energy, axis=1) ** 2, axis=1) / np.var(energy, axis=1, ddof=1)


def ess(x: np.ndarray) -> np.ndarray:
    """Effective sample size of the mean by Geyer's initial monotone sequence, of chains as they stand."""
    chains, n = x.shape[:2]
    covariance = np.mean(_autocovariance(x), axis=0)
    within = covariance[0] * n / (n - 1)
    total = covariance[0] + (np.var(x.mean(axis=1), axis=0, ddof=1) if chains > 1 else 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = 1 - (within - covariance) / total
    rho[0] = 1.0
    pairs = (n - 1) // 2  # that lie wholly inside the sequence; the last one only closes it
    even, odd = rho[0 : 2 * pairs : 2], rho[1 : 2 * pairs : 2]
    positive = np.logical_and.accumulate(even + odd > 0, axis=0)
    positive[-1] = False
    monotone = np.minimum.accumulate(np.where(positive, even + odd, np.inf), axis=0)
    tau = -1 + 2 * np.sum(np.where(positive, monotone, 0), axis=0)
    # The pair that closes the sequence still counts with its even half, where that is positive.
    closing = np.take_along_axis(even, positive.sum(axis=0)[None], axis=0)[0]
    tau = tau + np.maximum(closing, 0)
    size = chains * n
    found = size / np.maximum(tau, 1 / np.log10(size))
    return np.where(np.isfinite(total) & (total > 0), found, np.nan)


def _split(x: np.ndarray) -> np.ndarray:
    half = x.shape[1] // 2
    return np.concatenate([x[:, :half], x[:, x.shape[1] - half :]], axis=0)


def _normal_scores(x: np.ndarray) -> np.ndarray:
    """Normal quantiles of the ranks over all chains and draws (Blom's offset)."""
    flat = x.reshape(-1, *x.shape[2:])
    # SciPy takes long to load, and only posteriors need it.
    from scipy.special import ndtri
    from scipy.stats import rankdata

    ranks = rankdata(flat, axis=0, nan_policy="propagate")
    return ndtri((ranks - 0.375) / (len(flat) + 0.25)).reshape(x.shape)


def _rhat(x: np.ndarray) -> np.ndarray:
    n = x.shape[1]
    within = np.mean(np.var(x, axis=1, ddof=1), axis=0)
    between = np.var(x.mean(axis=1), axis=0, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt((n - 1) / n + between / within)


def _autocovariance(x: np.ndarray) -> np.ndarray:
    """Biased autocovariance of every chain along axis 1."""
    n = x.shape[1]
    centred = x - x.mean(axis=1, keepdims=True)
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(centred, size, axis=1)
    return np.fft.irfft(np.abs(spectrum) ** 2, size, axis=1)[:, :n] / n
