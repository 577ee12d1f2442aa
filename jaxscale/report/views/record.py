"""Plain dicts for JSON: the same facts as `text`, for programs. NaN and infinity become null, and a warning."""

import dataclasses
import inspect
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxscale.compose import Pooled, Tied
from jaxscale.core.ensemble import Ensemble, ensemble_doubts, quantile_table
from jaxscale.core.law import AbstractLaw, class_signature, signature
from jaxscale.core.parametric import declared, specs
from jaxscale.infer.fit.edges import edge_remarks, params_on_edges
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.forecast.forecast import Forecast
from jaxscale.infer.search.units import independent
from jaxscale.laws import formula, question
from jaxscale.plan.plan_run import Planned
from jaxscale.report.views.numbers import entry

SIMULATED = "simulated"


def law_name(law: AbstractLaw) -> str:
    """`Chinchilla`, or `Pooled(Chinchilla, split=E,A, groups=c4,pile)`."""
    match law:
        case Pooled():
            levels = [f"{k}={','.join(v)}" for k, v in (("split", law.split), ("partial", law.partial)) if v]
            return f"Pooled({', '.join([law_name(law.law), *levels])}, groups={','.join(law.groups)})"
        case Tied():
            parts = ", ".join(f"{label}: {law_name(inner)}" for label, inner in law.laws.items())
            return f"Tied({parts}, tie={','.join(law.tie)})"
        case _:
            return type(law).__name__


def is_simulated(fit: Fit) -> str:
    """What was simulated and how, from the fit's provenance; empty for measurements."""
    return fit.provenance.get(SIMULATED, "")


def parameter_labels(fit: Fit) -> list[str]:
    """One label per entry of every parameter: `alpha`, `E[c4]`, `w[0]`."""
    entries = ((d.name, index) for d in declared(fit.law) for index in np.ndindex(np.shape(d.value)))
    return [entry_label(fit.law, name, index) for name, index in entries]


def entry_label(law: AbstractLaw, name: str, index: tuple[int, ...]) -> str:
    """One entry of a parameter; a joint law's groups by their label."""
    parts = [str(i) for i in index]
    if isinstance(law, Pooled) and name in law.by_group:
        parts[0] = str(law.groups[index[0]])
    return f"{name}[{','.join(parts)}]" if parts else name


def fit_record(
    fit: Fit, ensemble: Ensemble | None = None, seconds: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """`law, params, objective, certificate, bootstrap, warnings, seconds`, and where the runs come from.

    `runs` counts rows, `independent_runs` the runs (clusters) to which those with weight belong.

    Where the ensemble holds posterior draws, it stands under `posterior` and `bootstrap` is null.
    """
    kind = "posterior" if ensemble is not None and not ensemble.method.startswith("bootstrap") else "bootstrap"
    certificate = {
        **dataclasses.asdict(fit.certificate),
        "code": fit.certificate.code.name,
        "sentence": fit.certificate.code.sentence,
        "certified": fit.certificate.certified,
        "is_local_optimum": fit.certificate.is_local_optimum,
    }
    units = {d.name: d.spec.quantity.unit for d in declared(fit.law)}
    return finite(
        {
            "law": law_name(fit.law),
            "params": {name: np.asarray(value, np.float64).tolist() for name, value in fit.params.items()},
            "units": units,
            "objective": {"name": fit.objective.name, "value": fit.value},
            "certificate": certificate,
            "identifiability": dataclasses.asdict(fit.identifiability),
            "bootstrap": None,
            kind: None if ensemble is None else ensemble_record(fit, ensemble),
            "runs": fit.count,
            "independent_runs": independent(fit.problem).units,
            "groups": list(fit.groups),
            "fixed": [d.name for d in declared(fit.law) if d.name not in fit.problem.split.free],
            "seed": fit.seed,
            "simulated": is_simulated(fit) or None,
            "provenance": dict(fit.provenance),
            "warnings": warnings_of(fit, ensemble),
            "seconds": dict(seconds) if seconds is not None else {"compile": None, "run": fit.seconds.get("total")},
        }
    )


def ensemble_record(fit: Fit, ensemble: Ensemble) -> dict[str, Any]:
    """`n, failed, method, quantiles, standard_errors`; the latter two null where fewer than two draws converged.

    Draws at the edge of a support are put on it.
    """
    enough = ensemble.size - ensemble.failed >= 2
    errors = {name: np.asarray(x).tolist() for name, x in ensemble.standard_errors().items()} if enough else None
    return {
        "n": ensemble.size,
        "failed": ensemble.failed,
        "method": ensemble.method,
        "quantiles": {n: quantile_table(x) for n, x in params_on_edges(fit, ensemble).items()} if enough else None,
        "standard_errors": errors,
    }


def warnings_of(fit: Fit, ensemble: Ensemble | None = None) -> list[str]:
    """Every sentence a reader must see."""
    found = list(fit.remarks)
    if is_simulated(fit):
        found.insert(0, f"SIMULATED: {is_simulated(fit)}")
    return [*found, *edge_remarks(fit, ensemble), *ensemble_doubts(ensemble)]


def plan_record(planned: Planned, fit: Fit) -> dict[str, Any]:
    """`point {N, D, loss}`, `quantiles`, `warnings`, and how far out the plan lies."""
    return finite(
        {
            "law": law_name(fit.law),
            "group": planned.group,
            "flops": planned.flops,
            "flop_per_param_token": planned.per_token,
            "target_loss": planned.target_loss,
            "point": dict(planned.point),
            "quantiles": planned.quantiles,
            "tokens_per_param": planned.point["D"] / planned.point["N"],
            "on_bound": planned.on_bound,
            "decades_beyond": planned.decades,
            "alternatives": [dict(x) for x in planned.alternatives],
            "simulated": is_simulated(fit) or None,
            "warnings": [*warnings_of(fit), *planned.remarks],
        }
    )


def forecast_record(found: Forecast, fit: Fit) -> dict[str, Any]:
    """`points`: one dict per point with its inputs, `loss`, `quantiles`, `decades_beyond`."""
    points, found = [], found.flattened()
    for i in range(len(found.point)):
        inputs = {name: _label(fit, name, column[i]) for name, column in found.inputs.items()}
        levels = None if found.quantiles is None else {q: float(x[i]) for q, x in found.quantiles.items()}
        points.append(
            {
                "inputs": inputs,
                "loss": float(found.point[i]),
                "quantiles": levels,
                "decades_beyond": float(found.decades[i]),
            }
        )
    return finite(
        {
            "law": law_name(fit.law),
            "unit": signature(fit.law).output.unit,
            "points": points,
            "simulated": is_simulated(fit) or None,
            "warnings": [*warnings_of(fit), *found.remarks()],
        }
    )


def _label(fit: Fit, name: str, value: Any) -> Any:
    if name != "group":
        return entry(value) if np.ndim(value) else float(value)
    return fit.groups[int(value)] if fit.groups else int(value)


def law_record(cls: type[AbstractLaw]) -> dict[str, Any]:
    """What `jaxscale laws --json` says of a law: what it answers, formula, units, parameters, published sets, data."""
    shape = class_signature(cls)
    return {
        "name": cls.__name__,
        "module": cls.__module__,
        "about": question(cls)[0],
        "doc": inspect.cleandoc(cls.__doc__ or ""),
        "formula": formula(cls),
        "cite": cls.cite,
        "inputs": list(shape.inputs),
        "output": shape.output.doc,
        "units": {**{name: q.unit for name, q in shape.inputs.items()}, "output": shape.output.unit},
        "parameters": {
            name: {"doc": spec.doc, "unit": spec.quantity.unit, "default": spec.init}
            for name, spec in specs(cls).items()
        },
        "published": {
            name: {"values": dict(p.values), "source": p.source, "note": p.note} for name, p in cls.published.items()
        },
        "domain": {name: cls.domain.get(name, q.widest) for name, q in shape.inputs.items()},
        "reproduced_on": list(cls.reproduced_on),
    }


def finite(record: dict[str, Any]) -> dict[str, Any]:
    """Numbers that JSON cannot hold become null, each named by one more sentence in `warnings`."""
    lost: list[str] = []

    def clean(value: Any, path: str) -> Any:
        if isinstance(value, Mapping):
            return {str(k): clean(v, f"{path}.{k}" if path else str(k)) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [clean(v, f"{path}[{i}]") for i, v in enumerate(value)]
        if isinstance(value, np.generic | np.ndarray):
            return clean(value.tolist(), path)
        if isinstance(value, float) and not math.isfinite(value):
            lost.append(f"{path} is {value}")
            return None
        return value

    made = clean(record, "")
    if lost:
        sentence = f"Written as null, for JSON knows finite numbers only: {', '.join(lost)}."
        made["warnings"] = [*made.get("warnings", []), sentence]
    return made
