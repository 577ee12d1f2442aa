"""Inbar and Sernau: memory copies product by product, wide before deep at equal size, the best width."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.laws.loss.inbar2024 import StepTime, TimeBudget


def test_copies_are_the_sum_over_matrix_products(eps: float) -> None:
    """Every product of one step as (rows, inputs, outputs), written out."""
    d, k, b, n, head, V, f = 512, 6, 8192, 1024, 64, 32000, 3
    layer = [(b, d, 3 * d), (b, d, d), (b, d, f * d), (b, f * d, d)]
    products = k * layer + [(b, d, V)]
    entries = sum(rows * i + i * o + rows * o for rows, i, o in products)
    # Per head and sequence: scores read two n x d_h and write n x n; sums over values read n x n and pass two n x d_h.
    entries += k * (b // n) * (d // head) * 2 * (2 * n * head + n * n)
    law = StepTime(f=f, n=n, d_h=head, V=V)
    got = law.copies(*(jnp.asarray(float(x)) for x in (d, k, b)))
    np.testing.assert_allclose(float(got), 3 * entries, rtol=16 * eps)


def test_the_wider_of_two_equal_models_is_faster_and_better(eps: float) -> None:
    step, law = StepTime(), TimeBudget()
    b, T = jnp.asarray(2.0**17), jnp.asarray(1e6)
    deep, wide = jnp.asarray(1024.0), jnp.asarray(2048.0)
    layers = jnp.asarray(32.0)
    # 12 d^2 a layer and V d for the embedding: layers of the wider model that give it the same size.
    fewer = (step.params(deep, layers) - 50304 * wide) / (12 * wide**2)
    np.testing.assert_allclose(float(step.params(wide, fewer)), float(step.params(deep, layers)), rtol=8 * eps)
    assert float(step(wide, fewer, b)) < 0.75 * float(step(deep, layers, b))
    assert float(law.of_shape(step, wide, fewer, b, T)) < float(law.of_shape(step, deep, layers, b, T))


def test_time_buys_tokens(eps: float) -> None:
    """T seconds in steps of t are T b / t tokens: the law of Hoffmann et al. at these."""
    law = TimeBudget()
    other = Chinchilla(*(getattr(law, name) for name in ("E", "A", "B", "alpha", "beta")))
    N, T, b, t = (jnp.asarray(x) for x in (1e9, 1e6, 2.0**17, 0.5))
    np.testing.assert_allclose(float(law(N, T, b, t)), float(other(N, T * b / t)), rtol=16 * eps)


@pytest.mark.x64
@pytest.mark.parametrize("T", [1e4, 1e6, 1e8])
def test_best_width_is_the_minimum_that_scipy_finds(T: float) -> None:
    step, law = StepTime(), TimeBudget()
    k, b = jnp.asarray(12.0), jnp.asarray(2.0**17)

    def loss(log_d: float) -> float:
        return float(law.of_shape(step, jnp.exp(jnp.asarray(log_d)), k, b, jnp.asarray(T)))

    found = minimize_scalar(loss, bounds=(np.log(16), np.log(1e6)), method="bounded", options={"xatol": 1e-9})
    # A minimum is found to the root of the rounding of its value.
    assert float(law.best_width(step, k, b, jnp.asarray(T))) == pytest.approx(np.exp(found.x), rel=1e-6)


def test_no_best_width_within_is_not_a_number() -> None:
    k, b, T = (jnp.asarray(x) for x in (12.0, 2.0**17, 1e8))
    assert np.isnan(float(TimeBudget().best_width(StepTime(), k, b, T, within=(16.0, 32.0))))
