"""The answer of the report in one sentence, and the sentences that must stand above everything else."""

import numpy as np

from jaxscale.core.ensemble import ensemble_doubts
from jaxscale.core.flops import training_flops
from jaxscale.core.law import signature
from jaxscale.infer.forecast.prediction import Outlined
from jaxscale.report.figures.charts.subject import Subject, widths
from jaxscale.report.views import forecast as forecasting
from jaxscale.report.views.numbers import count, flops, quantity, span
from jaxscale.report.views.record import is_simulated

_APART = 0.05  # of compute: from here on a table's own FLOP and 6ND are told apart


def answer(subject: Subject) -> str:
    """What the chosen law expects where it was asked (the furthest point), how wide, how far out, and who lost."""
    chosen = forecasting.sentence(subject.found, subject.study.name).rstrip(".")
    made = subject.plan if subject.plan is not None else subject.asked
    if made is None:
        return f"{chosen}."
    i = int(np.argmax(made.decades))
    width = widths(made)
    parts = ", ".join(
        f"{cause} ±{half[i]:.2%}"
        for cause, half in (("parameters", width.parameters), ("noise of a run", width.noise), ("law", width.law))
    )
    unit = f" {subject.unit}" if subject.unit else ""
    by = "" if made.chosen == subject.found.chosen else f" by {made.chosen}"
    loss = f"expected loss{by} {made.point[i]:.4f}{unit}, 90 % band {width.low[i]:.4f} to {width.high[i]:.4f} ({parts})"
    return (
        f"{_asked(subject, made, i)} {loss}, {_distance(subject, float(made.decades[i]))}{_price(subject)}; {chosen}."
    )


def _asked(subject: Subject, made: Outlined, i: int) -> str:
    planned = subject.planned
    if planned is None:
        units = signature(subject.fit.law).inputs
        return f"At {', '.join(f'{k} = {quantity(float(x[i]), units[k].unit)}' for k, x in made.inputs.items())}:"
    q = planned.quantiles
    interval = f" (N 90 % interval {span(q['N']['0.05'], q['N']['0.95'], 'params')})" if q else ""
    N, D = count(planned.point["N"]), count(planned.point["D"])
    return f"For {flops(planned.flops)} FLOP train {N} parameters on {D} tokens{interval}:"


def _distance(subject: Subject, decades: float) -> str:
    if decades <= 0:
        return "inside the range of the runs"
    reach = f", which reach {flops(float(subject.runs['C'].max()))} FLOP" if subject.sized else ""
    return f"{decades:.1f} decades beyond the runs{reach}"


def _price(subject: Subject) -> str:
    """Of half and twice the size."""
    if subject.planned is None:
        return ""
    half, twice = (f"{x['regret']:.2%}" for x in subject.planned.alternatives)
    return f"; half the size costs {half} of loss, twice the size {twice}"


def severe(subject: Subject) -> list[str]:
    """What would make the answer wrong, not only less sure: first of all, each once."""
    fit = subject.fit
    said = [f"SIMULATED: {is_simulated(fit)}"] if is_simulated(fit) else []
    if not fit.certificate.certified:
        said += ["The fit is NOT certified: do not use these numbers.", *fit.certificate.remarks()]
    if subject.planned is not None and subject.planned.on_bound:
        said += subject.planned.remarks[:1]
    doubts = ensemble_doubts(subject.found.ensemble)
    for made in (subject.plan, subject.asked):
        said += [] if made is None else [remark for remark in made.remarks() if remark not in doubts]
    return list(dict.fromkeys(said))


def further(subject: Subject) -> list[str]:
    """Every other sentence that a reader must see."""
    known = set(severe(subject))
    said = forecasting.remarks(subject.found, None, subject.asked) + compute_remark(subject)
    if subject.test is not None:
        doubts = ensemble_doubts(subject.found.ensemble)
        said += [f"The held-out runs: {r}" for r in subject.test.outlined.remarks() if r not in doubts]
    if subject.planned is not None:
        # The plan's own remark on distance speaks of intervals of the parameters only; the bands here hold more.
        said += [r for r in subject.planned.remarks if not r.startswith("Extrapolation")]
    return [sentence for sentence in dict.fromkeys(said) if sentence not in known]


def compute_remark(subject: Subject) -> list[str]:
    """Whether the table's own FLOP are another count than the 6ND of this page."""
    own = subject.study.columns.get("C")
    if own is None or not subject.sized:
        return []
    columns = subject.study.columns
    if not {"N", "D"} <= set(columns):
        return []
    ratio = own / training_flops(columns["N"], columns["D"])
    low, high = float(np.min(ratio)), float(np.max(ratio))
    if max(abs(low - 1), abs(high - 1)) <= _APART:
        return []
    return [f"Compute is 6ND on this page; the table's own FLOP are {low:.3g} to {high:.3g} times that."]
