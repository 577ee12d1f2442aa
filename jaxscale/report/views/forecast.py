"""What `outlook` found, for people and for machines: the ranking, a forecast with its bands, how a test came out."""

from typing import Any

import numpy as np
from rich.table import Table

from jaxscale.core.law import signature
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.forecast.calibration import LEVELS
from jaxscale.infer.forecast.outlook import Outlook
from jaxscale.infer.forecast.prediction import Outlined, Tested
from jaxscale.infer.forecast.ranking import Ranked
from jaxscale.report.views.record import finite, is_simulated, warnings_of
from jaxscale.report.views.text import point_cells, table
from jaxscale.studies import Study


def tested(found: Outlook, held: Study) -> Tested:
    """Forecast the runs of `held`, however far they lie, beside what they reached."""
    runs = held.runs(signature(found.fit.law))
    inputs = {name: np.asarray(x, np.float64) for name, x in runs.inputs.items()}
    return Tested(found.at(inputs, allow_far=True), np.asarray(runs.target, np.float64))


def sentence(found: Outlook, name: str) -> str:
    """The answer in one sentence."""
    best, origins = found.ranking[0], found.origins
    made = np.isfinite(origins.miss[origins.labels.index(best.label)])
    seen = f"{made.sum()} forecasts from {made.any(axis=1).sum()} origins inside {name}"
    second = runner_up(found)
    lost = f"; next {second.label} at {second.score:.2%}" if second else ""
    among = " of the laws with an irreducible loss" if passed_over(found) else ""
    return f"{best.label} forecasts best{among}: {best.score:.2%} mean error over {seen}{lost}."


def runner_up(found: Outlook) -> Ranked | None:
    """The next best of the ranked laws that are doubted no more than the chosen one; None where there is none."""
    best, *others = found.ranking
    return next((r for r in others if not r.reason and r.doubt == best.doubt), None)


def passed_over(found: Outlook) -> list[Ranked]:
    """Laws that err less inside the runs than the chosen one, and are doubted."""
    best = found.ranking[0]
    return [r for r in found.ranking if r.doubt and r.score < best.score and not best.doubt]


def ranking_table(found: Outlook) -> Table:
    """One row per law: error from inside the data, also in compute and as log score; error in-sample; weight."""
    shown = table(
        "", "law", "error of its forecasts", "in compute", "log score", "error in-sample", "weight", "", left=0
    )
    for r in found.ranking:
        score = "-" if r.reason else f"{r.score:.3%}"
        weight = found.weights.get(r.label)
        factor, density = (
            f"{x:.2f}{unit}" if np.isfinite(x) else "-" for x, unit in ((r.in_compute, "x"), (r.log_score, ""))
        )
        shown.add_row(
            r.label,
            score,
            factor,
            density,
            f"{r.inside:.3%}",
            "" if weight is None else f"{weight:.2f}",
            r.reason or r.doubt,
        )
    return shown


def forecast_table(made: Outlined, fit: Fit) -> Table:
    """One row per point: the forecast of `fit`'s law, its 90 % band, and the parts of it as relative half-widths."""
    names = list(made.inputs)
    heads = ("forecast", "90 % from", "to", "parameters", "noise", "law", "decades out")
    shown = table("", *names, *heads, left=0)
    low, high = made.interval(0.9)
    half = made.half_widths(0.9)
    for i, point in enumerate(made.point):
        shown.add_row(
            *point_cells(made.inputs, i, fit),
            f"{point:.4f}",
            f"{low[i]:.4f}",
            f"{high[i]:.4f}",
            *(f"{half[part][i]:.2%}" for part in ("parameters", "noise", "law")),
            f"{made.decades[i]:.1f}",
        )
    return shown


def tested_sentence(test: Tested) -> str:
    """How the held-out rows came out."""
    held = ", ".join(f"{level:.0%}: {test.coverage(level):.0%}" for level in LEVELS)
    return (
        f"{len(test.observed)} held-out runs up to {test.outlined.decades.max():.1f} decades further: error mean "
        f"{test.error.mean():.2%}, max {test.error.max():.2%}; bands held {held}; mean width of the 90 % band "
        f"{test.width(0.9):.2%}."
    )


def remarks(found: Outlook, test: Tested | None, made: Outlined | None) -> list[str]:
    """Every sentence a reader must see: of the chosen fit and its resamples, then of what was forecast; each once."""
    said = [*warnings_of(found.fit, found.ensemble), *found.remarks]
    said += [
        f"Passed over: {r.label} errs less inside the runs ({r.score:.2%}); it {r.doubt}." for r in passed_over(found)
    ]
    best = found.ranking[0]
    if best.label == found.chosen and best.doubt:
        said.append(
            f"Chosen for want of another: {best.label} {best.doubt}; the runs are too few to try the laws that have an "
            "irreducible loss. Read its forecasts as hopeful, and add runs."
        )
    for outlined in (made, None if test is None else test.outlined):
        said += outlined.remarks() if outlined is not None else ()
    return list(dict.fromkeys(said))


def outlook_record(found: Outlook, test: Tested | None, made: Outlined | None) -> dict[str, Any]:
    """`chosen` and its `law` alone, `weights`, `ranking`, `bands`; `test` and `forecasts` where asked for.

    Relative numbers; a `correction` is the part of log `loss` that is not the law's.
    """
    bands, noise = found.bands, found.noise
    return finite(
        {
            "chosen": found.chosen,
            "law": found.origins.law_of(found.chosen),
            "weights": dict(found.weights),
            "ranking": [
                {
                    "law": r.label,
                    "score": None if r.reason else r.score,
                    "log_score": r.log_score,
                    "compute_factor": r.in_compute,
                    "in_sample": r.inside,
                    "reason": r.reason,
                    "doubt": r.doubt,
                }
                for r in found.ranking
            ],
            "origins": list(found.origins.parts.labels),
            "bands": {
                "noise": noise.scale,
                "noise_per_decade": noise.slope,
                "floor": bands.floor,
                "growth_per_decade": bands.growth,
                "reach_decades": bands.reach,
                "looks": bands.looks,
            },
            "test": None if test is None else _test_record(test),
            "forecasts": None if made is None else _points(made),
            "runs": found.fit.count,
            "simulated": is_simulated(found.fit) or None,
            "provenance": dict(found.fit.provenance),
            "warnings": remarks(found, test, made),
        }
    )


def _test_record(test: Tested) -> dict[str, Any]:
    covered = {f"coverage_{round(100 * level)}": test.coverage(level) for level in LEVELS}
    return {
        "chosen": test.outlined.chosen,
        "runs": len(test.observed),
        "mean_relative_error": float(test.error.mean()),
        "max_relative_error": float(test.error.max()),
        **covered,
        "mean_width_90": test.width(0.9),
        "furthest_decades": float(test.outlined.decades.max()),
    }


def _points(made: Outlined) -> list[dict[str, Any]]:
    found = []
    ends = {f"{level:g}": made.interval(level) for level in LEVELS}
    half = made.half_widths(0.9)
    for i, point in enumerate(made.point):
        found.append(
            {
                **{name: float(x[i]) for name, x in made.inputs.items()},
                "loss": float(point),
                "intervals": {level: [float(low[i]), float(high[i])] for level, (low, high) in ends.items()},
                "correction": float(made.correction[i]),
                "parameters_sd": float(made.spread[i]),
                "noise_scale": float(made.noise[i]),
                **{f"{part}_half_width_90": float(half[part][i]) for part in half},
                "decades": float(made.decades[i]),
                "inside": bool(made.inside[i]),
                "law": made.chosen,
                "laws": {label: float(y[i]) for label, y in made.others.items()},
            }
        )
    return found
