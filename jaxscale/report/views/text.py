"""The answer in words: one sentence, one table, then remarks, then how far the data reach and what to do next.

Functions return strings or rich tables, so that the command line and notebooks share them.
"""

from collections.abc import Iterable, Mapping

import numpy as np
from rich.table import Table
from rich.text import Text

from jaxscale.core.ensemble import Ensemble, deviation
from jaxscale.core.flops import FLOP_PER_PARAM_TOKEN, training_flops
from jaxscale.core.law import AbstractLaw, class_signature, signature
from jaxscale.core.parametric import declared, specs
from jaxscale.core.results import RESULTS
from jaxscale.core.shown import sentence
from jaxscale.infer.fit.edges import edge_near, params_on_edges
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.forecast.forecast import Forecast
from jaxscale.infer.search.units import independent
from jaxscale.laws import question
from jaxscale.plan.plan_run import Planned
from jaxscale.report.views.numbers import count, entry, estimate, flops, quantity, span
from jaxscale.report.views.record import is_simulated, law_name, parameter_labels

_LOW, _HIGH = 0.05, 0.95
_HEAVY = 10.0  # times half the central 68 %, which is one standard deviation of a Gaussian


class Plain(Table):
    """A rich table whose cells are shown as they are: `E[c4]` and `N [params]` are no markup."""

    def add_row(self, *cells: str) -> None:  # type: ignore[override]
        super().add_row(*(Text(sentence(cell)) for cell in cells))


def table(title: str, *columns: str, left: int = 1) -> Table:
    """A plain table whose first `left` columns are text and the others numbers."""
    made = Plain(title=title or None, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for i, column in enumerate(columns):
        made.add_column(column, justify="left" if i < left else "right", no_wrap=i < len(columns) - 1)
    return made


def marked(fit: Fit, text: str) -> str:
    """`text`, with SIMULATED in front where the runs are no measurements."""
    return f"SIMULATED: {text}" if is_simulated(fit) else text


def fit_sentence(fit: Fit, name: str = "") -> str:
    """What was fitted to what, and whether to believe the optimum."""
    verdict = "certified" if fit.certificate.certified else "NOT certified"
    where = f" to {name}" if name else ""
    return marked(fit, f"{law_name(fit.law)} fitted{where}, {runs_of(fit)}, by {fit.objective.name}: {verdict}.")


def runs_of(fit: Fit) -> str:
    """`240 runs`, or `437 rows of 3 runs`."""
    evidence = independent(fit.problem)
    if evidence.units == evidence.rows:
        return f"{fit.count} runs"
    return f"{evidence.rows} rows of {evidence.units} runs"


def certificate_line(fit: Fit) -> str:
    """The evidence in one line."""
    c = fit.certificate
    optima = "one optimum" if c.distinct == 1 else f"{c.distinct} distinct optima"
    gap = "" if c.second_gap is None else f", the second {c.second_gap:.2g} above in relative terms"
    return (
        f"Certificate: {round(c.share_best * c.starts)} of {c.starts} starts reached the best value; {optima} "
        f"found{gap}; whitened gradient {c.gradient_norm:.1e} (allowed {c.tolerance:.1e}); smallest scaled eigenvalue "
        f"of the Hessian {c.smallest_eigenvalue:.1e}; {fit.objective.name} = {fit.value:.6g}."
    )


def parameter_table(fit: Fit, ensemble: Ensemble | None = None) -> Table:
    """Estimates with units and meaning; standard error and 90 % interval where there is an ensemble."""
    labels = iter(parameter_labels(fit))
    enough = ensemble is not None and ensemble.size - ensemble.failed >= 2
    extra = ("std. error", "5 %", "95 %") if enough else ()
    made = table(marked(fit, "parameters") if is_simulated(fit) else "", "", "estimate", *extra, "unit", "meaning")
    for name in ("unit", "meaning"):
        next(c for c in made.columns if c.header == name).justify = "left"
    draws = params_on_edges(fit, ensemble) if enough and ensemble is not None else {}
    for d in declared(fit.law):
        held = d.name not in fit.problem.split.free
        flat = np.asarray(d.value, np.float64).reshape(-1)
        spread = np.asarray(draws[d.name], np.float64).reshape(-1, flat.size) if draws else None
        for i, value in enumerate(flat):
            cells, name = [], d.name + "".join(f"[{j}]" for j in np.unravel_index(i, d.value.shape))
            # An edge is shown as what it is, not as how near to it a solver came.
            value = edge_near(d.spec.support, value) if name in fit.certificate.on_edge else value
            if spread is not None:
                column = spread[:, i]
                low, high = np.quantile(column, (_LOW, _HIGH))
                cells = ["fixed", "", ""] if held else [f"{_spread(column):.2g}", estimate(low), estimate(high)]
            unit = d.spec.quantity.unit
            meaning = f"{d.spec.doc} (fixed)" if held else d.spec.doc
            made.add_row(next(labels), estimate(float(value)), *cells, unit, meaning)
    return made


def _spread(column: np.ndarray) -> float:
    """Standard deviation; where a few draws of very many powers of ten make it, half of the central 68 %."""
    whole = float(deviation(column))
    low, high = np.quantile(column, (0.1587, 0.8413))
    return whole if whole <= _HEAVY * (high - low) / 2 or high == low else float(high - low) / 2


def reach_sentence(fit: Fit) -> str:
    """How far the fitted runs reach, and what their loss was taken as where its unit was not stated."""
    used = np.asarray(fit.runs.weight) > 0
    quantities = signature(fit.law).inputs
    ranges = {name: np.asarray(column, np.float64)[used] for name, column in fit.runs.columns.items()}
    parts = [
        f"{name} {span(column.min(), column.max(), quantities[name].unit if name in quantities else '')}"
        for name, column in ranges.items()
    ]
    if {"N", "D"} <= set(ranges):
        compute = training_flops(ranges["N"], ranges["D"])
        parts.append(f"compute (6ND) {flops(compute.min())} to {flops(compute.max())} FLOP")
    unit = signature(fit.law).output.unit
    own = unit in ("", "error") or fit.provenance.get("loss_unit") != "undeclared"
    taken = "" if own else f" Unit of the loss not stated, taken as {unit}."
    return f"The runs reach {'; '.join(parts)}. What lies beyond is extrapolation.{taken}"


def next_steps(fit: Fit, ensemble: Ensemble | None, saved: str | None = None) -> list[str]:
    """What to do with this fit, the most urgent first."""
    found = []
    exact = fit.certificate.code == RESULTS.exact
    if not fit.certificate.certified and not exact:
        found.append("Do not use these numbers before the reason given above is gone.")
    if ensemble is None and not exact:
        found.append("Add --bootstrap 4000 for intervals.")
    file = saved or "fit.nc"
    first = "" if saved else f"Add --save {file}, then: "
    inputs = set(signature(fit.law).inputs)
    if inputs - {"group"} in ({"N", "D"}, {"C", "M"}):
        group = f" --group {fit.groups[0]}" if "group" in inputs else ""
        found.append(f"{first}jaxscale plan {file} --flops {_tenfold(fit)}{group}")
    elif any(q.axes for q in signature(fit.law).inputs.values()):
        found.append(f"{first}jaxscale predict {file} --file points.csv --map ..., one row per prediction")
    else:
        at = ",".join(f"{name}=..." for name in signature(fit.law).inputs)
        found.append(f"{first}jaxscale predict {file} --at {at}")
    return found


def _tenfold(fit: Fit) -> str:
    runs = fit.runs.inputs
    used = np.asarray(fit.runs.weight) > 0
    compute = np.asarray(runs["C"] if "C" in runs else training_flops(runs["N"], runs["D"]), np.float64)[used]
    return flops(float(f"{10 * compute.max():.0e}"))


def plan_sentence(planned: Planned, fit: Fit) -> str:
    """For 1e24 FLOP train 97B parameters on 1.7T tokens (N 90 % interval ...); expected loss ..."""
    unit = signature(fit.law).output.unit
    point, q = planned.point, planned.quantiles
    asked = f"For {flops(planned.flops)} FLOP"
    if planned.target_loss is not None:
        asked = f"To reach a loss of {planned.target_loss:g} {unit}, spend {flops(planned.flops)} FLOP:"
    n90 = f" (N 90 % interval {span(*_band(q['N']), 'params')})" if q else ""
    l90 = f" (90 % interval {_band(q['loss'])[0]:.4f} to {_band(q['loss'])[1]:.4f})" if q else ""
    where = f" in group {planned.group}" if planned.group else ""
    bound = " This is an end of the allowed range, not a minimum." if planned.on_bound else ""
    return marked(
        fit,
        f"{asked} train {count(point['N'])} parameters on {count(point['D'])} tokens{where}{n90}; "
        f"expected loss {point['loss']:.4f} {unit}{l90}.{bound}",
    )


def _band(levels: Mapping[str, float]) -> tuple[float, float]:
    return levels[f"{_LOW:g}"], levels[f"{_HIGH:g}"]


def plan_table(planned: Planned, fit: Fit) -> Table:
    """N, D, loss and D/N with 50 and 90 % intervals, then half and twice the size."""
    unit = signature(fit.law).output.unit
    extra = ("5 %", "25 %", "75 %", "95 %") if planned.quantiles else ()
    made = table(marked(fit, "plan") if is_simulated(fit) else "", "", "best", *extra)
    rows = [
        ("N", "parameters", planned.point["N"], count, "N"),
        ("D", "tokens", planned.point["D"], count, "D"),
        (
            "D/N",
            "tokens per parameter",
            planned.point["D"] / planned.point["N"],
            lambda x: f"{x:.3g}",
            "tokens_per_param",
        ),
        ("loss", unit, planned.point["loss"], lambda x: f"{x:.4f}", "loss"),
    ]
    if planned.target_loss is not None:
        rows.insert(0, ("C", "FLOP", planned.flops, flops, "flops"))
    for name, words, value, shown, key in rows:
        q = (planned.quantiles or {}).get(key)
        cells = [shown(q[level]) for level in ("0.05", "0.25", "0.75", "0.95")] if q else [""] * len(extra)
        made.add_row(f"{name} ({words})" if words else name, shown(value), *cells)
    return made


def plan_notes(planned: Planned, fit: Fit) -> list[str]:
    """Price of another size, and the distance beyond the data."""
    priced = "; ".join(
        f"{count(x['N'])} on {count(x['D'])} costs {x['regret']:+.2%} of loss" for x in planned.alternatives
    )
    where = (
        f"This run lies {planned.decades:.1f} decades beyond the fitted runs (in N, D or compute, the furthest)."
        if planned.decades > 0
        else "This run lies inside the range of the fitted runs."
    )
    counted = (
        [] if planned.per_token == FLOP_PER_PARAM_TOKEN else [f"Compute here is C = {planned.per_token:g} N D FLOP."]
    )
    return [*counted, f"At the same compute {priced}.", where, reach_sentence(fit)]


def forecast_table(found: Forecast, fit: Fit) -> Table:
    """One row per point."""
    unit = signature(fit.law).output.unit
    extra = ("5 %", "25 %", "75 %", "95 %") if found.quantiles is not None else ()
    made = table(
        marked(fit, "forecast") if is_simulated(fit) else "",
        *found.inputs,
        f"loss ({unit})" if unit else "loss",
        *extra,
        "decades beyond the data",
        left=0,
    )
    found = found.flattened()
    for i, value in enumerate(found.point):
        levels = [f"{found.quantiles[q][i]:.4f}" for q in ("0.05", "0.25", "0.75", "0.95")] if found.quantiles else []
        shown = point_cells(found.inputs, i, fit)
        made.add_row(*shown, f"{value:.4f}", *levels, f"{found.decades[i]:.1f}")
    return made


def point_cells(inputs: Mapping[str, np.ndarray], i: int, fit: Fit) -> list[str]:
    """Point i of the columns `inputs` as people read it: sizes by their unit, the group by its label."""
    quantities = signature(fit.law).inputs
    return [
        str(fit.groups[int(column[i])])
        if name == "group"
        else entry(column[i])
        if np.ndim(column[i])
        else quantity(float(column[i]), quantities[name].unit)
        for name, column in inputs.items()
    ]


def law_table(laws: Iterable[type[AbstractLaw]]) -> Table:
    """The catalogue by question: name, inputs, output, citation key, first line of the docstring."""
    made = table("", "about", "law", "inputs", "output", "cite", "what it is", left=6)
    for cls in sorted(laws, key=lambda cls: (question(cls)[0], cls.__name__)):
        shape = class_signature(cls)
        inputs = ", ".join(f"{k} [{q.unit}]" if q.unit else k for k, q in shape.inputs.items())
        first = (cls.__doc__ or "").strip().split("\n")[0]
        made.add_row(question(cls)[0], cls.__name__, inputs, shape.output.unit or "-", cls.cite, first)
    return made


def law_details(cls: type[AbstractLaw]) -> tuple[str, Table, Table | None]:
    """Docstring, table of parameters, table of published sets (None where there are none)."""
    parameters = table("parameters", "", "unit", "default", "meaning", left=2)
    for name, spec in specs(cls).items():
        default = estimate(spec.init) if isinstance(spec.init, int | float) else ", ".join(map(estimate, spec.init))
        parameters.add_row(name, spec.quantity.unit or "-", default, spec.doc)
    parameters.columns[-1].justify = "left"
    published = None
    if cls.published:
        published = table("published sets", "", "source", "note", left=3)
        for name, p in cls.published.items():
            published.add_row(name, p.source, p.note)
        published.columns[1].no_wrap = False
    return (cls.__doc__ or "").strip(), parameters, published
