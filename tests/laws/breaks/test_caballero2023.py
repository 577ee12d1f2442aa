"""BrokenPowerLaw: the printed product in float64, slopes between breaks, several breaks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.law import from_published
from jaxscale.core.parametric import declared, values
from jaxscale.laws.breaks.caballero2023 import BrokenPowerLaw
from jaxscale.testing.rounding import rounding


def _as_printed(law: BrokenPowerLaw, x: np.ndarray) -> np.ndarray:
    """The product of the paper in numpy float64."""
    v = {name: np.asarray(value, np.float64) for name, value in values(law).items()}
    factors = (1 + (x[:, None] / v["d"]) ** (1 / v["f"])) ** (-v["c"] * v["f"])
    return v["a"] + v["b"] * x ** -v["c0"] * factors.prod(axis=1)


@pytest.mark.parametrize("name", BrokenPowerLaw.published)
def test_equals_the_printed_product(name: str) -> None:
    law = from_published(BrokenPowerLaw, name)
    x = np.float32(10.0 ** np.linspace(0, 12, 49)).astype(np.float64)  # the same numbers in both precisions
    many = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (49, *leaf.shape)), law)
    bound = rounding(many, {"x": jnp.asarray(x, float)})
    got = jax.vmap(law)(jnp.asarray(x, float))
    assert np.all(np.abs(np.asarray(got, np.float64) - _as_printed(law, x)) <= bound)


def test_exponents_add_up_as_breaks_are_passed() -> None:
    law = BrokenPowerLaw(a=1e-9, b=1e9, c0=0.1, c=(0.2, -0.4), d=(1e4, 1e8), f=(0.1, 0.1))
    slope = jax.grad(lambda t: jnp.log(law(jnp.exp(t)) - law.a))
    for log10_x, exponent in ((1, 0.1), (6, 0.3), (11, -0.1)):
        # Two decades off a break of width 0.1 its factor is a pure power to e^-46.
        np.testing.assert_allclose(float(slope(jnp.asarray(log10_x * np.log(10.0)))), -exponent, rtol=1e-4)


def test_sharp_break_is_finite_where_the_printed_product_overflows() -> None:
    law = BrokenPowerLaw(a=0.1, b=1.0, c0=0.1, c=(0.5,), d=(1.0,), f=(0.01,))
    value, slope = jax.value_and_grad(law)(jnp.asarray(1e20))  # (x/d)^(1/f) is 1e2000
    np.testing.assert_allclose(float(value), 0.1 + 10**-12.0, rtol=1e-4)
    assert np.isfinite(float(slope))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_with_breaks_gives_vectors_inside_their_supports(n: int) -> None:
    law = BrokenPowerLaw.with_breaks(n)
    assert [d.value.shape for d in declared(law)] == [(), (), (), (n,), (n,), (n,)]
    assert all(bool(jnp.all(d.spec.support.contains(d.value))) for d in declared(law))
    # Evenly spread in log x between 1e3 and 1e9: n + 1 equal gaps.
    edges = np.concatenate([[3.0], np.log10(np.asarray(law.d, np.float64)), [9.0]])
    np.testing.assert_allclose(np.diff(edges), 6 / (n + 1), rtol=1e-5)


def test_with_breaks_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="at least one break, got n = 0"):
        BrokenPowerLaw.with_breaks(0)
    with pytest.raises(ValueError, match=r"0 < low < high, got low = 5, high = 2"):
        BrokenPowerLaw.with_breaks(1, low=5.0, high=2.0)
