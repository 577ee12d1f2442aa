"""What a fit card says of a forecast: how laws ranked, from which origins, the bands, the runs held out."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from jaxscale.infer.forecast.outlook import Outlook
from jaxscale.infer.forecast.ranking import Ranked
from jaxscale.report.views.forecast import runner_up
from jaxscale.studies import Study
from jaxscale.studies.exclusions import exclusions


def holdout(held: Study, scores: Mapping[str, Any] | None) -> dict[str, Any]:
    """Which rows no law saw, and how they were forecast."""
    told = exclusions(held.provenance.get("exclusions", ""))
    return {
        "rule": told[-1].rule if told else None,
        "runs": len(held),
        "scores": None if scores is None else dict(scores),
    }


def choice(outlook: Outlook) -> dict[str, Any]:
    """Which law won, by what, and by how much."""
    best, next_best = outlook.ranking[0], runner_up(outlook)
    return {
        "criterion": "mean absolute relative error of forecasts from origins inside the runs; in-sample fit unused",
        "chosen": outlook.chosen,
        "score": best.score,
        "candidates": len(outlook.ranking),
        "runner_up": "none" if next_best is None else next_best.label,
        "runner_up_lost_by": "none" if next_best is None else next_best.score - best.score,
    }


def forecast(outlook: Outlook, points: Any) -> dict[str, Any]:
    """Every law's rank, every origin, the weights, the bands, and the points asked for."""
    origins = outlook.origins
    failed = ~np.isfinite(np.asarray(origins.error))
    seen = np.asarray(origins.parts.scored)
    far = np.where(seen, np.asarray(origins.parts.decades), -np.inf)
    return {
        "ranking": [_ranked(r, outlook.ranking[0]) for r in outlook.ranking],
        "origins": [
            {
                "rule": label,
                "fitted": int(origins.parts.fitted[i].sum()),
                "scored": int(seen[i].sum()),
                "furthest_decades": float(far[i].max()),
                "laws_without_score": [law for law, bad in zip(origins.labels, failed[:, i], strict=True) if bad],
            }
            for i, label in enumerate(origins.parts.labels)
        ],
        "weights": dict(outlook.weights),
        "bands": plain(outlook.bands),
        "points": "none asked for" if points is None else points,
    }


def _ranked(law: Ranked, best: Ranked) -> dict[str, Any]:
    if law.reason:
        return {"law": law.label, "in_sample": law.inside, "not_ranked": law.reason}
    told = {"law": law.label, "score": law.score, "in_sample": law.inside, "lost_by": law.score - best.score}
    return told | {"doubt": law.doubt} if law.doubt else told


def plain(value: Any) -> Any:
    """A record as JSON holds it: dataclasses and arrays, however deep, as dicts and lists."""
    if is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return np.asarray(value).tolist() if hasattr(value, "__array__") else value
