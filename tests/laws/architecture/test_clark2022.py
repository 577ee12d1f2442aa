"""RoutedLM: the printed base-10 formula, dense equivalents against a root finder, and the cut-off."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from jaxscale.core.law import from_published
from jaxscale.laws.architecture.clark2022 import RoutedLM

RNG = np.random.default_rng(0)
ROUTERS = ("s_base_refit", "rl_r_refit", "hash_refit")


def printed(N: float, E: float, *, a: float, b: float, c: float, d: float, E_s: float, E_m: float) -> float:
    """log10 of the loss, as the paper writes it."""
    e = np.log10(1 / (1 / (E - 1 + 1 / (1 / E_s - 1 / E_m)) + 1 / E_m))
    return a * np.log10(N) + b * e + c * np.log10(N) * e + d


@pytest.mark.parametrize("name", RoutedLM.published)
def test_equals_the_printed_formula(name: str, agree: Callable[..., None]) -> None:
    N, E = 10 ** RNG.uniform(6, 13, 200), 10 ** RNG.uniform(0, 3.5, 200)
    agree(
        from_published(RoutedLM, name), {"N": N, "E": E}, 10 ** printed(N, E, **dict(RoutedLM.published[name].values))
    )


def test_experts_saturate(eps: float) -> None:
    law = RoutedLM()
    np.testing.assert_allclose(law.effective_experts(jnp.asarray(1.0)), law.E_s, rtol=32 * eps)
    np.testing.assert_allclose(law.effective_experts(jnp.asarray(1e30)), law.E_m, rtol=32 * eps)


@pytest.mark.parametrize("name", ROUTERS)
@pytest.mark.parametrize(("N", "E"), [(2.5e7, 512.0), (3.7e8, 64.0), (1e12, 128.0)])
def test_dense_equivalent(name: str, N: float, E: float, eps: float) -> None:
    values = dict(RoutedLM.published[name].values)
    root = brentq(lambda n: printed(10**n, 1.0, **values) - printed(N, E, **values), 3, 16, xtol=1e-12)
    got = from_published(RoutedLM, name).effective_parameters(jnp.asarray(N), jnp.asarray(E))
    # log N (30 at most) is divided by a slope of .08 after the two have been multiplied.
    np.testing.assert_allclose(got, 10**root, rtol=1e-10 + 32 * eps * 30)


@pytest.mark.parametrize("name", ROUTERS)
def test_routing_helps_below_the_cutoff_only(name: str) -> None:
    values = dict(RoutedLM.published[name].values)
    cutoff = float(from_published(RoutedLM, name).cutoff())
    gain = [printed(k * cutoff, 64.0, **values) - printed(k * cutoff, 1.0, **values) for k in (0.1, 1.0, 10.0)]
    assert gain[0] < 0 < gain[2]
    # c log10(N) cancels b; in float32 log N, of size 27, carries a few roundings of c times log10 64.
    assert abs(gain[1]) < 1e-6


def test_printed_coefficients_misplace_the_cutoff() -> None:
    """RL-R: 10^(.126/.012) = 3.2e10 from the printed digits, 8.5e10 in the paper, 9.7e10 refitted."""
    assert float(from_published(RoutedLM, "rl_r").cutoff()) == pytest.approx(10**10.5, rel=1e-4)
    assert float(from_published(RoutedLM, "rl_r_refit").cutoff()) == pytest.approx(9.714e10, rel=1e-3)
