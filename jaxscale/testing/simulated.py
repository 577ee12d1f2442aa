"""A study simulated from published coefficients, labelled so everywhere: runs whose truth is known.

Truth: Chinchilla's form with the coefficients of Besiroglu et al. 2024 (arXiv 2404.10102). 120 runs on a grid
of 12 sizes and 10 amounts of data, jittered off any ray; the largest runs, at 30 times the compute, are held
out. Noise: Student-t with 4 degrees of freedom, standard deviation 0.3 % of the loss.
"""

from typing import NamedTuple

import numpy as np

from jaxscale.core.flops import FLOP_PER_PARAM_TOKEN, training_flops
from jaxscale.core.law import from_published
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.studies import Study

TRUTH = "besiroglu2024"
NOISE = 0.003
LABEL = (
    "these runs are drawn at random from the coefficients of Besiroglu et al. 2024 (noise 0.3 %, fixed seed); "
    "no model was trained"
)
_DF = 4
_SEED = 20240415
_FACTOR = 30.0


class Simulated(NamedTuple):
    """`study` is fitted; `heldout` (at 30 times the largest fitted compute) is not; `truth` is what both are from."""

    study: Study
    heldout: Study
    truth: Chinchilla


def simulate() -> Simulated:
    """The same study every time. Losses in nats per token."""
    rng = np.random.default_rng(_SEED)
    truth = from_published(Chinchilla, TRUTH)
    N, D = (axis.reshape(-1) for axis in np.meshgrid(np.geomspace(3e7, 3e9, 12), np.geomspace(8e8, 8e10, 10)))
    N, D = (np.round(x * np.exp(rng.uniform(-0.15, 0.15, x.size)), -5) for x in (N, D))
    budget = _FACTOR * float(np.max(training_flops(N, D)))
    # Sizes around the optimum at that budget: what a planner would consider.
    large = np.round(np.array([0.35, 0.6, 1.0, 1.7]) * np.sqrt(budget / FLOP_PER_PARAM_TOKEN / 20), -7)
    tokens = np.round(budget / FLOP_PER_PARAM_TOKEN / large, -8)
    return Simulated(_study("simulated", truth, N, D, rng), _study("held out", truth, large, tokens, rng), truth)


def _study(name: str, truth: Chinchilla, N: np.ndarray, D: np.ndarray, rng: np.random.Generator) -> Study:
    noise = rng.standard_t(_DF, N.size) * NOISE / np.sqrt(_DF / (_DF - 2))
    return Study.from_arrays(
        f"{name} runs (simulated from {TRUTH} coefficients)",
        {"N": N, "D": D},
        exact(truth, N, D) * np.exp(noise),
        licence="none needed: simulated",
        source=f"simulated from {TRUTH} coefficients",
        provenance={"simulated": LABEL},
    )


def exact(law: Chinchilla, N: np.ndarray, D: np.ndarray) -> np.ndarray:
    """The law's loss on the host in float64, whatever precision jax runs in."""
    E, A, B, alpha, beta = (float(getattr(law, name)) for name in ("E", "A", "B", "alpha", "beta"))
    return E + A * N**-alpha + B * D**-beta
