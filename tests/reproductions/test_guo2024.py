"""Guo 2024: compute alone, as a null model, on the reconstructed runs of Hoffmann et al. 2022.

The paper's own slopes could not be retrieved, so nothing of it is reproduced. Oracle: ordinary least squares and its
F test, for curvature of the loss in ln(D/N) at fixed compute.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from jaxscale import Study, fit, load
from jaxscale.core.runs import Runs
from jaxscale.laws.loss.guo2024 import ComputeOnly
from jaxscale.objectives.penalty import raw_least_squares


@pytest.fixture(scope="module")
def study(data_dir: Path) -> Study:
    return load("chinchilla_besiroglu", where="excluded_in_paper == 0")


def least_squares(columns: list[np.ndarray], y: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Coefficients, their standard errors, and the sum of squares that is left."""
    X = np.stack(columns, axis=1)
    coefficients, *_ = np.linalg.lstsq(X, y)
    rest = y - X @ coefficients
    variance = rest @ rest / (len(y) - X.shape[1])
    return coefficients, np.sqrt(variance * np.diag(np.linalg.inv(X.T @ X))), float(rest @ rest)


def curvature(study: Study, near: float = np.inf) -> tuple[float, float, float]:
    """(t of the square of ln(D/N), p of linear and square term, D/N at the valley) for runs within `near` of 20."""
    N, D, L = (study.columns[name] for name in ("N", "D", "loss"))
    kept = np.abs(np.log(D / N / 20)) < np.log(near)
    x, ratio, y = np.log(N * D)[kept], np.log(D / N)[kept], L[kept]
    null = [np.ones_like(x), x]
    *_, under_null = least_squares(null, y)
    found, error, left = least_squares([*null, ratio, ratio**2], y)
    free = len(y) - 4
    p = stats.f.sf((under_null - left) / 2 / (left / free), 2, free)
    return found[3] / error[3], float(p), float(np.exp(-found[2] / (2 * found[3])))


@pytest.mark.x64
def test_the_law_is_the_regression_on_log_compute(study: Study) -> None:
    N, D, L = (study.columns[name] for name in ("N", "D", "loss"))
    C = 6 * N * D
    found, error, _ = least_squares([np.ones_like(C), 21 - np.log10(C)], L)
    fitted = fit(ComputeOnly(), Runs.of({"C": C}, L), raw_least_squares())
    assert fitted.certificate.certified
    got = np.array([float(fitted.law.m), float(fitted.law.k)])
    # The certificate bounds the gradient; 1e-6 standard errors are far below what it allows.
    assert np.abs(got - found) == pytest.approx(np.zeros(2), abs=1e-6 * error.min())


@pytest.mark.x64
def test_rejected_off_the_frontier(study: Study, beside: Callable[[str, object, object], None]) -> None:
    t, p, valley = curvature(study)
    beside("t of ln(D/N)^2 in the null model, 240 runs", f"{t:.1f}", "none printed")
    beside("D/N of the valley", f"{valley:.1f}", "20 (Hoffmann et al. 2022)")
    assert t > 10
    assert p < 1e-30
    assert 15 < valley < 30


@pytest.mark.x64
def test_not_rejected_near_the_frontier(study: Study, beside: Callable[[str, object, object], None]) -> None:
    """What lends the claim its credit: runs near one ratio D/N cannot tell."""
    t, p, _ = curvature(study, near=2.0)
    beside("t of ln(D/N)^2 in the null model, D/N of 10 to 40", f"{t:.1f}", "none printed")
    assert abs(t) < 2
    assert p > 0.05


@pytest.mark.x64
def test_a_square_centred_at_one_token_per_parameter_does_not_reject(study: Study) -> None:
    """The trap: the valley lies at 22, with runs on both sides, so ln(D/N)^2 without its linear term shows nothing."""
    N, D, L = (study.columns[name] for name in ("N", "D", "loss"))
    found, error, _ = least_squares([np.ones_like(N), np.log(N * D), np.log(D / N) ** 2], L)
    assert abs(found[2] / error[2]) < 2
