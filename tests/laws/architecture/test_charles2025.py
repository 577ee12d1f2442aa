"""DiLoCo: the power laws in NumPy, and the wall-clock model against all-reduces counted chunk by chunk."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.law import AbstractLaw, from_published
from jaxscale.laws.architecture.charles2025 import (
    DiLoCoBatch,
    DiLoCoLearningRate,
    DiLoCoLoss,
    DiLoCoLossAdditive,
    DiLoCoLossExponent,
    DiLoCoLossFloor,
    DiLoCoWallClock,
)

RNG = np.random.default_rng(0)
N, M = 10 ** RNG.uniform(7, 11, 100), 2 ** RNG.uniform(0, 4, 100)


@pytest.mark.parametrize("law_class", [DiLoCoLoss, DiLoCoLearningRate, DiLoCoBatch])
def test_power_laws_equal_the_printed_ones(law_class: type[AbstractLaw], agree: Callable[..., None]) -> None:
    for name, published in law_class.published.items():
        v = published.values
        agree(from_published(law_class, name), {"N": N, "M": M}, v["A"] * N ** v["alpha"] * M ** v["beta"])


def test_forms_with_a_floor_equal_the_printed_ones(agree: Callable[..., None]) -> None:
    at = {"N": N, "M": M}
    agree(DiLoCoLossFloor(A=30.0, alpha=-0.14, beta=0.02, C=0.8), at, 30 * N**-0.14 * M**0.02 + 0.8)
    agree(DiLoCoLossExponent(A=30.0, alpha=-0.14, beta=1e-3, C=0.8), at, 30 * N ** (-0.14 + 1e-3 * M) + 0.8)
    agree(DiLoCoLossAdditive(A=30.0, alpha=-0.14, B=0.02, beta=0.7, C=0.8), at, 30 * N**-0.14 + 0.02 * M**0.7 + 0.8)


def test_a_larger_model_makes_up_for_replicas(eps: float) -> None:
    law = DiLoCoLoss()
    size, replicas = jnp.asarray(1e9), jnp.asarray(8.0)
    larger = law(size * law.extra_size(replicas), replicas)
    np.testing.assert_allclose(larger, law(size, jnp.asarray(1.0)), rtol=16 * eps)
    assert float(law.extra_size(replicas)) == pytest.approx(8 ** (0.0116 / 0.0985), rel=16 * eps)  # 1.28 times


def test_the_batch_is_in_tokens() -> None:
    """2.4B on one replica: the sweep's powers of two end near a quarter of a million tokens, not of sequences."""
    assert 2**17 < float(DiLoCoBatch()(jnp.asarray(2.4e9), jnp.asarray(1.0))) < 2**20


def ring(params: float, chips: int, bandwidth: float, latency: float) -> float:
    """Seconds of a ring all-reduce of bfloat16 numbers: every chip sends each of its chunks on 2 (chips - 1) times."""
    chunk = 16 * params / chips
    return sum(chunk for _ in range(2 * (chips - 1))) / bandwidth + latency


@pytest.mark.parametrize("network", ["high", "medium", "low"])
@pytest.mark.parametrize("replicas", [1, 2, 8])
def test_wall_clock_counted_by_steps(network: str, replicas: int, eps: float) -> None:
    law = from_published(DiLoCoWallClock, network)
    W, latency = float(law.W_1), float(law.eps_1)
    params, tokens, batch, chips, every = 1e9, 2e10, 2e6, 64, 25
    steps = int(tokens / batch)
    within = ring(params, 64, W, latency) if replicas == 1 else ring(params, chips // replicas, 400e9, 1e-4)
    expected = 6 * params * tokens / (chips * 300e12)
    for step in range(1, steps + 1):
        expected += within + (ring(params, chips, W, latency) if step % every == 0 else 0.0)
    at = [jnp.asarray(float(x)) for x in (params, tokens, batch, replicas, chips, every)]
    np.testing.assert_allclose(law(*at), expected, rtol=steps * 2.3e-16 + 32 * eps)
    compute = 6 * params * tokens / (chips * 300e12)
    np.testing.assert_allclose(law.utilisation(*at), compute / expected, rtol=steps * 2.3e-16 + 32 * eps)


def test_data_parallel_is_one_replica_that_never_synchronises(eps: float) -> None:
    law = DiLoCoWallClock()
    at = [jnp.asarray(x) for x in (1e9, 2e10, 2e6, 1.0, 64.0, 1e30)]
    steps = 1e4
    expected = 6e9 * 2e10 / (64 * 300e12) + steps * (2 * 16e9 / 100e9 * (1 - 1 / 64) + 1e-3)
    np.testing.assert_allclose(law(*at), expected, rtol=32 * eps)
