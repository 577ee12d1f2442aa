"""Iso-FLOP curves: the loss over size at fixed compute, with the runs of that compute and the minimum of each."""

from itertools import pairwise

import altair as alt
import numpy as np

from jaxscale.core.flops import size_at, tokens_for
from jaxscale.plan.plan_run import loss_at
from jaxscale.report.figures.charts import look
from jaxscale.report.figures.charts.look import Drawing
from jaxscale.report.figures.charts.subject import Subject, optima
from jaxscale.report.views.numbers import flops

_NEAR = 1.2  # a run belongs to a budget within this factor
_INSIDE = 5
_APART = 2.0
_TEN = 10.0  # times the largest run: the budget beyond where none was asked for
_AROUND = 12.0  # factor on either side of the optimum
_POINTS = 80
_WHERE = ["in reach of the runs", "beyond"]


def budgets(compute: np.ndarray) -> np.ndarray:
    """Up to five budgets over the range of the runs' compute, no two nearer than twofold.

    In each fifth of the range it is the one that most runs share.
    """
    edges = np.geomspace(compute.min(), compute.max() * (1 + 1e-9), _INSIDE + 1)
    crowd = np.sum(np.abs(np.log(compute[:, None] / compute)) < np.log(_NEAR), axis=1)
    found = []
    for low, high in pairwise(edges):
        part = np.flatnonzero((compute >= low) & (compute < high))
        if part.size:
            best = compute[part[np.argmax(crowd[part])]]
            if not found or best >= _APART * found[-1]:
                found.append(best)
    return np.array(found)


def isoflop(subject: Subject) -> Drawing:
    """For laws of N and D, or of C and M."""
    title = "Iso-FLOP curves"
    if not subject.sized:
        return Drawing("isoflop", title, "The law does not take size and data alone: it has no iso-FLOP curves.")
    runs, fit = subject.runs, subject.fit
    inside = budgets(runs["C"])
    beyond = _TEN * runs["C"].max() if subject.planned is None else subject.planned.flops
    chosen = np.append(inside, beyond)
    best = optima(subject, chosen)
    optimum, least, ok = best.N, best.loss, best.inside
    names = [f"{flops(c)} FLOP" for c in chosen]
    where = np.where(chosen > runs["C"].max(), *reversed(_WHERE))
    near = np.abs(np.log(runs["C"][:, None] / chosen)) < np.log(_NEAR)
    curves, points = [], []
    for i, budget in enumerate(chosen):
        mine = np.flatnonzero(near[:, i])
        middle = optimum[i] if ok[i] else size_at(budget, np.median(runs["M"]))
        ends = np.array([middle / _AROUND, middle * _AROUND, *(runs["N"][mine] / 1.2), *(runs["N"][mine] * 1.2)])
        sizes = np.geomspace(ends.min(), ends.max(), _POINTS)
        curves.append((np.full(_POINTS, i), sizes, loss_at(fit, sizes, tokens_for(budget, sizes))))
        points.append((np.full(mine.size, i), mine))
    index, sizes, values = (np.concatenate(x) for x in zip(*curves, strict=True))
    of, row = (np.concatenate(x) for x in zip(*points, strict=True))
    low = 0.98 * min(float(least.min()), float(runs["loss"].min()))
    up = look.losses(subject.unit, low, 1.05 * float(np.quantile(runs["loss"], 0.97)))
    across, height = alt.X("N:Q", **look.counts("N", sizes)), alt.Y("loss:Q", **up)
    beyond_colours = [look.BEYOND] if where[-1] == _WHERE[1] else [look.INK]
    colour = alt.Color("budget:N", **look.legend(names, [*look.shades(len(inside)), *beyond_colours], "budget (6ND)"))
    name = np.array(names)
    lines = (
        alt.Chart(look.rows(budget=name[index], where=where[index], N=sizes, loss=values))
        .mark_line(clip=True, strokeWidth=2)
        .encode(across, height, colour)
        .encode(
            strokeDash=alt.StrokeDash("where:N", scale=alt.Scale(domain=_WHERE, range=[[1, 0], [6, 4]]), title=None)
        )
        .encode(
            opacity=alt.Opacity("where:O", sort=_WHERE, scale=alt.Scale(domain=_WHERE, range=[1, 0.75]), legend=None)
        )
    )
    told = {key: runs[key][row] for key in ("N", "D", "C", "loss", "law", "row", "group")}
    dots = (
        alt.Chart(look.rows(budget=name[of], **told))
        .mark_circle(size=40, stroke="white", strokeWidth=0.5, opacity=1, clip=True)
        .encode(across, height, colour)
        .encode(
            tooltip=look.run_tips(("N", "N", ".4~s"), ("D", "D", ".4~s"), ("C", "6ND", ".3e"), ("law", "law", ".4f"))
        )
    )
    minima = (
        alt.Chart(look.rows(budget=name[ok], N=optimum[ok], loss=least[ok], D=tokens_for(chosen[ok], optimum[ok])))
        .mark_point(shape="diamond", size=110, filled=True, stroke="white", strokeWidth=1, opacity=1, clip=True)
        .encode(across, height, colour)
        .encode(
            tooltip=look.tips(
                ("budget", "budget", ""), ("N", "best N", ".4~s"), ("D", "D", ".4~s"), ("loss", "loss", ".4f")
            )
        )
        .add_params(look.zoom())
    )
    layers = [lines, dots, minima] if ok.any() else [lines, dots.add_params(look.zoom())]
    chart = alt.layer(*layers).properties(width=look.WIDTH, height=420)
    caption = (
        f"Loss over size at fixed compute (6ND). Diamonds: compute-optimal sizes. Points: runs within a factor "
        f"{_NEAR:g} of a budget. {_beyond(names[-1], where[-1])}{subject.alone}"
    )
    minimum = "; ".join(f"{n} at N = {x:.3g}" for n, x in zip(name[ok], optimum[ok], strict=True)) or "none"
    return look.drawing(
        "isoflop", title, caption, chart, f"Loss over model size at {len(chosen)} budgets; minima: {minimum}."
    )


def _beyond(name: str, where: str) -> str:
    return f"Dashed: {name}, beyond the runs." if where == _WHERE[1] else f"Dark: {name}, the budget asked for."
