"""The mixing law: parameters and the best mixture come back from runs. Oracle: the truth, minimised by SciPy."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from jaxscale.core.errors import BadInput
from jaxscale.core.evaluate import predict
from jaxscale.core.runs import Runs
from jaxscale.infer.fit.fit import fit
from jaxscale.laws.mixture.ye2024 import DataMixing

# Three validation domains: each gains most by its own training domain.
FLOORS = (1.2, 2.0, 1.6)
COSTS = np.array([(-1.5, 0.4, 0.3), (0.2, -1.2, 0.5), (0.6, 0.3, -0.9)])
TRUTH = [DataMixing(c=jnp.asarray(c), t=jnp.asarray(t)) for c, t in zip(FLOORS, COSTS, strict=True)]
SHARES = np.random.default_rng(1).dirichlet(np.ones(3), 40)


def mean_loss(laws: list[DataMixing], h: np.ndarray) -> float:
    return float(np.mean([float(law.c) + np.exp(np.asarray(law.t, np.float64) @ h) for law in laws]))


def best(laws: list[DataMixing]) -> np.ndarray:
    """The mixture of least mean loss, in float64 on the host."""
    found = minimize(
        lambda h: mean_loss(laws, h),
        np.full(3, 1 / 3),
        method="SLSQP",
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda h: h.sum() - 1},
        options={"ftol": 1e-14},
    )
    assert found.success
    return found.x


def refitted(noise: float) -> list[DataMixing]:
    rng, start = np.random.default_rng(2), DataMixing(t=jnp.zeros(3))
    runs = [Runs.of({"h": SHARES}, np.ones(40))] * 3
    losses = [
        np.asarray(predict(law, r)) * np.exp(noise * rng.standard_normal(40))
        for law, r in zip(TRUTH, runs, strict=True)
    ]
    return [fit(start, Runs.of({"h": SHARES}, loss)).law for loss in losses]  # pyright: ignore


def test_parameters_and_the_best_mixture_come_back(eps: float) -> None:
    laws = refitted(0.0)
    for law, floor, cost in zip(laws, FLOORS, COSTS, strict=True):
        np.testing.assert_allclose(law.c, floor, rtol=2e4 * eps)
        np.testing.assert_allclose(law.t, cost, rtol=0, atol=2e4 * eps)
    # Where a loss is flat, a mixture is known to the root of what the loss is.
    np.testing.assert_allclose(best(laws), best(TRUTH), atol=1e-4 if eps < 1e-10 else 1e-2)


def test_what_noise_costs_is_of_second_order() -> None:
    """The mean loss is flat at its best mixture, so an error of the mixture costs less than the noise squared."""
    noise = 0.002
    excess = mean_loss(TRUTH, best(refitted(noise))) - mean_loss(TRUTH, best(TRUTH))
    assert 0 <= excess < (noise * mean_loss(TRUTH, best(TRUTH))) ** 2


def test_as_many_domains_as_coefficients() -> None:
    with pytest.raises(
        BadInput, match=r"expected h with the axes runs \(40\), domain \(3\), got an array of .* \(40, 4\)"
    ):
        fit(DataMixing(), Runs.of({"h": np.full((40, 4), 0.25)}, np.ones(40)))
