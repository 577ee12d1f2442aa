"""Coverage of intervals at a known truth, by simulation: what each method promises, and how often it keeps it.

Runs are simulated from the published law of Besiroglu et al. 2024 on a grid, under four kinds of noise; every method
then gives 50, 80 and 95 % intervals of the parameters, of the compute exponent beta / (alpha + beta) and of the
loss at ten times the largest compute. The likelihood of all methods is Student-t with 5 degrees of freedom unless the
row says otherwise: it is the true one for the noise of that name only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.calibration import grid, run_lanes, template
from jaxscale.core.evaluate import predict
from jaxscale.core.law import from_published
from jaxscale.core.runs import Runs
from jaxscale.infer.fit.refit import refit
from jaxscale.infer.posterior.batched import Lanes, LaneSettings
from jaxscale.infer.posterior.importance import Importance
from jaxscale.infer.posterior.posterior import models
from jaxscale.infer.search.problem import Resample
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.objectives.likelihood import Likelihood, gaussian, student_t

LEVELS = (0.5, 0.8, 0.95)
SIGMA = 0.005  # of the log loss, as on the public runs
type Noise = Callable[[np.random.Generator, Runs, int], np.ndarray]


def _heteroscedastic(random: np.random.Generator, runs: Runs, m: int) -> np.ndarray:
    """Noise that falls from three times to a third of SIGMA with size."""
    position = np.log(np.asarray(runs.inputs["N"]))
    position = (position - position.mean()) / np.ptp(position)
    return SIGMA * 9.0**-position * random.standard_normal((m, runs.size))


def _outliers(random: np.random.Generator, runs: Runs, m: int) -> np.ndarray:
    """One run in twenty is off by ten standard deviations, upwards: a bad run is never too good."""
    bad = random.random((m, runs.size)) < 0.05
    return SIGMA * (random.standard_normal((m, runs.size)) + 10 * bad)


NOISES: Mapping[str, Noise] = {
    "Gaussian": lambda random, runs, m: SIGMA * random.standard_normal((m, runs.size)),
    "Student-t": lambda random, runs, m: SIGMA * random.standard_t(5, (m, runs.size)),
    "heteroscedastic": _heteroscedastic,
    "outliers": _outliers,
}


@dataclass(frozen=True)
class Coverage:
    """Share of intervals that held the truth, mean over the quantities, per level; `least` and `most` at 95 %."""

    noise: str
    method: str
    simulations: int
    share: tuple[float, ...]
    least: float
    most: float
    failed: int


class Simulated:
    """One kind of noise and one likelihood: the runs of m simulations, and the quantities asked of every method."""

    def __init__(self, noise: str, likelihood: Likelihood, simulations: int, seed: int) -> None:
        self.noise, self.key = noise, jax.random.key(seed)
        self.law, runs = from_published(Chinchilla, "besiroglu2024"), grid(10, 6)
        clean = np.asarray(predict(self.law, runs), np.float64)
        self.mode = template(self.law, runs, likelihood, seed)
        targets = clean * np.exp(NOISES[noise](np.random.default_rng(seed), runs, simulations))
        extra = self.mode.problem.runs.size - runs.size
        self.targets = np.pad(targets, ((0, 0), (0, extra)), mode="edge")
        self.far = {
            "N": np.asarray(runs.inputs["N"]).max() * 10**0.5,
            "D": np.asarray(runs.inputs["D"]).max() * 10**0.5,
        }
        self.truth = np.asarray(self._asked(jax.tree.map(lambda x: x[None], self.law)))[0]

    def _asked(self, laws: Chinchilla) -> Any:
        far = jax.vmap(lambda law: law(**{k: jnp.asarray(v, law.E.dtype) for k, v in self.far.items()}))(laws)
        share = laws.beta / (laws.alpha + laws.beta)
        return jnp.stack([laws.E, laws.A, laws.B, laws.alpha, laws.beta, share, far], axis=1)

    def asked(self, z: np.ndarray) -> np.ndarray:
        """Quantities (m, draw, q) of unconstrained draws (m, draw, p)."""
        return np.asarray(self._asked(models(self.mode.problem, z).law)).reshape(*z.shape[:2], -1)

    def judged(self, method: str, z: np.ndarray, ok: np.ndarray) -> Coverage:
        """Central intervals of the draws, of the simulations that are `ok`."""
        draws, hits = self.asked(z[ok]), []
        for level in LEVELS:
            low, high = np.quantile(draws, (0.5 - level / 2, 0.5 + level / 2), axis=1)
            hits.append(np.mean((low <= self.truth) & (self.truth <= high), axis=0))
        share = tuple(float(h.mean()) for h in hits)
        return Coverage(
            self.noise, method, len(draws), share, float(hits[-1].min()), float(hits[-1].max()), int(np.sum(~ok))
        )

    def lanes(self, count: int, settings: LaneSettings, weights: np.ndarray | None = None, of: Any = None) -> Lanes:
        """Posteriors of the first simulations, or of the rows `of` with weights of their own."""
        targets = self.targets[:count] if of is None else self.targets[of]
        return run_lanes(self.mode, targets, self.key, settings, weights)

    def laplace(self, lanes: Lanes, draws: int = 2000) -> np.ndarray:
        normal = np.random.default_rng(1).standard_normal((draws, lanes.mode.shape[1]))
        return lanes.mode[:, None, :] + np.einsum("mpq,dq->mdp", lanes.scale, normal)

    def resampled(self, count: int, each: int) -> tuple[np.ndarray, np.ndarray]:
        """Row numbers and pair weights of `each` resamples of the first `count` simulations."""
        n = grid(10, 6).size
        counts = np.random.default_rng(2).multinomial(n, np.full(n, 1 / n), size=count * each).astype(float)
        return np.repeat(np.arange(count), each), np.pad(counts, ((0, 0), (0, self.targets.shape[1] - n)))

    def bootstrap(self, count: int, each: int) -> tuple[np.ndarray, np.ndarray]:
        """Refits of the mode: draws (count, each, p), and whether most of each simulation's converged."""
        of, weights = self.resampled(count, each)
        rows, parts = 2048, []
        for first in range(0, len(of), rows):
            index = np.minimum(np.arange(first, first + rows), len(of) - 1)
            context = Resample(jnp.asarray(weights[index]), jnp.asarray(self.targets[of[index]]))
            parts.append(np.asarray(refit(self.mode, context, min(rows, len(of) - first)).z)[: len(of) - first])
        return np.concatenate(parts).reshape(count, each, -1), np.ones(count, bool)


def coverage(noise: str, *, simulations: int = 400, bags: int = 50, seed: int = 0) -> list[Coverage]:
    """Every method under one kind of noise, on the same simulated runs."""
    likelihoods: dict[str, Likelihood] = {"": student_t()}
    if noise == "Gaussian":
        likelihoods[", Gaussian likelihood"] = gaussian()
    found = []
    for suffix, likelihood in likelihoods.items():
        runs = Simulated(noise, likelihood, simulations, seed)
        posterior = runs.lanes(simulations, LaneSettings(importance=Importance(draws=500, proposals=1000)))
        found.append(runs.judged(f"posterior (importance first){suffix}", posterior.z, posterior.ok))
        found.append(runs.judged(f"Laplace{suffix}", runs.laplace(posterior), posterior.ok))
        found.append(runs.judged(f"bootstrap (pairs){suffix}", *runs.bootstrap(simulations, 200)))
        few = simulations // 4
        nuts = runs.lanes(few, LaneSettings(engine="nuts", importance=Importance(draws=500)))
        found.append(runs.judged(f"posterior (NUTS){suffix}", nuts.z, nuts.ok))
        of, weights = runs.resampled(few, bags)
        bagged = runs.lanes(few, LaneSettings(importance=Importance(draws=40, proposals=400, ess=25.0)), weights, of)
        mixed = bagged.z.reshape(few, -1, bagged.z.shape[-1])
        found.append(runs.judged(f"BayesBag{suffix}", mixed, np.ones(few, bool)))
    return found


def markdown(rows: list[Coverage]) -> str:
    """The table, with the Monte-Carlo error of a 95 % coverage in its last column."""
    lines = [
        "| noise | method | simulations | 50 % | 80 % | 95 % | least - most at 95 % | failed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        shares = " | ".join(f"{x:.1%}" for x in row.share)
        ends = f"{row.least:.1%} - {row.most:.1%}"
        lines.append(f"| {row.noise} | {row.method} | {row.simulations} | {shares} | {ends} | {row.failed} |")
    return "\n".join(lines)
