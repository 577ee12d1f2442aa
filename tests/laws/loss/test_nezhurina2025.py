"""Nezhurina: the printed unit, the crossing and its derivative, the way back from an error to compute."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from jaxscale.core.law import from_published
from jaxscale.laws.loss.nezhurina2025 import SaturatingCompute

# A, ln B, a, E with C in GFLOP, as printed.
PRINTED = {
    "clip_imagenet": (57.862, 18.391, 0.2266, 0.1112),
    "mammut_imagenet": (125.357, 19.289, 0.2557, 0.1011),
    "clip_imagenet_r": (68.06, 18.541, 0.2284, 0.0),
    "mammut_imagenet_r": (76.14, 18.500, 0.2312, 0.0003),
}


def printed(name: str, gflop: float) -> float:
    A, log_B, a, E = PRINTED[name]
    return A * (gflop + np.exp(log_B)) ** -a + E


@pytest.mark.parametrize("name", PRINTED)
def test_converted_sets_are_the_printed_curves(name: str, eps: float) -> None:
    law = from_published(SaturatingCompute, name)
    for gflop in (1e7, 3e9, 1e12):
        np.testing.assert_allclose(float(law(jnp.asarray(gflop * 1e9))), printed(name, gflop), rtol=64 * eps)


@pytest.mark.x64
def test_crossing_on_imagenet_is_the_root_that_scipy_finds() -> None:
    clip, mammut = (from_published(SaturatingCompute, name) for name in ("clip_imagenet", "mammut_imagenet"))
    expected = brentq(
        lambda gflop: printed("clip_imagenet", gflop) - printed("mammut_imagenet", gflop), 1e9, 1e13, rtol=1e-14
    )
    assert expected == pytest.approx(6.487e10, abs=0.0005e10)
    got = clip.crossing(mammut, jnp.asarray(1e18), jnp.asarray(1e22))
    assert float(got) == pytest.approx(1e9 * expected, rel=1e-8)


def test_no_crossing_is_not_a_number() -> None:
    """MaMMUT stays ahead on ImageNet beyond the crossing; on ImageNet-R these tables keep CLIP ahead throughout."""
    ahead = {"imagenet": (1e21, 1e23), "imagenet_r": (5e15, 3e21)}
    for test_set, ends in ahead.items():
        clip, mammut = (from_published(SaturatingCompute, f"{name}_{test_set}") for name in ("clip", "mammut"))
        assert np.isnan(float(clip.crossing(mammut, *map(jnp.asarray, ends))))
        assert all(
            (float(clip(jnp.asarray(C))) > float(mammut(jnp.asarray(C)))) == (test_set == "imagenet") for C in ends
        )


@pytest.mark.x64
@pytest.mark.parametrize("name", ["A", "B", "a", "E"])
def test_derivative_of_the_crossing(name: str) -> None:
    clip, mammut = (from_published(SaturatingCompute, n) for n in ("clip_imagenet", "mammut_imagenet"))
    ends = jnp.asarray(1e18), jnp.asarray(1e22)

    def crossing(log_p: jax.Array) -> jax.Array:
        return jnp.log(clip.replace(**{name: jnp.exp(log_p)}).crossing(mammut, *ends))

    at, step = jnp.log(getattr(clip, name)), 1e-5
    finite = (crossing(at + step) - crossing(at - step)) / (2 * step)
    np.testing.assert_allclose(float(jax.grad(crossing)(at)), float(finite), rtol=1e-4)


def test_compute_for_undoes_the_law(eps: float) -> None:
    law = from_published(SaturatingCompute, "mammut_imagenet")
    C = jnp.asarray(3e20)
    # An error of y by eps y moves C by eps y / |dy/dlog C|.
    slope = abs(float(jax.grad(lambda log_C: law(jnp.exp(log_C)))(jnp.log(C))))
    np.testing.assert_allclose(float(law.compute_for(law(C))), 3e20, rtol=64 * eps / slope)


def test_no_compute_reaches_the_floor_or_worse_than_untrained() -> None:
    law = SaturatingCompute()
    untrained = float(law.A * law.B**-law.a + law.E)
    for error in (0.9 * float(law.E), 1.01 * untrained):
        assert np.isnan(float(law.compute_for(jnp.asarray(error))))
