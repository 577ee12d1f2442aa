"""The curved chart against its definition: a bijection of volume one that straightens what it says it straightens."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

from jaxscale.solve.chart import Chart, whitener
from jaxscale.solve.curved import CurvedChart, curved
from jaxscale.solve.problem import AbstractProblem, Vector

P = 4


class Potential(AbstractProblem):
    """A value given outright."""

    function: Callable[[Vector], Float[Array, ""]]

    def value(self, z: Vector, context: Any = None) -> Float[Array, ""]:
        return self.function(z) if context is None else context * self.function(z)

    def outputs(self, z: Vector, context: Any = None) -> Float[Array, "n k"]:
        return self.value(z, context)[None, None]

    def weights(self, context: Any = None) -> Float[Array, " n"]:
        return jnp.ones(1)

    def penalty(self, u: Float[Array, " k"]) -> Float[Array, ""]:
        return u[0]

    def majoriser(self, u: Float[Array, " k"]) -> Float[Array, "k k"]:
        return jnp.zeros((1, 1))

    def resolution(self) -> Float[Array, ""]:
        return jnp.zeros(())


def affine(p: int = P) -> Chart:
    """A chart that scales, mixes and shifts."""
    rng = np.random.default_rng(2)
    scale = rng.standard_normal((p, p)) + 3 * np.eye(p)
    return Chart(jnp.asarray(rng.standard_normal(p), float), jnp.asarray(scale, float))


def in_whitened(function: Callable[[Vector], Float[Array, ""]], chart: Chart) -> Potential:
    """The potential that is `function` of the affine chart's coordinates."""
    back = jnp.linalg.inv(chart.scale)
    return Potential(lambda z: function(jnp.matmul(back, z - chart.centre, precision=jax.lax.Precision.HIGHEST)))


def cubic() -> np.ndarray:
    """A symmetric third derivative of order one."""
    t = np.random.default_rng(3).standard_normal((P, P, P))
    return (
        sum(np.transpose(t, order) for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))) / 6
    )


def polynomial(w: Vector) -> Float[Array, ""]:
    """A round quadratic, all cubic terms, and a quartic one that no chart of second order removes."""
    high = jax.lax.Precision.HIGHEST
    t = jnp.asarray(cubic(), w.dtype)
    return 0.5 * jnp.sum(w**2) + jnp.einsum("kij,k,i,j->", t, w, w, w, precision=high) / 6 + 0.1 * jnp.sum(w**4)


@pytest.fixture(scope="module")
def bent() -> CurvedChart:
    chart = affine()
    return jax.jit(lambda: curved(in_whitened(polynomial, chart), chart))()


def points(n: int = 50) -> np.ndarray:
    return 2 * np.random.default_rng(4).standard_normal((n, P))


def before() -> np.ndarray:
    """Where both i and j come before k."""
    k = np.arange(P)
    return (k[None, :, None] < k[:, None, None]) & (k[None, None, :] < k[:, None, None])


def test_the_bend_is_the_third_derivative(bent: CurvedChart, eps: float) -> None:
    # Twice through an inverse of condition ten, three times over.
    np.testing.assert_allclose(bent.bend, np.where(before(), cubic(), 0), atol=1e3 * eps)


def test_there_and_back(bent: CurvedChart, eps: float) -> None:
    w = points()
    z = jax.vmap(bent)(jnp.asarray(w, float))
    # A bend of order one of coordinates up to six; three levels of squares multiply the rounding by their slopes.
    np.testing.assert_allclose(bent.inverse(z), w, atol=1e4 * eps)
    np.testing.assert_allclose(bent.inverse(np.asarray(z)[7]), w[7], atol=1e4 * eps)
    np.testing.assert_array_equal(bent(jnp.zeros(P)), bent.chart.centre)


def test_volume_is_that_of_the_affine_chart(bent: CurvedChart, eps: float) -> None:
    jacobian = jax.vmap(jax.jacfwd(bent))(jnp.asarray(points(), float))
    _, found = np.linalg.slogdet(np.asarray(jacobian, np.float64))
    _, plain = np.linalg.slogdet(np.asarray(bent.chart.scale, np.float64))
    np.testing.assert_allclose(found, plain, atol=1e4 * eps)


def test_cubic_terms_of_a_follower_vanish_and_the_others_stay(bent: CurvedChart, eps: float) -> None:
    potential = in_whitened(polynomial, bent.chart)
    third = np.asarray(jax.jit(jax.jacfwd(jax.hessian(lambda w: potential.value(bent(w)))))(jnp.zeros(P)))
    follows = before() | before().transpose(1, 0, 2) | before().transpose(1, 2, 0)  # any index above both others
    np.testing.assert_allclose(third, np.where(follows, 0, cubic()), atol=1e3 * eps)
    # The quadratic part is untouched: the mode and its curvature stay where they were.
    at = jax.jit(jax.hessian(lambda w: potential.value(bent(w))))(jnp.zeros(P))
    np.testing.assert_allclose(at, np.eye(P), atol=1e3 * eps)


def test_a_banana_becomes_round(eps: float) -> None:
    """Strong directions that follow the square of the weakest: exactly Gaussian afterwards."""
    sizes, bends = jnp.asarray([5.0, 1.0, 0.2]), jnp.asarray([0.0, 0.7, -1.3])

    def banana(z: Vector) -> Float[Array, ""]:
        return 0.5 * jnp.sum(((z - bends * (z[0] / sizes[0]) ** 2) / sizes) ** 2)

    chart = Chart(jnp.zeros(3), jnp.diag(sizes))
    w = jnp.asarray(points()[:, :3], float)

    @jax.jit
    def straightened(w: Array) -> Array:
        found = curved(Potential(banana), chart)
        return jax.vmap(lambda w: banana(found(w)))(w)

    value = straightened(w)
    size = np.sum(np.asarray(w, np.float64) ** 2, axis=1)
    np.testing.assert_allclose(value, 0.5 * size, rtol=0, atol=float(1e3 * eps * np.max(size)))


def test_directions_come_from_weakest_to_strongest() -> None:
    """The order in which `whitener` gives them, on which the bend relies."""
    h = np.random.default_rng(0).standard_normal((P + 3, P)) * np.logspace(-3, 3, P)
    h = h.T @ h
    unit = np.sqrt(np.diag(h))
    lengths = np.linalg.norm(whitener(h) * unit[:, None], axis=0)
    np.testing.assert_allclose(lengths, np.linalg.eigvalsh(h / np.outer(unit, unit)) ** -0.5, rtol=1e-5)
    assert np.all(np.diff(lengths) < 0)


def test_stays_affine_beyond_a_few_dozen_parameters() -> None:
    def last_bend(p: int) -> float:
        chart = Chart(jnp.zeros(p), jnp.eye(p))
        follows = Potential(lambda z: jnp.sum(z**2) + z[-1] * z[0] ** 2)
        return float(jax.jit(lambda: curved(follows, chart).bend)()[-1, 0, 0])

    assert (last_bend(32), last_bend(33)) == (2, 0)


@pytest.mark.parametrize("kink", [lambda z: jnp.abs(z[0]) ** 2.5, lambda z: jnp.log(z[1] ** 2) * z[2] ** 2])
def test_stays_affine_where_derivatives_mean_nothing(kink: Callable[[Vector], Float[Array, ""]]) -> None:
    potential = Potential(lambda z: 0.5 * jnp.sum(z**2) + z[2] * z[0] ** 2 + kink(z))
    assert not np.any(jax.jit(lambda: curved(potential, Chart(jnp.zeros(3), jnp.eye(3))).bend)())


def test_the_context_is_the_lanes_own(eps: float) -> None:
    chart = affine()
    potential = in_whitened(polynomial, chart)
    charts = jax.jit(jax.vmap(lambda weight: curved(potential, chart, weight)))(jnp.asarray([1.0, 3.0]))
    np.testing.assert_allclose(charts.bend[1], 3 * charts.bend[0], atol=1e4 * eps)
