"""Henighan's optimal size: exponents by hand, and the split of compute that follows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.law import from_published
from jaxscale.laws.loss.henighan2020 import HenighanC
from jaxscale.laws.optimum.henighan2020 import HenighanOptimalSize


@pytest.mark.parametrize("name", HenighanOptimalSize.published)
def test_data_grow_with_size_as_stated(name: str, eps: float) -> None:
    law = from_published(HenighanOptimalSize, name)
    low, high = (law.compute_optimal(jnp.asarray(C)) for C in (1e18, 1e22))
    log_N, log_D = (np.log(float(top / bottom)) for top, bottom in zip(high, low, strict=True))
    np.testing.assert_allclose(log_D / log_N, law.data_exponent, rtol=16 * eps * np.log(1e22))
    np.testing.assert_allclose(6 * float(high[0]) * float(high[1]), 1e22, rtol=8 * eps)


def test_exponent_is_the_slope_in_logarithms(eps: float) -> None:
    law = HenighanOptimalSize(beta=0.7)
    slope = jax.grad(lambda x: jnp.log(law(jnp.exp(x))))(jnp.asarray(48.0))
    np.testing.assert_allclose(slope, 0.7, rtol=16 * eps * 48)
    # D ~ N^0.43 at beta = 0.7; the paper rounds to N^0.4.
    np.testing.assert_allclose(law.data_exponent, 3 / 7, rtol=4 * eps)


def test_every_domain_with_a_law_of_compute_has_an_optimal_size() -> None:
    assert set(HenighanC.published) | {"henighan2020_language"} == set(HenighanOptimalSize.published)
