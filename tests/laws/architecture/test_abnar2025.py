"""SparseMoE: the printed formula, and the best sparsity against a numerical minimum."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from jaxscale.laws.architecture.abnar2025 import SparseMoE

RNG = np.random.default_rng(0)
V = dict(SparseMoE.published["abnar2025"].values)


def printed(N: float, D: float, S: float) -> float:
    shared = V["a"] / N ** V["alpha"] + V["b"] / D ** V["beta"] + V["e"]
    return shared + V["c"] / (1 - S) ** V["lambda_"] + V["d"] / ((1 - S) ** V["delta"] * N ** V["gamma"])


def test_equals_the_printed_formula(agree: Callable[..., None]) -> None:
    N, D, S = 10 ** RNG.uniform(7, 12, 200), 10 ** RNG.uniform(9, 13, 200), RNG.uniform(0, 0.98, 200)
    agree(SparseMoE(), {"N": N, "D": D, "S": S}, printed(N, D, S))


@pytest.mark.parametrize("N", [1e10, 1e11, 1e12])
def test_best_sparsity_is_the_minimum(N: float, eps: float) -> None:
    found = minimize_scalar(
        lambda S: printed(N, 1e11, S), bounds=(0.0, 0.999), method="bounded", options={"xatol": 1e-9}
    )
    # The minimiser resolves the root of the rounding of a loss near 2 over its curvature, which exceeds one.
    np.testing.assert_allclose(SparseMoE().best_sparsity(jnp.asarray(N)), found.x, atol=1e-7 + 64 * eps * np.log(N))


def test_small_models_are_best_dense() -> None:
    law = SparseMoE()
    sizes = [1e7, 1e9, 1e10, 1e11, 1e12]
    best = [float(law.best_sparsity(jnp.asarray(N))) for N in sizes]
    assert best[0] == 0
    assert best == sorted(best)
    assert best[-1] > 0.9
