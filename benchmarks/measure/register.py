"""`python -m benchmarks.measure.register`: what each law says of the larger runs, before they are trained.

Fits see the grid's runs of at most `CUT` FLOPs. Every law in N (all parameters) and D gives its posterior predictive
(its parameters' uncertainty and a run's noise); the average weighs them by stacking. Nothing is ever written over: a
registration is made once.
"""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxscale as js
from benchmarks.measure.settings import Settings
from benchmarks.measure.sweep import SWEEPS, settings_of
from jaxscale.infer.posterior.predictive import predictive

CUT = 3.2e11
REGISTERED = Path(__file__).parent / "registered.json"
LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
LAWS = ("Chinchilla", "Gadre", "KaplanND", "Nested")
AVERAGE = "stacked average"


def study_of(corpus: str) -> js.Study:
    """The runs that are fitted. C is 6 N D, as the laws have it."""
    return js.load("pocket_grid", where=f"corpus == '{corpus}' and flops <= {CUT:g}", mapping={"C": "6ND"})


def larger_runs(corpus: str) -> list[Settings]:
    """Settings of the runs to predict, in the order of their FLOPs."""
    weight = {"stdlib": 1.0, "zipf": 0.0}[corpus]
    return sorted((s for s in settings_of(SWEEPS / "larger.toml") if s.weight == weight), key=lambda s: s.flops)


def points_of(corpus: str) -> dict[str, np.ndarray]:
    """N, D, C and M of the larger runs (m,)."""
    N, D = np.array([(s.params, s.tokens) for s in larger_runs(corpus)], np.float64).T
    return {"N": N, "D": D, "C": 6 * N * D, "M": D / N}


def forecasts(corpus: str) -> dict[str, Any]:
    """Quantiles of the loss of every larger run (m, levels) by law, the average's weights, and the verdicts."""
    study, points = study_of(corpus), points_of(corpus)
    draws, posteriors = {}, {}
    for name in LAWS:
        law = js.catalogue()[name]()
        posterior = js.sample(law, study, key=0)
        runs = js.Runs.of({k: points[k] for k in js.signature(law).inputs}, np.ones(len(points["N"])))
        posteriors[name] = posterior
        draws[name] = predictive(posterior.model, runs, jax.random.key(1))
        print(corpus, name, posterior.diagnosis.passed, np.median(draws[name], axis=0).round(4), flush=True)
    comparison = js.compare(posteriors)
    share = comparison.stacking
    counts = np.round(share / share.sum() * 4000).astype(int)
    mixed = [
        d[np.random.default_rng(i).choice(len(d), n)]
        for i, (d, n) in enumerate(zip(draws.values(), counts, strict=True))
    ]
    draws[AVERAGE] = np.concatenate(mixed)
    return {
        "fitted": len(study),
        "weights": dict(zip(posteriors, share.round(4).tolist(), strict=True)),
        "elpd_difference": dict(zip(posteriors, comparison.differences[0].round(2).tolist(), strict=True)),
        "passed": {label: bool(p.diagnosis.passed) for label, p in posteriors.items()},
        "quantiles": {label: np.quantile(d, LEVELS, axis=0).T.round(5).tolist() for label, d in draws.items()},
    }


def main() -> None:
    if REGISTERED.exists():
        raise SystemExit(f"{REGISTERED.name} exists: a prediction is registered once")
    jax.config.update("jax_enable_x64", True)
    found = {corpus: forecasts(corpus) for corpus in ("stdlib", "zipf")}
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    runs = {
        corpus: [
            {"width": s.width, "layers": s.layers, "tokens": s.tokens, "flops": s.flops} for s in larger_runs(corpus)
        ]
        for corpus in found
    }
    record = {"made": datetime.now(UTC).isoformat(timespec="seconds"), "commit": commit, "cut": CUT, "levels": LEVELS}
    REGISTERED.write_text(json.dumps(record | {"runs": runs, "forecasts": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
