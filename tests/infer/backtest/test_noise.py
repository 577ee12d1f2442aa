"""The noise of a run: recovered from simulated residuals, its slope only where there is one, bad runs withstood."""

import numpy as np
import pytest
from scipy import stats

from jaxscale.infer.backtest.noise import DF, run_noise

C = np.linspace(18, 22, 4000)


def residuals(slope: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 0.004 * np.exp(slope * (C - C.mean())) * rng.standard_t(DF, C.size)


def test_scale_and_slope_come_back() -> None:
    # The Fisher information of log scale in a Student-t is 2 DF / (DF + 3) a run: four standard errors.
    error = 4 * np.sqrt((DF + 3) / (2 * DF) / C.size)
    found = run_noise(residuals(-0.3, 0), C, 0)
    assert np.log(found.scale / 0.004) == pytest.approx(0, abs=error)
    assert found.slope == pytest.approx(-0.3, abs=error / C.std())
    np.testing.assert_allclose(found.at(np.array([20.0])), found.scale, rtol=1e-12)


def test_beyond_the_runs_the_edge_s_noise_holds() -> None:
    found = run_noise(residuals(-0.3, 0), C, 0)
    np.testing.assert_array_equal(found.at(np.array([23.0, 30.0])), found.at(np.array([22.0, 22.0])))


def test_a_slope_that_is_not_there_is_not_seen() -> None:
    # Two standard deviations: one in twenty of such tables shows one by chance.
    seen = [run_noise(residuals(0.0, seed)[::40], C[::40], 0).slope != 0 for seed in range(60)]
    assert sum(seen) <= stats.binom(60, 0.05).ppf(0.999)


def test_a_fit_s_own_parameters_are_allowed_for() -> None:
    residual = residuals(0.0, 1)[:20]
    plain, raised = (run_noise(residual, None, p).scale for p in (0, 5))
    assert raised / plain == pytest.approx(np.sqrt(20 / 15))


def test_bad_runs_are_withstood() -> None:
    residual = residuals(0.0, 2)
    spoilt = residual.copy()
    spoilt[:40] = 5.0
    # One bad run in a hundred moves a Student-t's scale by a few per cent; a standard deviation a hundredfold.
    assert run_noise(spoilt, C, 0).scale == pytest.approx(run_noise(residual, C, 0).scale, rel=0.06)
