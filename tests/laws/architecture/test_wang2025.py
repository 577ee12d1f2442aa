"""Wang et al.: only the number of tokens counts, the exponent, the way back to a patch size."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxscale.laws.architecture.wang2025 import PatchSize


def test_only_the_number_of_tokens_counts(eps: float) -> None:
    law = PatchSize()
    p, H = jnp.asarray(4.0), jnp.asarray(64.0)
    np.testing.assert_allclose(float(law(p, H)), float(law(4 * p, 4 * H)), rtol=8 * eps)
    np.testing.assert_allclose(float(law(jnp.asarray(1.0), jnp.asarray(224.0))), 0.1 + 0.3 * 50176**-0.15, rtol=8 * eps)


def test_the_reducible_error_grows_with_patches_by_twice_the_exponent(eps: float) -> None:
    law = PatchSize()
    slope = jax.grad(lambda log_p: jnp.log(law(jnp.exp(log_p), jnp.asarray(224.0)) - law.E))(jnp.log(jnp.asarray(8.0)))
    np.testing.assert_allclose(float(slope), 0.3, rtol=32 * eps)


def test_patch_for_undoes_the_law(eps: float) -> None:
    law, H = PatchSize(), jnp.asarray(224.0)
    error = law(jnp.asarray(5.0), H)
    # The error is .1 above E, divided by twice the exponent.
    np.testing.assert_allclose(float(law.patch_for(error, H)), 5, rtol=16 * eps / 0.3 * float(error / (error - law.E)))
    assert np.isnan(float(law.patch_for(0.9 * law.E, H)))
