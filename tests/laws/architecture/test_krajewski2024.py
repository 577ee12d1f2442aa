"""FineGrainedMoE: the printed formula, and parameters against a count block by block."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.laws.architecture.krajewski2024 import FineGrainedMoE, active_parameters, training_flops

RNG = np.random.default_rng(0)


def test_equals_the_printed_formula(agree: Callable[..., None]) -> None:
    N, D, G = (10 ** RNG.uniform(low, high, 200) for low, high in ((7, 13), (9, 13), (0, 2)))
    expected = 0.47 + (2.1 / G**0.58 + 18.1) / N**0.115 + 30.8 / D**0.147
    agree(FineGrainedMoE(), {"N": N, "D": D, "G": G}, expected)


@pytest.mark.parametrize(("width", "blocks", "experts", "granularity"), [(512, 8, 64, 4), (1024, 16, 8, 1)])
def test_counts_and_compute_of_a_model(width: int, blocks: int, experts: int, granularity: int, eps: float) -> None:
    """Attention has four square matrices, an expert of a dense block's size two of width x 4 width."""
    attention, expert = 4 * width**2, 2 * width * 4 * width
    total, active = blocks * (attention + experts * expert), blocks * (attention + expert)
    routing = blocks * width * experts * granularity
    N, E = jnp.asarray(float(total)), jnp.asarray(float(experts))
    np.testing.assert_allclose(active_parameters(N, E), active, rtol=8 * eps)
    D = 1e9
    got = training_flops(N, jnp.asarray(D), jnp.asarray(float(granularity)), E)
    np.testing.assert_allclose(got, (6 * active + 14 * routing) * D, rtol=32 * eps)


def test_finer_experts_pay_until_routing_costs_more() -> None:
    """At fixed compute the loss has a minimum between one and many experts per feed-forward block."""
    law, N, C = FineGrainedMoE(), jnp.asarray(43e8), 2.95e18
    grid = jnp.asarray([2.0**i for i in range(12)])
    losses = [float(law(N, C / training_flops(N, jnp.asarray(1.0), G), G)) for G in grid]
    assert 0 < int(np.argmin(losses)) < len(losses) - 1
