"""Bagged posteriors in words, as a table, and as a record: the plain spread, the bagged one, and their mismatch."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from rich.table import Table

from jaxscale.core.ensemble import Ensemble, quantile_table
from jaxscale.core.parametric import values
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.posterior.bag import Bagged
from jaxscale.report.views import text
from jaxscale.report.views.numbers import estimate
from jaxscale.report.views.record import entry_label, finite, is_simulated
from jaxscale.report.views.text import marked, table

MISMATCH = (
    "Mismatch is 1 - 2 var(plain) / var(bagged): about 0 where the law and its noise are right, near 1 where the plain "
    "posterior is far too narrow, a dash where the bagged one is the narrower."
)


def bagging_sentence(bagged: Bagged) -> str:
    """How many resamples, which engine drew them, and how many lanes failed."""
    draws = bagged.lanes.z.shape[1]
    failed = f"{bagged.failed} of them failed and are left out" if bagged.failed else "none failed"
    return marked(
        bagged.fit,
        f"Bagged over {bagged.size:,} resamples ({bagged.scheme}) of {draws} draws each: "
        f"{bagged.size - bagged.by_nuts:,} by importance sampling, {bagged.by_nuts:,} by NUTS; {failed}.",
    )


def bagging_table(bagged: Bagged) -> Table:
    """Bagged mean and 90 % interval of every free parameter, with the plain and the bagged spread and the mismatch."""
    heads = ("mean", "5 %", "95 %", "std. dev. plain", "std. dev. bagged", "mismatch")
    made = table(marked(bagged.fit, "bagged") if is_simulated(bagged.fit) else "", "", *heads)
    for label, row in _rows(bagged):
        q = row["quantiles"]
        mismatch = "-" if np.isnan(row["mismatch"]) else f"{row['mismatch']:.2f}"
        numbers = [estimate(x) for x in (row["mean"], q["0.05"], q["0.95"])]
        made.add_row(label, *numbers, f"{row['sd_plain']:.2g}", f"{row['sd']:.2g}", mismatch)
    return made


def bagging_record(bagged: Bagged) -> dict[str, Any]:
    """`n, draws, scheme, by_importance, by_nuts, failed, passed, parameters, warnings`.

    `parameters`: by label the bagged mean, `sd` and quantiles, `sd_plain`, and the `mismatch` index, which is null
    where it is not defined.
    """
    rows = dict(_rows(bagged))
    for row in rows.values():
        row["mismatch"] = None if np.isnan(row["mismatch"]) else row["mismatch"]
    return finite(
        {
            "n": bagged.size,
            "draws": bagged.lanes.z.shape[1],
            "scheme": bagged.scheme,
            "by_importance": bagged.size - bagged.by_nuts,
            "by_nuts": bagged.by_nuts,
            "failed": bagged.failed,
            "passed": bagged.passed,
            "parameters": rows,
            "warnings": list(bagged.remarks),
        }
    )


def _rows(bagged: Bagged) -> Iterator[tuple[str, dict[str, Any]]]:
    """One (label, numbers) per entry of every free parameter: `alpha`, `E[c4]`."""
    law, widths, mismatch = bagged.fit.law, bagged.widths(), bagged.mismatch()
    kept = np.repeat(bagged.lanes.ok, bagged.lanes.z.shape[1])
    for name, draws in values(bagged.model).items():
        if name not in bagged.fit.problem.split.free:
            continue
        x = np.asarray(draws, np.float64)[kept]
        for index in np.ndindex(x.shape[1:]):
            column, (plain, wide) = x[:, *index], (w[index] for w in widths[name])
            yield (
                entry_label(law, name, index),
                {
                    "mean": float(np.mean(column)),
                    "sd_plain": float(plain),
                    "sd": float(wide),
                    "quantiles": quantile_table(column),
                    # A simplex has one coordinate less than entries.
                    "mismatch": float(mismatch.get(name + "".join(f"[{i}]" for i in index), np.nan)),
                },
            )


def next_steps(mode: Fit, ensemble: Ensemble, trusted: bool, saved: str | None = None) -> list[str]:
    """What to do with a posterior, the most urgent first."""
    found = text.next_steps(mode, ensemble, saved)
    if mode.certificate.certified and not trusted:
        found.insert(0, "Do not use these numbers before the reason given above is gone.")
    if not ensemble.method.startswith("bagged"):
        found.insert(len(found) - 1, "Add --bagged 1000: chains alone do not show whether law and noise are right.")
    return found
