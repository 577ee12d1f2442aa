"""Jin: the average size against integration of the schedule, and token shares against shares of compute."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.laws.loss.jin2025 import CUBIC, LINEAR, AverageSize

RAMPS = {LINEAR: lambda u: u, CUBIC: lambda u: 1 - (1 - u) ** 3}
SCHEDULES = [(0.5, 0.25, 0.75), (0.8, 0.0, 1.0), (0.3, 0.4, 0.4), (0.9, 0.25, 0.75)]


def arrays(*numbers: float) -> tuple:
    return tuple(jnp.asarray(x) for x in numbers)


def size(t: np.ndarray, ramp: float, s: float, t0: float, t1: float) -> np.ndarray:
    """N(t) / N of the schedule itself."""
    u = np.clip((t - t0) / max(t1 - t0, 1e-300), 0, 1)
    return 1 - s * RAMPS[ramp](u)


@pytest.mark.parametrize("ramp", RAMPS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_average_size_is_the_mean_over_tokens(ramp: float, schedule: tuple[float, float, float]) -> None:
    t = (np.arange(200_000) + 0.5) / 200_000
    mean = size(t, ramp, *schedule).mean()
    # The midpoint rule errs by half a cell at the corners.
    np.testing.assert_allclose(AverageSize(ramp=ramp).average_share(*arrays(*schedule)), mean, rtol=1e-5)


@pytest.mark.parametrize("ramp", RAMPS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_token_shares_spend_the_shares_of_compute(ramp: float, schedule: tuple[float, float, float]) -> None:
    s, c0, c1 = schedule
    t0, t1 = (float(x) for x in AverageSize(ramp=ramp).token_shares(*arrays(s, c0, c1)))
    t = (np.arange(400_000) + 0.5) / 400_000
    spent = np.cumsum(size(t, ramp, s, t0, t1))
    got = np.interp([t0, t1], t, spent / spent[-1])
    np.testing.assert_allclose(got, [c0, c1], atol=1e-5)


def test_the_published_schedule_in_tokens() -> None:
    """By hand, s = 0.5, cubic: R = .625 / (1 - .09375 + .0625) = .64516; t0 = R / 4, t1 = 1 - R / 2."""
    t0, t1 = AverageSize().token_shares(*arrays(0.5, 0.25, 0.75))
    np.testing.assert_allclose([t0, t1], [0.16129, 0.67742], atol=1e-5)


def test_pruned_and_dense_models_of_one_average_size_share_loss_and_compute(eps: float) -> None:
    law = AverageSize()
    average, D = law.compute_optimal(jnp.asarray(1e22))
    s, t0, t1 = arrays(0.6, 0.2, 0.7)
    dense, final = law.dense_and_final(average, s, t0, t1)
    rtol = 32 * eps * np.log(1e22)
    np.testing.assert_allclose(law(dense, D, s, t0, t1), law(average, D, *arrays(0.0, 0.2, 0.7)), rtol=rtol)
    np.testing.assert_allclose(6 * dense * law.average_share(s, t0, t1) * D, 1e22, rtol=rtol)
    assert float(final) < float(average) < float(dense)
    np.testing.assert_allclose(final / dense, 0.4, rtol=4 * eps)


def test_without_pruning_it_is_chinchilla(eps: float) -> None:
    ours, theirs = AverageSize(), Chinchilla()
    N, D = arrays(7e9, 3e11)
    np.testing.assert_allclose(ours(N, D, *arrays(0.0, 0.3, 0.9)), theirs(N, D), rtol=16 * eps)
    for mine, other in zip(
        ours.compute_optimal(1e22 * jnp.ones(())), theirs.compute_optimal(1e22 * jnp.ones(())), strict=True
    ):
        np.testing.assert_allclose(mine, other, rtol=16 * eps * np.log(1e22))
