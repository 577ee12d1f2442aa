"""Derivatives through a fit and a plan, against finite differences of complete refits."""

from collections.abc import Callable
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale import Runs, allocate, fit, load, signature
from jaxscale.core.evaluate import predict
from jaxscale.laws.loss.hoffmann2022 import Chinchilla

pytestmark = pytest.mark.x64


@pytest.fixture(scope="module")
def runs(data_dir: Path) -> Runs:
    return load("chinchilla_besiroglu", where="excluded_in_paper == 0").runs(signature(Chinchilla()))


def central(function: Callable[[jax.Array], jax.Array], x: jax.Array, step: float) -> float:
    return float((function(x + step) - function(x - step)) / (2 * step))


def test_optimal_size_with_respect_to_one_loss(runs: Runs) -> None:
    fitted = fit(Chinchilla(), runs)
    residual = np.asarray(jnp.log(predict(fitted.law, runs)) - jnp.log(runs.target))
    # Huber's penalty is linear beyond delta: only runs inside it pull in proportion.
    inside = np.flatnonzero(np.abs(residual) < 0.8e-3)
    for row in inside[[0, len(inside) // 2]]:

        def size(loss: jax.Array, row: int = int(row)) -> jax.Array:
            moved = eqx.tree_at(lambda r: r.target, runs, runs.target.at[row].set(loss))
            return allocate(fit(Chinchilla(), moved).law, 1e24).N

        loss = runs.target[row]
        assert float(jax.grad(size)(loss)) == pytest.approx(central(size, loss, 1e-5 * float(loss)), rel=1e-5)


def test_a_run_beyond_the_huber_width_has_no_pull(runs: Runs) -> None:
    fitted = fit(Chinchilla(), runs)
    residual = jnp.abs(jnp.log(predict(fitted.law, runs)) - jnp.log(runs.target))
    row = int(jnp.argmax(residual))

    def exponent(loss: jax.Array) -> jax.Array:
        return fit(Chinchilla(), eqx.tree_at(lambda r: r.target, runs, runs.target.at[row].set(loss))).law.alpha

    assert float(jax.grad(exponent)(runs.target[row])) == 0.0


def test_with_respect_to_a_weight(runs: Runs) -> None:
    def exponent(weight: jax.Array) -> jax.Array:
        return fit(Chinchilla(), eqx.tree_at(lambda r: r.weight, runs, runs.weight.at[7].set(weight))).law.beta

    one = jnp.asarray(1.0)
    assert float(jax.grad(exponent)(one)) == pytest.approx(central(exponent, one, 1e-3), rel=1e-5)


def test_with_respect_to_a_fixed_value(runs: Runs) -> None:
    def beta(alpha: jax.Array) -> jax.Array:
        return fit(Chinchilla(), runs, fixed={"alpha": alpha}).law.beta

    alpha = jnp.asarray(0.34)
    assert float(jax.grad(beta)(alpha)) == pytest.approx(central(beta, alpha, 1e-6), rel=1e-5)
