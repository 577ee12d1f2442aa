"""Dollar et al.: the exponents exactly, FLOP kept, order of the rules by activations."""

from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.law import from_published
from jaxscale.laws.architecture.dollar2021 import CompoundScaling

# Depth, width, resolution and activations as powers of s, in exact fractions.
EXPONENTS = {
    "fast": (Fraction(1, 10), Fraction(4, 10), Fraction(1, 20), Fraction(6, 10)),
    "uniform": (Fraction(1, 3), Fraction(1, 6), Fraction(1, 6), Fraction(5, 6)),
    "depth": (Fraction(1), Fraction(0), Fraction(0), Fraction(1)),
    "width": (Fraction(0), Fraction(1, 2), Fraction(0), Fraction(1, 2)),
}


@pytest.mark.parametrize("name", EXPONENTS)
def test_exponents(name: str, eps: float) -> None:
    law = from_published(CompoundScaling, name, a_1=1e7)
    *shape, activations = (float(fraction) for fraction in EXPONENTS[name])
    np.testing.assert_allclose([float(x) for x in law.exponents()], shape, rtol=eps)
    growth = float(jnp.log(law(jnp.asarray(100.0)) / law.a_1) / jnp.log(jnp.asarray(100.0)))
    assert growth == pytest.approx(activations, rel=16 * eps)


@pytest.mark.parametrize("name", EXPONENTS)
def test_flop_and_activations_follow_from_the_factors(name: str, eps: float) -> None:
    law, s = from_published(CompoundScaling, name, a_1=3e6), jnp.asarray(20.0)
    d, w, r = (float(x) for x in law.factors(s))
    assert d * w**2 * r**2 == pytest.approx(20, rel=16 * eps)
    assert float(law.a_1) * d * w * r**2 == pytest.approx(float(law(s)), rel=16 * eps)


def test_fast_scaling_lies_between_width_alone_and_uniform() -> None:
    s = jnp.asarray(64.0)
    by_rule = {name: float(from_published(CompoundScaling, name, a_1=1.0)(s)) for name in EXPONENTS}
    # 64^(1/2) and 64^(5/6).
    assert (by_rule["width"], by_rule["uniform"]) == pytest.approx((8.0, 32.0), rel=1e-5)
    assert by_rule["width"] < by_rule["fast"] < by_rule["uniform"] < by_rule["depth"]
