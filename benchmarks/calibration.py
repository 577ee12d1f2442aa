"""Calibration of posteriors by simulation: ranks of the truth under the prior, and coverage at a known truth.

`python -m benchmarks.calibration [sbc] [coverage] [--small]` prints tables in Markdown and writes
`results/calibration.json`. Simulation-based calibration (Talts et al. 2018, arXiv 1804.06788): a parameter drawn from
its prior, runs simulated from it, and its rank among posterior draws given these runs; the ranks are uniform if law,
prior, likelihood, chart, sampler and weights are all right.
"""

from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from jaxscale.core.evaluate import predict
from jaxscale.core.law import AbstractLaw
from jaxscale.core.runs import Runs
from jaxscale.infer.fit.fit import Fit, fit
from jaxscale.infer.posterior.batched import PSIS, Lanes, LaneSettings, lanes_per_call, posterior_lanes
from jaxscale.infer.posterior.importance import Importance
from jaxscale.infer.posterior.predictive import predictive, prior_draws
from jaxscale.infer.search.problem import Resample
from jaxscale.infer.search.rows import row_keys
from jaxscale.objectives.likelihood import Likelihood, student_t
from jaxscale.solve.problem import Split

_BINS = 20
RANKS = 99  # draws a truth is ranked among, nearly independent: of 2,000 proposals


@dataclass(frozen=True)
class Ranks:
    """Ranks (simulations, p) of the truth among `RANKS` draws, and whether each lane passed its gates."""

    names: tuple[str, ...]
    ranks: np.ndarray
    ok: np.ndarray
    by_nuts: int

    def p_values(self, only: np.ndarray | None = None) -> dict[str, float]:
        """Chi-square test of uniformity over 20 bins, per coordinate, of all lanes or of some.

        Lanes that failed count by default: which lanes fail depends on the truth, so that the others alone need not
        be uniform.
        """
        found = {}
        for name, rank in zip(self.names, self.ranks.T if only is None else self.ranks[only].T, strict=True):
            counts = np.bincount(rank * _BINS // (RANKS + 1), minlength=_BINS)
            found[name] = float(stats.chisquare(counts).pvalue)
        return found

    def least(self, only: np.ndarray | None = None) -> float:
        """The least p-value times their number: small if any coordinate is off (Bonferroni)."""
        return min(1.0, min(self.p_values(only).values()) * len(self.names))


def grid(sizes: int = 6, ratios: int = 5, groups: int = 1) -> Runs:
    """Runs without losses on an off-ray grid: sizes from 5e7 to 1e10, tokens per parameter from 2 to 200."""
    n, m = np.meshgrid(np.geomspace(5e7, 1e10, sizes), np.geomspace(2, 200, ratios), indexing="ij")
    N, M = np.tile(n.ravel(), groups), np.tile(m.ravel(), groups)
    return Runs.of({"N": N, "D": N * M}, np.ones(len(N)), group=np.repeat(np.arange(groups), n.size))


def sbc(
    law: AbstractLaw,
    runs: Runs,
    likelihood: Likelihood | None = None,
    *,
    simulations: int = 500,
    seed: int = 0,
    settings: LaneSettings | None = None,
) -> Ranks:
    """Ranks of parameters drawn from their priors."""
    likelihood = student_t() if likelihood is None else likelihood
    settings = (
        LaneSettings(importance=Importance(draws=RANKS, proposals=2000, ess=RANKS / 2))
        if settings is None
        else settings
    )
    mode = template(law, runs, likelihood, seed)
    truth_key, noise_key, draw_key = jax.random.split(jax.random.key(seed), 3)
    truth = prior_draws(mode, simulations, truth_key)
    targets = predictive(truth, mode.problem.runs, noise_key)
    split = mode.problem.split
    z = np.asarray(jax.jit(jax.vmap(lambda tree: Split(tree, split.free, split.size).vector()))(truth), np.float64)
    lanes = run_lanes(mode, targets, draw_key, settings, starts=z)
    ranks = np.sum(lanes.z < z[:, None, :], axis=1)
    return Ranks(split.names(), ranks, lanes.ok, int(np.sum(lanes.engine != PSIS)))


def template(law: AbstractLaw, runs: Runs, likelihood: Likelihood, seed: int = 0) -> Fit:
    """A mode on simulated runs, whose problem and chart every lane uses."""
    target = likelihood.simulate(jax.random.key(seed), predict(law, runs), runs)
    found = fit(
        law, Runs(runs.inputs, target, runs.weight, runs.group, runs.cluster, runs.noise), likelihood, prior=True
    )
    return replace(found, alternatives=())  # they belong to these runs, not to the lanes'


def retargeted(runs: Runs, target: Any) -> Runs:
    """The same design with other losses."""
    return eqx.tree_at(lambda r: r.target, runs, target)


def run_lanes(
    mode: Fit,
    targets: np.ndarray,
    key: Any,
    settings: LaneSettings,
    weights: np.ndarray | None = None,
    starts: np.ndarray | None = None,
) -> Lanes:
    """One lane per row of `targets` (m, n), with its own weights where given."""
    rows, parts = lanes_per_call(mode.problem, settings), []
    for first in range(0, len(targets), rows):
        index = np.minimum(np.arange(first, first + rows), len(targets) - 1)
        context = Resample(
            weight=None if weights is None else jnp.asarray(weights[index]), target=jnp.asarray(targets[index])
        )
        keys = row_keys(key, first, rows)
        begin = None if starts is None else starts[index]
        parts.append(posterior_lanes(mode, context, keys, min(rows, len(targets) - first), settings, begin))
    return jax.tree.map(lambda *x: np.concatenate(x), *parts)


def subjects() -> dict[str, tuple[AbstractLaw, Runs]]:
    """Laws and designs of the study."""
    from jaxscale.compose.pooled import Pooled
    from jaxscale.laws.loss.hoffmann2022 import Chinchilla
    from jaxscale.laws.loss.kaplan2020 import KaplanND
    from jaxscale.laws.loss.videau2026 import Nested

    pooled = Pooled(Chinchilla(), split=("E",), groups=("a", "b", "c"))
    return {
        "Chinchilla": (Chinchilla(), grid()),
        "KaplanND": (KaplanND(), grid()),
        "Nested": (Nested(), grid()),
        "Chinchilla, three data sets, E separate": (pooled, grid(4, 4, 3)),
    }


def markdown(found: dict[str, Ranks]) -> str:
    """One row per law."""
    lines = [
        "| law | simulations | by NUTS | failed | least p x parameters, all | without failed | p-values, all |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, r in found.items():
        each = ", ".join(f"{k.removeprefix('objective.noise.')} {p:.2f}" for k, p in r.p_values().items())
        counts = f"{len(r.ranks)} | {r.by_nuts} | {np.sum(~r.ok)}"
        lines.append(f"| {name} | {counts} | {r.least():.2f} | {r.least(r.ok):.2f} | {each} |")
    return "\n".join(lines)


def main() -> None:
    """Run the parts asked for (default: all) and write `results/calibration.md`."""
    import argparse
    from pathlib import Path

    from benchmarks import coverage, small_samples

    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration")
    parser.add_argument("--simulations", type=int, default=400)
    parser.add_argument("--bags", type=int, default=50)
    parser.add_argument("--ranks-only", action="store_true", help="print the ranks' table, write nothing")
    asked = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    if asked.ranks_only:
        print(markdown({name: sbc(*it, simulations=asked.simulations) for name, it in subjects().items()}))
        return
    path = Path(__file__).resolve().parent / "results" / "calibration.md"
    parts = [_INTRODUCTION]
    rows: list[coverage.Coverage] = []
    for noise in coverage.NOISES:
        rows += coverage.coverage(noise, simulations=asked.simulations, bags=asked.bags)
        path.write_text("\n\n".join([*parts, coverage.markdown(rows)]) + "\n")
    parts.append(coverage.markdown(rows))
    found: dict[str, Ranks] = {}
    for name, (law, runs) in subjects().items():
        found[name] = sbc(law, runs, simulations=asked.simulations)
        path.write_text("\n\n".join([*parts, _RANKS, markdown(found), small_samples.page()]))


_INTRODUCTION = """# Calibration, by simulation

Made by `python -m benchmarks.calibration`. Coverage: share of simulations whose interval held the truth, mean over
seven quantities (five parameters, the compute exponent, the loss at ten times the compute), and the least and most of
them at 95 %. 60 runs from the law of Besiroglu et al. 2024; Student-t(5) likelihood unless the row says otherwise."""
_RANKS = """Simulation-based calibration: ranks of a truth drawn from the declared priors among 99 posterior draws, 30
runs (48 for three data sets), Student-t(5). The p-value is of uniformity over 20 bins; below .05 after the number of
parameters is taken into account says that something is wrong. Which lanes fail their gates depends on the truth, so
that the others alone need not be uniform."""


if __name__ == "__main__":
    main()
