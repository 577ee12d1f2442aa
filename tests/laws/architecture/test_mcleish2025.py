"""WidthDepthSize and WidthDepth: nested forms, and the limits of each term."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.law import from_published
from jaxscale.laws.architecture.mcleish2025 import WidthDepth, WidthDepthSize
from jaxscale.laws.loss.hoffmann2022 import Chinchilla

# A shape of the paper: width 1024, depth 28.
SHAPE = {"w": 1024.0, "l": 28.0, "N": 543482880.0, "D": 1.0003415040e10}


def at(names: str) -> dict[str, jax.Array]:
    return {name: jnp.asarray(SHAPE[name]) for name in names}


def test_without_the_size_it_is_the_small_form(eps: float) -> None:
    small = WidthDepth()
    kept = {name: getattr(small, name) for name in ("E", "A_w", "A_l", "A_D", "alpha_w", "alpha_l", "alpha_D")}
    large = WidthDepthSize(**kept, A_N=1e-30)
    np.testing.assert_allclose(large(**at("wlND")), small(**at("wlD")), rtol=8 * eps * np.log(1e10))


def test_without_a_shape_it_is_chinchilla(eps: float) -> None:
    law = WidthDepthSize(A_w=1e-30, A_l=1e-30)
    plain = Chinchilla(E=law.E, A=law.A_N, B=law.A_D, alpha=law.alpha_N, beta=law.alpha_D)
    np.testing.assert_allclose(law(**at("wlND")), plain(**at("ND")), rtol=8 * eps * np.log(1e10))


@pytest.mark.parametrize("name", WidthDepthSize.published)
def test_published_law_at_a_shape_of_the_paper(name: str) -> None:
    """Its loss at 10B tokens is 3.1010556; the published fits err by .022 and .027 nats in the root mean square."""
    loss = float(from_published(WidthDepthSize, name)(**at("wlND")))
    assert abs(loss - 3.1010556) < 3 * 0.027


def test_elasticities_are_the_shares_times_the_exponents(eps: float) -> None:
    law = WidthDepthSize()
    got = jax.grad(lambda x: law(**x))(at("wlND"))
    for name, x in SHAPE.items():
        A, alpha = (float(getattr(law, f"{part}_{name}")) for part in ("A", "alpha"))
        np.testing.assert_allclose(x * float(got[name]), -alpha * A * x**-alpha, rtol=32 * eps * np.log(x))
