"""A comparison of laws in words, as tables, and as a record."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from rich.table import Table

from jaxscale.core.law import signature
from jaxscale.infer.compare.average import average
from jaxscale.infer.compare.compare import Comparison
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.forecast.forecast import Forecast, forecast
from jaxscale.report.views.numbers import flops
from jaxscale.report.views.record import finite, forecast_record, is_simulated, warnings_of
from jaxscale.report.views.text import marked, point_cells, runs_of, table

AVERAGED = "averaged"


def comparison_sentence(found: Comparison, name: str = "") -> str:
    """What was compared on what, and which law describes the runs best."""
    fit = _first(found)
    given = f"{name}, {runs_of(fit)}" if name else runs_of(fit)
    return marked(
        fit,
        f"{', '.join(found.labels)} given {given}, by {fit.objective.name}: {found.best} predicts best the runs that "
        "are left out one at a time.",
    )


def comparison_table(found: Comparison) -> Table:
    """Leave-one-out densities in nats, their differences, and the weights of the laws, the best first."""
    heads = ("log density", "difference", "std. error", "p", "worst k", "refitted", "stacking", "pseudo-BMA")
    fit = _first(found)
    made = table(marked(fit, "left out") if is_simulated(fit) else "", "each run left out", *heads)
    for label, row in _rows(found):
        numbers = [f"{row['elpd']:.1f}", f"{row['difference']:.1f}", f"{row['se']:.1f}", f"{row['p']:.1f}"]
        weights = [f"{row['stacking']:.3f}", f"{row['pseudo_bma']:.3f}"]
        made.add_row(label, *numbers, f"{row['worst_k']:.2f}", str(row["refitted"]), *weights)
    return made


def held_out_table(found: Comparison) -> Table | None:
    """Mean log density per run, in nats, of whole data sets left out and beyond each cut in scale."""
    heads = [] if found.groups is None else ["its data set left out"]
    if found.beyond is not None:
        heads += [f"{found.scale} >= {flops(cut)}" for cut in found.cuts]
    if not heads:
        return None
    made = table("", "log density per run", *heads)
    for label, row in _rows(found):
        numbers = [] if row["data_set_out"] is None else [row["data_set_out"]]
        made.add_row(label, *(_shown(x) for x in [*numbers, *(row["beyond"] or ())]))
    return made


def forecasts(found: Comparison, points: Mapping[str, Any]) -> dict[str, tuple[Forecast, Fit]]:
    """Each law's forecast at `points`, and that of all of them, averaged by their stacking weights."""
    mixture, ensemble = average(found.posteriors, found.stacking)
    made = {label: (forecast(p.fit, points, p.ensemble), p.fit) for label, p in found.posteriors.items()}
    return made | {AVERAGED: (forecast(mixture, points, ensemble), mixture)}


def forecasts_table(made: Mapping[str, tuple[Forecast, Fit]]) -> Table:
    """One row per point and law: the law's value and its 50 and 90 % intervals."""
    everything, fit = made[AVERAGED]
    output = signature(fit.law).output.unit
    title = marked(fit, "forecast") if is_simulated(fit) else ""
    heads = (f"loss ({output})" if output else "loss", "5 %", "25 %", "75 %", "95 %", "decades beyond the data")
    shown = table(title, *everything.inputs, "law", *heads, left=0)
    shown.columns[len(everything.inputs)].justify = "left"
    for i in range(len(everything.point)):
        at = point_cells(everything.inputs, i, fit)
        for j, (label, (f, _)) in enumerate(made.items()):
            levels = [f"{f.quantiles[q][i]:.4f}" for q in ("0.05", "0.25", "0.75", "0.95")] if f.quantiles else [""] * 4
            # The point is told once; the rows below it are its other laws.
            shown.add_row(
                *(at if j == 0 else [""] * len(at)), label, f"{f.point[i]:.4f}", *levels, f"{f.decades[i]:.1f}"
            )
    return shown


def comparison_remarks(found: Comparison) -> list[str]:
    """Every sentence a reader must see: about the table once, about each law under its name, then the comparison's."""
    common = warnings_of(_first(found))
    sentences = [[*warnings_of(p.fit)] for p in found.posteriors.values()]
    common = [s for s in common if all(s in one for one in sentences)]
    own = [f"{label}: {s}" for label, one in zip(found.labels, sentences, strict=True) for s in one if s not in common]
    return [*common, *own, *found.remarks()]


def comparison_record(found: Comparison, made: Mapping[str, tuple[Forecast, Fit]] | None = None) -> dict[str, Any]:
    """`laws` by name with their densities and weights, `best`, `scale`, `cuts`, `forecasts`, `warnings`.

    In nats. `elpd` is the sum over runs; `data_set_out` and `beyond` are means per run, null where a posterior
    failed its gates, or where there is one data set only.
    """
    fit = _first(found)
    return finite(
        {
            "best": found.best,
            "likelihood": fit.objective.name,
            "laws": dict(_rows(found)),
            "scale": found.scale,
            "cuts": found.cuts.tolist(),
            "forecasts": None
            if made is None
            else {label: forecast_record(f, of)["points"] for label, (f, of) in made.items()},
            "runs": fit.count,
            "groups": list(fit.groups),
            "simulated": is_simulated(fit) or None,
            "provenance": dict(fit.provenance),
            "warnings": comparison_remarks(found),
        }
    )


def _first(found: Comparison) -> Fit:
    return next(iter(found.posteriors.values())).fit


def _rows(found: Comparison) -> Iterator[tuple[str, dict[str, Any]]]:
    """One (law, numbers) per law, the best first."""
    total = np.nansum(found.elpd, axis=0)
    for k in np.argsort(-total, kind="stable"):
        label = found.labels[k]
        loo, posterior = found.loo[label], found.posteriors[label]
        groups = None if found.groups is None else found.groups[:, k]
        yield (
            label,
            {
                "elpd": float(total[k]),
                "difference": float(found.differences.diff[k]),
                "se": float(found.differences.se[k]),
                "p": float(np.nansum(loo.p)),
                "worst_k": float(np.nanmax(loo.k)),
                "refitted": int(np.sum(loo.refitted)),
                "stacking": float(found.stacking[k]),
                "pseudo_bma": float(found.pseudo_bma[k]),
                "data_set_out": None if groups is None else float(np.nanmean(groups)),
                "beyond": None if found.beyond is None else found.beyond[:, k].tolist(),
                "converged": posterior.diagnosis.passed,
                "mode_certified": posterior.fit.certificate.certified,
            },
        )


def _shown(value: float | None) -> str:
    return "failed" if value is None or np.isnan(value) else f"{value:.3f}"
