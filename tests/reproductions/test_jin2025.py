"""Jin et al. 2025: one law for dense and pruned models in their average size, on a simulated design.

Neither runs nor coefficients were published, so this is recovery: the paper's sizes (58M to 468M), up to 20 times the
20 tokens per parameter of Hoffmann et al. 2022, sparsities to 80 %, pruned from 25 % to 75 % of compute, losses from
`AverageSize` at its default with 0.3 % noise. It shows that such a design tells the average from the final size.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.evaluate import predict
from jaxscale.core.law import AbstractLaw
from jaxscale.core.runs import Runs
from jaxscale.infer.fit.fit import fit
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.laws.loss.jin2025 import AverageSize
from jaxscale.objectives.penalty import log_huber

NOISE = 0.003


def simulated() -> Runs:
    grid = np.meshgrid(np.geomspace(58e6, 468e6, 5), [1.0, 5.0, 20.0], [0.0, 0.2, 0.4, 0.6, 0.8])
    N, multiple, s = (x.reshape(-1) for x in grid)
    truth = AverageSize()
    t0, t1 = jax.vmap(truth.token_shares, in_axes=(0, None, None))(jnp.asarray(s), jnp.asarray(0.25), jnp.asarray(0.75))
    runs = Runs.of({"N": N, "D": 20 * N * multiple, "s": s, "t0": t0, "t1": t1}, np.ones(N.size))
    noise = np.random.default_rng(0).normal(0, NOISE, N.size)
    return Runs.of(runs.inputs, np.asarray(predict(truth, runs)) * np.exp(noise))


def spread(law: AbstractLaw, runs: Runs) -> float:
    """Root mean square error of the fitted law, relative."""
    fitted = fit(law, runs, log_huber(NOISE))
    return float(np.sqrt(np.mean(np.square(np.log(predict(fitted.law, runs)) - np.log(runs.target)))))


@pytest.mark.x64
@pytest.mark.slow
def test_only_the_average_size_leaves_noise_alone(beside: Callable[[str, object, object], None]) -> None:
    runs = simulated()
    dense = {"N": runs.inputs["N"], "D": runs.inputs["D"]}
    final = {**dense, "N": dense["N"] * (1 - runs.inputs["s"])}
    errors = {
        "average": spread(AverageSize(), runs),
        "final": spread(Chinchilla(), Runs.of(final, runs.target)),
        "dense": spread(Chinchilla(), Runs.of(dense, runs.target)),
    }
    for which, error in errors.items():
        beside(f"error by {which} size, % (simulated)", f"{100 * error:.2f}", "none printed")
    # Five parameters take 1/sqrt(1 - 5/75) of the noise; 75 draws know it to 1/sqrt(150).
    assert errors["average"] == pytest.approx(NOISE, rel=3 / np.sqrt(150))
    assert min(errors["final"], errors["dense"]) > 3 * errors["average"]
