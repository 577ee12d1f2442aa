"""Chinchilla: published allocations, first-order condition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.law import from_published
from jaxscale.laws.loss.hoffmann2022 import Chinchilla

# Besiroglu et al. 2024, Huber refit of the 240 runs, and the allocations computed from it elsewhere.
REFIT = {"E": 1.817218, "A": 477.826, "B": 2143.417, "alpha": 0.3473105, "beta": 0.3671724}
ALLOCATIONS = [(1e21, 2.79e9, 0.005e9, 21.4), (5.76e23, 7.32e10, 0.005e10, 17.9), (3.8e25, 6.3e11, 0.05e11, 16.0)]


@pytest.mark.parametrize(("C", "N", "half_unit", "ratio"), ALLOCATIONS)
def test_compute_optimal_gives_the_known_allocations(C: float, N: float, half_unit: float, ratio: float) -> None:
    got_N, got_D = Chinchilla(**REFIT).compute_optimal(jnp.asarray(C))
    # Half a unit of the printed digit, and a quarter more for float32.
    assert abs(float(got_N) - N) < 1.25 * half_unit
    assert abs(float(got_D / got_N) - ratio) < 1.25 * 0.05


def test_chinchillas_own_budget_asks_for_59_tokens_per_parameter() -> None:
    # The range 59-70 is what the approach-3 numbers are known to give at 5.76e23 FLOP; 20 was used.
    N, D = from_published(Chinchilla, "hoffmann2022").compute_optimal(jnp.asarray(5.76e23))
    assert 58.5 < float(D / N) < 70


@pytest.mark.parametrize("name", Chinchilla.published)
def test_loss_is_stationary_at_the_optimum(name: str, eps: float) -> None:
    law = from_published(Chinchilla, name)
    C = jnp.asarray(1e22)
    N, D = law.compute_optimal(C)
    by_N, by_D = jax.grad(lambda N, D: law(N, D), argnums=(0, 1))(N, D)
    # On 6ND = C a step in log N is one back in log D: both must gain the same.
    np.testing.assert_allclose(float(N * by_N), float(D * by_D), rtol=8 * eps * np.log(1e22))


def test_rounding_the_published_exponent_costs_thirteen_percent_of_the_data_term() -> None:
    rounded, exact = (from_published(Chinchilla, n) for n in ("hoffmann2022_rounded", "hoffmann2022"))
    # At unlimited size only E and the data term are left.
    data = [float(law(jnp.asarray(1e35), jnp.asarray(1e11)) - law.E) for law in (rounded, exact)]
    assert 0.125 < data[0] / data[1] - 1 < 0.135
