"""`python -m benchmarks.reference NAME`: a reference posterior, after posteriordb's rules.

Ten chains of plain NumPyro NUTS with a dense mass matrix (an engine independent of ours), thinned to 10,000 draws
in all; written only if no transition diverged, every R-hat is below 1.01, every E-BFMI above .3 and every lag-1
autocorrelation below .05 (Magnusson et al. 2024, arXiv 2407.04967). What is stored are moments and quantiles with
their Monte-Carlo errors, on the unconstrained scale: the logarithm of positive parameters, as the tails of some
(R_D, the floor of a learning curve) are too heavy for moments of their own.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np
from arviz_stats.base import array_stats

from jaxscale.compose.pooled import Pooled
from jaxscale.core.law import AbstractLaw
from jaxscale.core.parametric import declared
from jaxscale.core.runs import Runs
from jaxscale.infer.checks.intake import as_runs
from jaxscale.infer.posterior import convergence
from jaxscale.laws.data.muennighoff2023 import DataConstrained
from jaxscale.laws.loss.hestness2017 import PowerLawWithFloor
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.objectives.likelihood import Likelihood, student_t
from jaxscale.studies.registry import load
from jaxscale.studies.study import Study

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "infer" / "references"
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
CHAINS, KEPT = 10, 1000  # draws kept of each chain


@dataclass(frozen=True)
class Pair:
    """A law and runs; `where` picks them, `fixed` parameters stay at the law's defaults."""

    law: Callable[[Study], AbstractLaw]
    slug: str
    where: str | None = None
    fixed: tuple[str, ...] = ()
    symbols: Mapping[str, str] | None = None  # of the law, for columns that the study calls otherwise
    thin: int = 5
    target: float = 0.9

    @property
    def likelihood(self) -> Likelihood:
        return student_t(5)

    def study(self) -> Study:
        return load(self.slug, where=self.where)

    def runs(self, study: Study) -> Runs:
        if self.symbols is None:
            return as_runs(study, self.law(study))
        return Runs.of({name: study.columns[column] for name, column in self.symbols.items()}, study.columns["loss"])


def pairs() -> dict[str, Pair]:
    """The four pairs by name."""
    return {
        "chinchilla": Pair(lambda _: Chinchilla(), "chinchilla_besiroglu", "excluded_in_paper == 0"),
        "hestness": Pair(
            lambda _: PowerLawWithFloor(), "rectified_finetuning", _ONE_MODEL, symbols={"m": "D"}, thin=20, target=0.99
        ),
        "chinchilla_pooled": Pair(
            lambda study: Pooled(Chinchilla(), split=("E",), groups=study.groups),
            "gadre_overtraining",
            thin=8,
            target=0.99,
        ),
        "data_constrained": Pair(
            lambda _: DataConstrained(),
            "datablations_c4",
            fixed=("E", "A", "B", "alpha", "beta"),
            thin=8,
            target=0.99,
        ),
    }


_ONE_MODEL = "dataset == 'wmt19' and model == 'gpt2'"


def summary(x: np.ndarray, names: tuple[str, ...]) -> dict[str, dict[str, dict[str, float]]]:
    """Statistic by statistic of draws (chain, draw, p): its value and Monte-Carlo error for each name."""
    error = partial(array_stats.mcse, chain_axis=0, draw_axis=1)
    found = {"mean": (x.mean(axis=(0, 1)), error(x, method="mean"))}
    found["sd"] = (x.std(axis=(0, 1), ddof=1), error(x, method="sd"))
    for q in QUANTILES:
        found[f"q{q}"] = (np.quantile(x, q, axis=(0, 1)), error(x, method="quantile", prob=q))
    return {
        name: {key: {"value": float(v[i]), "mcse": float(e[i])} for key, (v, e) in found.items()}
        for i, name in enumerate(names)
    }


def distances(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[tuple[str, str], float]:
    """Difference of two summaries in combined Monte-Carlo errors, by parameter and statistic."""
    assert ours.keys() == theirs.keys(), f"{list(ours)} against {list(theirs)}"
    return {
        (name, key): (found["value"] - theirs[name][key]["value"]) / np.hypot(found["mcse"], theirs[name][key]["mcse"])
        for name, statistics in ours.items()
        for key, found in statistics.items()
    }


def diagnostics(z: np.ndarray, diverging: np.ndarray, energy: np.ndarray, steps: np.ndarray) -> dict[str, float]:
    """Worst figure of each rule for kept draws z (chain, draw, p); the rest is of all draws after warm-up."""
    centred = z - z.mean(axis=1, keepdims=True)
    lag = np.sum(centred[:, 1:] * centred[:, :-1], axis=1) / np.sum(centred**2, axis=1)
    return {
        "rhat": float(convergence.rhat(z).max()),
        "autocorrelation": float(np.abs(lag.mean(axis=0)).max()),
        "divergences": int(diverging.sum()),
        "bfmi": float(convergence.bfmi(energy).min()),
        "ess_bulk": float(convergence.ess_bulk(z).min()),
        "ess_tail": float(convergence.ess_tail(z).min()),
        "leapfrogs": float(steps.mean()),
    }


def broken(found: Mapping[str, float]) -> list[str]:
    """The rules that the diagnostics break."""
    rules = {
        "R-hat below 1.01": found["rhat"] < 1.01,
        "lag-1 autocorrelation below .05": found["autocorrelation"] < 0.05,
        "no divergences": found["divergences"] == 0,
        "E-BFMI above .3": found["bfmi"] > 0.3,
    }
    return [rule for rule, kept in rules.items() if not kept]


def make(pair: Pair, *, warmup: int = 2000, seed: int = 0) -> dict[str, Any]:
    """The record of a pair's reference posterior, whatever its diagnostics."""
    from benchmarks.plain import Plain

    study = pair.study()
    law, runs = pair.law(study), pair.runs(study)
    settings = {"dense_mass": True, "target_accept_prob": pair.target, "max_tree_depth": 10}
    sampler = Plain(
        law, runs, pair.likelihood, warmup=warmup, draws=pair.thin * KEPT, chains=CHAINS, fixed=pair.fixed, **settings
    )
    chains = sampler.run(seed)
    z = chains.z[:, pair.thin - 1 :: pair.thin]
    free = [d for d in declared(sampler.split.template) if d.name in sampler.split.free]
    return {
        "law": type(law).__name__,
        "priors": {d.name: f"{d.spec.prior} on {type(d.spec.support).__name__}" for d in free},
        "likelihood": pair.likelihood.name,
        "fixed": {d.name: float(d.value) for d in declared(law) if d.name in pair.fixed},
        "data": {
            "slug": pair.slug,
            "where": pair.where,
            "sha256": study.provenance["sha256"],
            "runs": runs.size,
            "groups": study.groups,
        },
        "scale": "logarithms of positive parameters",
        "engine": "numpyro.infer.NUTS on jaxscale's numpyro_model",
        "settings": {**settings, "chains": CHAINS, "warmup": warmup, "kept": KEPT, "thin": pair.thin, "seed": seed},
        "versions": {name: version(name) for name in ("jax", "numpyro", "arviz-stats")},
        "diagnostics": diagnostics(z, chains.stats["diverging"], chains.stats["energy"], chains.stats["steps"]),
        "parameters": summary(z, chains.names),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reference", description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=pairs())
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    record = make(pairs()[asked.name], seed=asked.seed)
    print(json.dumps(record, indent=1))
    if rules := broken(record["diagnostics"]):
        raise SystemExit(f"{asked.name}: not written, as these rules are broken: {'; '.join(rules)}")
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{asked.name}.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
