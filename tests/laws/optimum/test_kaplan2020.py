"""Kaplan's critical batch: what it does to steps and compute."""

import jax.numpy as jnp
import numpy as np

from jaxscale.laws.optimum.kaplan2020 import KaplanCriticalBatch


def test_at_the_critical_batch_half_the_steps_and_half_the_compute_would_do(eps: float) -> None:
    law = KaplanCriticalBatch()
    L = jnp.asarray(2.5)
    B = law(L)
    np.testing.assert_allclose(law.adjusted_steps(jnp.asarray(1e5), B, L), 5e4, rtol=4 * eps)
    np.testing.assert_allclose(law.adjusted_compute(jnp.asarray(1e20), B, L), 5e19, rtol=4 * eps)


def test_adjustments_vanish_far_from_the_critical_batch(eps: float) -> None:
    law = KaplanCriticalBatch()
    L = jnp.asarray(2.5)
    far = law(L) / eps * 4
    np.testing.assert_allclose(law.adjusted_steps(jnp.asarray(1e5), far, L), 1e5, rtol=2 * eps)
    np.testing.assert_allclose(law.adjusted_compute(jnp.asarray(1e20), law(L) * eps / 4, L), 1e20, rtol=2 * eps)


def test_adjusted_steps_and_tokens_multiply_to_the_run(eps: float) -> None:
    # S_min = S / (1 + r), E_min = E r / (1 + r) with r = B_crit / B: their quotient is the critical batch.
    law = KaplanCriticalBatch()
    L, S, B = jnp.asarray(3.0), jnp.asarray(2e4), jnp.asarray(3e5)
    steps, tokens = law.adjusted_steps(S, B, L), law.adjusted_compute(S * B, B, L)
    np.testing.assert_allclose(tokens / steps, law(L), rtol=8 * eps)


def test_halving_the_loss_multiplies_the_batch(eps: float) -> None:
    law = KaplanCriticalBatch(alpha_B=0.25)
    np.testing.assert_allclose(law(jnp.asarray(2.0)) / law(jnp.asarray(4.0)), 2**4, rtol=16 * eps)
