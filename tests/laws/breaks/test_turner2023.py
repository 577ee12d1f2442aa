"""CriticalDeposition: hand values, the threshold from both sides, and slopes that no power law has."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.laws.breaks.turner2023 import CriticalDeposition


def at(law: CriticalDeposition, St: float) -> float:
    return float(law(jnp.asarray(St, float)))


def test_slope_by_hand(eps: float) -> None:
    """d ln y / d ln delta = p + B / 2 sqrt(delta): .25 + .5 x 2 / .5 at delta = .25, B = 2."""
    law = CriticalDeposition(A=3.0, B=2.0, S_c=0.5, p=0.25)
    value, slope = jax.value_and_grad(law)(jnp.asarray(0.75, float))
    assert float(value) == pytest.approx(3 * 0.25**0.25 * np.exp(-4), rel=64 * eps)
    assert float(slope / value) * 0.25 == pytest.approx(2.25, rel=64 * eps)


@pytest.mark.parametrize("St", [0.01, 0.125])
def test_nothing_at_and_below_the_threshold_and_gradients_are_zero(St: float) -> None:
    law = CriticalDeposition()
    value, gradients = jax.value_and_grad(lambda both: both[0](both[1]))((law, jnp.asarray(St, float)))
    assert float(value) == 0
    assert all(float(g) == 0 for g in jax.tree.leaves(gradients))


def test_flatter_than_any_power_above_the_threshold() -> None:
    """y / delta^k falls towards the threshold for every k; delta as far down as float32 still has a value."""
    law = CriticalDeposition()
    delta = np.array([1e-3, 4e-4, 2e-4])
    y = np.array([at(law, 0.125 + d) for d in delta])
    assert np.all(y > 0)
    for k in (1, 3, 10):
        assert np.all(np.diff(y / delta**k) < 0)
