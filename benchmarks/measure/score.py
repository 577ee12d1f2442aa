"""`python -m benchmarks.measure.score`: the registered predictions against what training then reached."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure.register import REGISTERED, larger_runs
from benchmarks.measure.sweep import SWEEPS, done

RESULT = Path(__file__).parents[1] / "results" / "registered.md"
INTERVALS = {"50 %": (2, 4), "80 %": (1, 5), "95 %": (0, 6)}  # columns of the registered quantiles
MEDIAN = 3


def trained(corpus: str) -> np.ndarray:
    """Losses of the larger runs (m,) in the order of the registration; nan for one that diverged or is to come."""
    records = done(SWEEPS / "larger.toml")
    return np.array([records.get(s, {}).get(f"loss_{corpus}", np.nan) for s in larger_runs(corpus)])


def scores(quantiles: np.ndarray, loss: np.ndarray) -> dict[str, Any]:
    """Median relative error, and how many losses each interval holds, of the runs that are done."""
    known = np.isfinite(loss)
    q, loss = quantiles[known], loss[known]
    inside = {name: int(((q[:, a] <= loss) & (loss <= q[:, b])).sum()) for name, (a, b) in INTERVALS.items()}
    return {"runs": int(known.sum()), "error": float(np.median(np.abs(q[:, MEDIAN] / loss - 1))), **inside}


def table() -> str:
    """Markdown: a table of scores by corpus and law, then every run with its 95 % interval by law."""
    registered = json.loads(REGISTERED.read_text())
    lines = [
        "# Registered predictions against training",
        "",
        f"Registered {registered['made']} from the grid's runs of at most {registered['cut']:g} FLOPs, committed "
        "before the first of these runs was trained. Intervals are posterior predictive: a run's noise is in them.",
        "",
        "| corpus | law | stacking weight | median error | 50 % holds | 80 % holds | 95 % holds |",
        "|---|---|---|---|---|---|---|",
    ]
    runs = ["", "| corpus | run | compute | trained | " + " | ".join(_laws(registered)) + " |"]
    runs.append("|---" * (4 + len(_laws(registered))) + "|")
    for corpus, found in registered["forecasts"].items():
        loss = trained(corpus)
        for law, quantiles in found["quantiles"].items():
            s = scores(np.array(quantiles), loss)
            weight = found["weights"].get(law)
            shares = " | ".join(f"{s[name]} of {s['runs']}" for name in INTERVALS)
            lines.append(f"| {corpus} | {law} | {'' if weight is None else weight} | {s['error']:.2%} | {shares} |")
        for i, run in enumerate(registered["runs"][corpus]):
            cells = []
            for law in _laws(registered):
                q = found["quantiles"][law][i]
                mark = "" if not np.isfinite(loss[i]) else " hit" if q[0] <= loss[i] <= q[6] else " MISS"
                cells.append(f"{q[MEDIAN]:.4f} ({q[0]:.3f} to {q[6]:.3f}){mark}")
            what = f"{run['width']}x{run['layers']}, {run['tokens']:.3g} tokens"
            runs.append(f"| {corpus} | {what} | {run['flops']:.3g} | {loss[i]:.4f} | {' | '.join(cells)} |")
    return "\n".join(lines + runs) + "\n"


def _laws(registered: dict[str, Any]) -> list[str]:
    return list(next(iter(registered["forecasts"].values()))["quantiles"])


if __name__ == "__main__":
    RESULT.write_text(table())
    print(table())
