"""CompressedTraining: its inverse, composition, full precision as Chinchilla, an ideal code's capacity."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.law import from_published
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.laws.precision.gaussian_mse import rate_distortion
from jaxscale.laws.precision.panferov2025 import CompressedTraining


def numbers(*values: float):
    return tuple(jnp.asarray(value, dtype=float) for value in values)


@pytest.mark.parametrize("name", CompressedTraining.published)
def test_an_ideal_code_has_the_capacity_of_its_bits(name: str, eps: float) -> None:
    """For the error 4^-bits the logarithm is the bits."""
    law = from_published(CompressedTraining, name)
    v = {k: float(x) for k, x in law.published[name].values.items()}
    for bits in (1.0, 2.5, 6.0):
        want = v["L_r"] * np.tanh(v["F"] * bits) ** v["C_r"]
        assert float(law.capacity(rate_distortion(*numbers(bits)))) == pytest.approx(want, rel=32 * eps)


@pytest.mark.parametrize("name", CompressedTraining.published)
def test_the_paper_s_sets_give_no_loss(name: str) -> None:
    """A and B were not published: a loss needs them from somebody."""
    N, D, gmse = numbers(1e9, 1e11, 0.0115)
    assert np.isnan(float(from_published(CompressedTraining, name)(N, D, gmse)))
    assert np.isfinite(float(from_published(CompressedTraining, name, A=30.0, B=300.0)(N, D, gmse)))


def test_error_for_inverts_capacity() -> None:
    law, (rho,) = CompressedTraining(), numbers(0.7)
    eps = float(jnp.finfo(rho.dtype).eps)
    assert float(law.capacity(law.error_for(rho))) == pytest.approx(0.7, rel=64 * eps)


def test_compressions_compose_by_size(eps: float) -> None:
    """Activations in one format and weights in another: N times one capacity, with the error of the other."""
    law, (N, D, g, h) = CompressedTraining(), numbers(1e9, 1e11, 0.0115, 0.0374)
    twice = law(N * law.capacity(g), D, h)
    plain = Chinchilla(E=law.E, A=law.A, B=law.B, alpha=law.alpha, beta=law.beta)
    assert float(twice) == pytest.approx(float(plain(N * law.capacity(g) * law.capacity(h), D)), rel=32 * eps)
    # 30 ideal bits: tanh(11) is one to 2e-10.
    assert float(law(N, D, *numbers(4.0**-30))) == pytest.approx(float(plain(N, D)), rel=1e-9 + 32 * eps)


def test_worth_of_a_bit() -> None:
    law, (g, bits) = CompressedTraining(), numbers(0.0115, 4.0)
    assert float(law.params_per_bit(g, bits) * bits) == pytest.approx(float(law.capacity(g)), rel=1e-6)
