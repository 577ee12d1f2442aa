"""Henighan's images: the power of x0 holds, per image and per token, and the gain of an image is bounded."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.law import from_published
from jaxscale.laws.loss.henighan2020_image import HenighanImage, InformationGain

# Printed x0 in petaflop-days and alpha.
PRINTED = {
    "image_8x8": (1.9e3, 0.19),
    "image_16x16": (1.7e10, 0.16),
    "image_32x32": (2.7e26, 0.10),
    "image_vq_16x16": (4.7e15, 0.11),
    "image_vq_32x32": (3.1e19, 0.12),
}


@pytest.mark.parametrize("name", PRINTED)
def test_one_petaflop_day_leaves_the_power_of_the_printed_constant(name: str, eps: float) -> None:
    pfd, alpha = PRINTED[name]
    law = from_published(HenighanImage, f"henighan2020_{name}")
    for C in (1.0, 1e-3):
        reducible = float(law(jnp.asarray(C * 8.64e19)) - law.Linf)
        # Subtracting the entropy leaves its rounding.
        slack = 16 * eps * float(law.Linf) / reducible
        np.testing.assert_allclose(reducible, (pfd / C) ** alpha, rtol=slack)


def test_compute_to_within_inverts_the_law() -> None:
    law = HenighanImage()
    C = law.compute_to_within(jnp.asarray(20.0))
    # 2046 - 2026 in float32 keeps five digits.
    np.testing.assert_allclose(law(C) - law.Linf, 20.0, rtol=2e-4)


def test_an_image_tells_at_most_everything() -> None:
    law = InformationGain(lam=0.05, Nc=1e6)
    largest = jnp.exp(law.log_largest())
    np.testing.assert_allclose(law(largest), 1.0, rtol=1e-5)
    np.testing.assert_allclose(largest, 1e6 * np.exp(20.0), rtol=1e-4)
    assert float(law(jnp.asarray(1e5))) < 0
