"""GadreError: its inverse, its floor, and what a nat is worth."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.law import from_published
from jaxscale.laws.downstream.gadre2024 import GadreError


@pytest.mark.parametrize("name", GadreError.published)
def test_the_loss_for_an_error_is_the_inverse(name: str, eps: float) -> None:
    law = from_published(GadreError, name)
    for L in (2.2, 2.8, 3.5):
        error = law(jnp.asarray(L))
        # Rounding of epsilon - error, of size k exp(-gamma L), moves L by eps * error over the slope.
        slack = 8 * eps * (1 + float(error) / float(law.gamma * (law.epsilon - error)))
        np.testing.assert_allclose(float(law.loss_for(error)), L, atol=slack * L)


def test_printed_law_in_plain_numbers() -> None:
    law = from_published(GadreError, "redpajama_17")
    # At the loss of the paper's 6.9B model the errors of 17 tasks average .4716; the law says .857 - 2.206 e^-1.7339.
    want = 0.857 - 2.206 * np.exp(-0.715 * 2.424993)
    assert abs(float(law(jnp.asarray(2.424993))) - want) < 1e-6
    assert abs(want - 0.471637) < 0.01


def test_floor_is_where_nothing_is_left(eps: float) -> None:
    law = from_published(GadreError, "c4_46")
    floor = law.floor()
    np.testing.assert_allclose(float(floor), np.log(1.289 / 0.7589) / 0.972, rtol=8 * eps)
    assert abs(float(law(floor))) < 8 * eps
    assert float(law(floor + 0.1)) > 0 > float(law(floor - 0.1))


def test_no_loss_is_enough_for_the_error_of_chance() -> None:
    law = GadreError()
    assert not np.isfinite(float(law.loss_for(law.epsilon)))
    assert np.isnan(float(law.loss_for(law.epsilon + 0.05)))


def test_the_gap_to_chance_grows_by_gamma_per_nat(eps: float) -> None:
    law = GadreError()

    def log_gap(L: jax.Array) -> jax.Array:
        return jnp.log(law.epsilon - law(L))

    # At 3 nats the gap is a quarter of an error of .6.
    np.testing.assert_allclose(float(jax.grad(log_gap)(jnp.asarray(3.0))), -float(law.gamma), rtol=64 * eps)
