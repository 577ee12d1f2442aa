"""R-hat, effective sample sizes and E-BFMI against ArviZ, and against the closed form of autoregressive chains."""

import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy.signal import lfilter

from jaxscale.infer.posterior import convergence

CHAINS = 4
PHIS = (-0.9, -0.3, 0.0, 0.5, 0.8, 0.95)


def autoregressive(n: int, chains: int = CHAINS, seed: int = 0) -> np.ndarray:
    """Stationary chains of unit variance, one quantity per phi, shape (chain, draw, phi)."""
    noise = np.random.default_rng(seed).standard_normal((chains, n, len(PHIS)))
    found = np.empty_like(noise)
    for i, phi in enumerate(PHIS):
        noise[:, 1:, i] *= np.sqrt(1 - phi**2)
        found[..., i] = lfilter([1.0], [1.0, -phi], noise[..., i], axis=1)
    return found


def cases() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    stuck = autoregressive(101)
    stuck[0] += 3.0
    tied = rng.standard_normal((CHAINS, 90, 2)).round(1)
    heavy = rng.standard_t(1.5, (2, 250, 3))
    return {
        "even": autoregressive(200),
        "odd": autoregressive(201),
        "half is odd": autoregressive(202),
        "short": autoregressive(9),
        "shortest allowed": autoregressive(8, 2),
        "a chain apart": stuck,
        "ties": tied,
        "heavy tails": heavy,
        "a trend": autoregressive(64) + np.linspace(0, 5, 64)[:, None],
    }


@pytest.mark.parametrize("name", cases())
def test_equals_arviz(name: str) -> None:
    x = cases()[name]
    arviz = {
        "rhat": lambda one: array_stats.rhat(one, method="rank"),
        "ess_bulk": lambda one: array_stats.ess(one, method="bulk"),
        "ess_tail": lambda one: array_stats.ess(one, method="tail", prob=(0.05, 0.95)),
    }
    for measure, oracle in arviz.items():
        found = getattr(convergence, measure)(x)
        expected = [oracle(x[..., i]) for i in range(x.shape[-1])]
        # Sums over a few hundred lags: rounding stays far below what a wrong lag or pair would change.
        np.testing.assert_allclose(found, expected, rtol=1e-9, err_msg=measure)


def test_bfmi_equals_arviz() -> None:
    energy = autoregressive(301)
    found = convergence.bfmi(energy)
    expected = [array_stats.bfmi(energy[..., i]) for i in range(len(PHIS))]
    np.testing.assert_allclose(found.T, expected, rtol=1e-12)
    # Independent energies: the mean squared step is twice the variance; of an AR(1), twice 1 - phi.
    long = convergence.bfmi(autoregressive(20_000))
    for i, phi in enumerate(PHIS[:4]):
        np.testing.assert_allclose(long[:, i], 2 * (1 - phi), rtol=0.1)


def test_effective_size_of_autoregressive_chains() -> None:
    r"""A mean of an AR(1) is worth $n (1 - \phi) / (1 + \phi)$ draws; so the estimate, over many repetitions, is."""
    n, repeats = 2000, 30
    found = np.stack([convergence.ess_bulk(autoregressive(n, seed=seed)) for seed in range(repeats)])
    for i, phi in enumerate(PHIS):
        closed = CHAINS * n * (1 - phi) / (1 + phi)
        if phi < 0:
            # Truncation of the sequence costs antithetic chains most, and the estimate has a ceiling n log10 n.
            closed = min(closed, CHAINS * n * np.log10(CHAINS * n))
        mean, error = found[:, i].mean(), found[:, i].std(ddof=1) / np.sqrt(repeats)
        # Geyer's truncation is biased by a few percent at this length, besides the Monte-Carlo error.
        assert abs(mean - closed) < 4 * error + 0.05 * closed, phi


def test_one_chain_and_constants() -> None:
    x = autoregressive(400, chains=1)
    assert np.all(np.isfinite(convergence.ess_bulk(x)))
    constant = np.ones((CHAINS, 50, 2))
    with np.errstate(invalid="ignore"):
        assert np.all(np.isnan(convergence.rhat(constant)))
        assert np.all(np.isnan(convergence.ess_bulk(constant)))
        assert np.all(np.isnan(convergence.ess_tail(constant)))


def test_many_at_once_are_each_alone() -> None:
    x = autoregressive(120).reshape(CHAINS, 120, 2, 3)
    for measure in (convergence.rhat, convergence.ess_bulk, convergence.ess_tail):
        alone = np.array([[measure(x[..., i, j]) for j in range(3)] for i in range(2)])
        np.testing.assert_allclose(measure(x), alone, rtol=1e-12)


def test_what_is_not_finite_is_not_judged() -> None:
    x = autoregressive(60)
    x[1, 7, 2] = np.nan
    for measure in (convergence.rhat, convergence.ess_bulk, convergence.ess_tail):
        found = measure(x)
        assert np.isnan(found[2])
        assert np.all(np.isfinite(np.delete(found, 2)))
