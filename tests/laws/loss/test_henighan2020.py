"""Henighan: Table 1 holds together across its own units."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.law import from_published
from jaxscale.laws.loss.henighan2020 import HenighanC, HenighanD, HenighanN


def test_floor_per_token_agrees_with_the_floor_per_image() -> None:
    # An 8x8 image has 192 tokens; the paper's table 3 prints 602 nats per image, table 1 rounds to 0.005.
    law = from_published(HenighanC, "henighan2020_image_8x8")
    assert abs(192 * float(law.Linf) - 602) < 192 * 0.005 + 0.5


@pytest.mark.parametrize("name", HenighanC.published)
def test_compute_for_a_reducible_loss_inverts_the_law(name: str, eps: float) -> None:
    law = from_published(HenighanC, name)
    x0, alpha = float(law.x0), float(law.alpha)
    C = x0 * 0.3 ** (-1 / alpha)
    reducible = float(law(jnp.asarray(C)) - law.Linf)
    # The floor is subtracted again: rounding of the sum, relative to the 0.3 that is left.
    np.testing.assert_allclose(reducible, 0.3, rtol=8 * eps * (np.log(C) + float(law.Linf) / 0.3))


def test_the_same_domains_are_published_for_size_and_compute() -> None:
    assert set(HenighanN.published) == set(HenighanC.published)
    assert not HenighanD.published


def test_every_floor_is_positive() -> None:
    # Domains without floor live on KaplanN and KaplanC.
    for law_class in (HenighanN, HenighanC):
        assert all(published.values["Linf"] > 0 for published in law_class.published.values())
