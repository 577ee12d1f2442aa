"""Nested holds the laws of Hoffmann and Kaplan inside it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.law import from_published
from jaxscale.core.parametric import values
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.laws.loss.kaplan2020 import KaplanND
from jaxscale.laws.loss.videau2026 import Nested

N, D, C = 3e9, 7e10, 1e22


@pytest.mark.parametrize("name", Chinchilla.published)
def test_k_of_one_is_chinchilla(name: str, eps: float) -> None:
    outer = from_published(Chinchilla, name)
    inner = Nested(**values(outer), k=1.0)
    # Exponents times log N are rounded on both sides.
    rtol = 8 * eps * np.log(D)
    np.testing.assert_allclose(inner(jnp.asarray(N), jnp.asarray(D)), outer(jnp.asarray(N), jnp.asarray(D)), rtol=rtol)


def test_without_floor_it_is_kaplan(eps: float) -> None:
    kaplan = KaplanND()
    Nc, Dc, a_N, a_D = (float(v) for v in values(kaplan).values())
    ratio = a_N / a_D
    # E = 0 is outside the support; the smallest normal number is a floor that rounding removes.
    law = Nested(E=float(jnp.finfo(jnp.float32).tiny), A=Nc**ratio, B=Dc, alpha=ratio, beta=1.0, k=a_D)
    got, want = (f(jnp.asarray(N), jnp.asarray(D)) for f in (law, kaplan))
    np.testing.assert_allclose(got, want, rtol=8 * eps * np.log(Dc))


@pytest.mark.parametrize(("k", "sign"), [(0.5, -1), (1.5, 1)])
def test_cross_derivative_has_the_sign_of_k_minus_one(k: float, sign: int) -> None:
    law = Nested(k=k)
    cross = jax.grad(jax.grad(lambda n, d: law(jnp.exp(n), jnp.exp(d)), argnums=0), argnums=1)
    assert np.sign(float(cross(jnp.asarray(np.log(N)), jnp.asarray(np.log(D))))) == sign


@pytest.mark.parametrize("k", [0.3, 1.0])
def test_k_does_not_move_the_optimum(k: float, eps: float) -> None:
    law = Nested(k=k)
    got_N, got_D = law.compute_optimal(jnp.asarray(C))
    want_N, want_D = from_published(Chinchilla, "hoffmann2022_rounded").compute_optimal(jnp.asarray(C))
    np.testing.assert_allclose([got_N, got_D], [want_N, want_D], rtol=8 * eps * np.log(C))
    by_N, by_D = jax.grad(lambda N, D: law(N, D), argnums=(0, 1))(got_N, got_D)
    np.testing.assert_allclose(float(got_N * by_N), float(got_D * by_D), rtol=8 * eps * np.log(C))
