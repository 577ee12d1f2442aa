"""Local exponents against the law's closed form, and the bounds they are held to outside the runs."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale import Runs, from_published
from jaxscale.core.law import AbstractLaw, signature
from jaxscale.infer.backtest.guard import slopes_at, unbounded
from jaxscale.infer.checks.limit import vanishes
from jaxscale.laws import catalogue
from jaxscale.laws.loss.hoffmann2022 import Chinchilla


def test_exponents_are_the_law_s_own(eps: float) -> None:
    law = from_published(Chinchilla, "besiroglu2024")
    N, D = jnp.logspace(7, 11, 9), jnp.logspace(12, 9, 9)
    by_size, by_data = law.A * N**-law.alpha, law.B * D**-law.beta
    loss = law.E + by_size + by_data
    found = slopes_at(law, {"N": N, "D": D})
    # Shares of a sum of three powers, each known to eps times its logarithm.
    np.testing.assert_allclose(found["N"], -law.alpha * by_size / loss, rtol=200 * eps)
    np.testing.assert_allclose(found["D"], -law.beta * by_data / loss, rtol=200 * eps)


def test_a_power_law_keeps_its_bounds_two_decades_out() -> None:
    law = from_published(Chinchilla, "besiroglu2024")
    N, D = jnp.logspace(8, 9.5, 16), jnp.logspace(9.5, 11, 16)
    inside = slopes_at(law, {"N": N, "D": D})
    outside = slopes_at(law, {"N": N * 10, "D": D * 10})
    assert not any(wild.any() for wild in unbounded(inside, outside).values())


def test_rising_plunging_and_undefined_slopes_are_out_of_bounds() -> None:
    inside = {"N": np.array([-0.10, -0.05]), "D": np.array([-0.02, 0.01])}
    outside = {"N": np.array([-0.01, 0.02, -0.31, -0.29, np.nan]), "D": np.array([0.02, 0.04, -0.05, -0.07, 0.0])}
    found = unbounded(inside, outside)
    np.testing.assert_array_equal(found["N"], [False, True, True, False, True])
    # An input whose exponent has both signs inside may keep both, three times as steep.
    np.testing.assert_array_equal(found["D"], [False, True, False, True, False])


# Whether a loss is left when N, D and C are without bound, by the formula in each law's docstring.
LEFT = {"Chinchilla": True, "Nested": True, "HenighanC": True, "DataConstrained": True, "Gadre": True}
LEFT |= {"KaplanN": False, "KaplanD": False, "KaplanC": False, "KaplanND": False, "TimeSeriesN": False}


@pytest.mark.parametrize(("name", "left"), LEFT.items())
def test_a_loss_vanishes_where_its_law_has_no_floor(name: str, left: bool) -> None:
    law = catalogue()[name]()
    runs = Runs.of({given: np.array([1e9, 1e10]) for given in signature(law).inputs}, np.ones(2))
    assert vanishes(law, runs) is not left


def test_what_is_no_cross_entropy_may_vanish(laws: dict[str, type[AbstractLaw]]) -> None:
    assert not vanishes(laws["Line"](c=0.0, m=0.0), Runs.of({"x": np.ones(2)}, np.ones(2)))
