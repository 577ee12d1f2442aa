"""The null model: blind to the split of compute."""

import jax.numpy as jnp
import numpy as np

from jaxscale.laws.loss.guo2024 import ComputeOnly


def test_a_decade_of_compute_gains_k(eps: float) -> None:
    law = ComputeOnly(m=3.0, k=0.25)
    gain = law(jnp.asarray(1e20)) - law(jnp.asarray(1e21))
    np.testing.assert_allclose(gain, 0.25, rtol=64 * eps * 3.0 / 0.25)


def test_smallest_model_spends_the_compute_on_all_tokens(eps: float) -> None:
    law = ComputeOnly()
    N = law.smallest(jnp.asarray(6e23), jnp.asarray(1e13))
    np.testing.assert_allclose(N, 1e10, rtol=4 * eps)
