"""The fit card: one record per fit or forecast that answers, or leaves visibly open, what a reader must ask.

The questions are those of the checklist in Li, Kudugunta & Zettlemoyer 2025, "(Mis)Fitting: A Survey of Scaling Laws"
(ICLR 2025, arXiv 2502.18969), appendix: the hypothesis, the set-up of the runs, the data, the fit; and besides them
what it takes to repeat the fit: versions, hashes, seeds, parameters to the last bit. A question without an answer is
null, and its path stands in `unanswered`.
"""

import datetime
from collections.abc import Iterator, Mapping
from typing import Any

from jaxscale.core.ensemble import Ensemble
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.forecast.outlook import Outlook
from jaxscale.report.card import forecast as card_forecast
from jaxscale.report.card import law as card_law
from jaxscale.report.card import optimum as card_optimum
from jaxscale.report.card import runs as card_runs
from jaxscale.report.card import trace as card_trace
from jaxscale.report.store.groups import runs_group
from jaxscale.report.views.record import finite, warnings_of
from jaxscale.studies import Study

NAME, VERSION = "jaxscale fit card", 1


def fit_card(
    fit: Fit,
    ensemble: Ensemble | None = None,
    study: Study | None = None,
    seconds: Mapping[str, float] | None = None,
    *,
    seed: int | None = None,
) -> dict[str, Any]:
    """The card of `fit`, as plain values that JSON holds; `card_schema.SCHEMA` says which.

    **Arguments:**

    - `ensemble`: draws made from the fit.
    - `study`: what was fitted; without it the card knows the law's own inputs only, and the rest is unanswered.
    - `seconds`: by stage; default: the fit's own.
    - `seed`: of the draws.

    Numbers that JSON cannot hold are null too, with a warning. Raises `BadInput` where `study` is not what was fitted.
    """
    return _sealed("fit", _sections(fit, ensemble, study, seconds, seed), warnings_of(fit, ensemble))


def forecast_card(
    outlook: Outlook,
    study: Study | None = None,
    held: Study | None = None,
    *,
    record: Mapping[str, Any] | None = None,
    seconds: Mapping[str, float] | None = None,
    seed: int | None = None,
) -> dict[str, Any]:
    """The card of the chosen law's fit, with the ranking of every law, and how the hold-out came out.

    **Arguments:** those of `fit_card`, and

    - `held`: the runs held out, of which no law saw one.
    - `record`: what `forecasting.outlook_record` says: the scores on `held` (`test`), points asked for (`forecasts`).

    Raises `BadInput` where `study` is not what was fitted.
    """
    record = {} if record is None else record
    sections = _sections(outlook.fit, outlook.ensemble, study, seconds, seed)
    sections["holdout"] = None if held is None else card_forecast.holdout(held, record.get("test"))
    sections["choice"] = card_forecast.choice(outlook)
    sections["forecast"] = card_forecast.forecast(outlook, record.get("forecasts"))
    warnings = record.get("warnings", warnings_of(outlook.fit, outlook.ensemble))
    return _sealed("forecast", sections, warnings)


def _sections(
    fit: Fit, ensemble: Ensemble | None, study: Study | None, seconds: Mapping[str, float] | None, seed: int | None
) -> dict[str, Any]:
    if study is not None:
        card_runs.check_fitted(study, fit)
    # As the store keeps them: the columns, their hash, and the law's value at each run.
    runs = runs_group(fit.runs, fit.law, fit.groups)
    return {
        "hypothesis": card_law.hypothesis(fit),
        "units": card_runs.units(fit, study),
        "setup": card_runs.setup(fit, study),
        "data": card_runs.data(fit, study),
        "objective": card_law.objective(fit),
        "solver": card_optimum.solver(fit),
        "search": card_optimum.search(fit),
        "parameters": card_law.parameters(fit),
        "fit": card_optimum.residuals(fit, runs["predicted"].values.reshape(-1), study),
        "uncertainty": None if ensemble is None else card_optimum.uncertainty(fit, ensemble),
        "holdout": None,
        "choice": None,
        "versions": card_trace.versions(fit),
        "hashes": card_trace.hashes(fit, runs.attrs["data_sha256"]),
        "seeds": {"starts": fit.seed, "draws": "no draws" if ensemble is None else seed},
        "seconds": dict(fit.seconds if seconds is None else seconds),
    }


def _sealed(kind: str, sections: Mapping[str, Any], warnings: Any) -> dict[str, Any]:
    about = {
        "schema": NAME,
        "schema_version": VERSION,
        "kind": kind,
        "checklist": "Li, Kudugunta & Zettlemoyer 2025, arXiv 2502.18969",
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    card = finite({**about, **sections, "warnings": list(warnings)})
    return card | {"unanswered": list(_nulls(card, ""))}


def _nulls(value: Any, path: str) -> Iterator[str]:
    if value is None:
        yield path
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _nulls(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _nulls(inner, f"{path}[{i}]")
