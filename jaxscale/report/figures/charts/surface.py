"""The loss surface: iso-loss contours over size and data, the runs, the compute-optimal line, iso-FLOP lines."""

from itertools import pairwise
from typing import Any

import altair as alt
import numpy as np
from contourpy import contour_generator

from jaxscale.core.flops import tokens_for, training_flops
from jaxscale.plan.plan_run import loss_at
from jaxscale.report.figures.charts import look
from jaxscale.report.figures.charts.look import Drawing
from jaxscale.report.figures.charts.subject import Subject, optima
from jaxscale.report.views.numbers import flops

_GRID = 72
_LEVELS = 11
_BELOW, _ABOVE = 1.6, 8.0  # factors that the picture reaches beyond the runs
_SLACK = 1.02
_BUDGETS = 60
_LABEL = 0.8  # of the way along a contour: off the crowd in the middle
_KINDS = ["iso-loss", "iso-loss, beyond", "compute-optimal", "compute-optimal, beyond", "iso-FLOP"]
_COLOURS = ["#4c6a8a", "#9fb0c0", look.BEYOND, look.BEYOND, "#c4c4c4"]
_DASHES = [[1, 0], [3, 3], [1, 0], [6, 4], [1, 4]]


def surface(subject: Subject) -> Drawing:
    """For laws of N and D, or of C and M."""
    title = "The loss surface"
    if not subject.sized:
        return Drawing("surface", title, "The law does not take size and data alone: there is no surface over N and D.")
    runs = subject.runs
    x = np.geomspace(runs["N"].min() / _BELOW, runs["N"].max() * _ABOVE, _GRID)
    y = np.geomspace(runs["D"].min() / _BELOW, runs["D"].max() * _ABOVE, _GRID)
    lines, labels = _contours(subject, x, y)
    lines += _optimal(subject, x, y)
    budgets, at = _budgets(x, y)
    lines += budgets
    across, up = alt.X("N:Q", **look.counts("N", x)), alt.Y("D:Q", **look.counts("D", y))
    kinds = alt.Color("what:N", **look.legend(_KINDS, _COLOURS, columns=5))
    drawn = _lines(lines)
    strokes = (
        alt.Chart(drawn)
        .mark_line(clip=True, strokeWidth=1.6)
        .encode(across, up, kinds, look.dashes(_KINDS, _DASHES), detail="line:N", order="step:O")
    )
    kept = look.few(len(runs["loss"]))
    told = {name: runs[name][kept] for name in ("N", "D", "C", "M", "loss", "law", "row", "group")}
    points = (
        alt.Chart(look.rows(**told, off=100 * runs["off"][kept]))
        .mark_circle(size=45, stroke="white", strokeWidth=0.6, opacity=1)
        .encode(across, up, look.losses_colour("loss of the runs", runs["loss"]))
        .encode(
            tooltip=look.run_tips(
                *(("N", "N", ".4~s"), ("D", "D", ".4~s"), ("C", "6ND", ".3e"), ("M", "D/N", ".4~g")),
                *(("law", "the law says", ".4f"), ("off", "residual, %", "+.3f")),
            )
        )
        .add_params(look.zoom())
    )
    text = alt.Chart(labels).encode(across, up, text="text:N")
    words: dict[str, Any] = {"fontSize": 11, "clip": True, "fontWeight": "bold"}
    halo, named = text.mark_text(stroke="white", strokeWidth=4, **words), text.mark_text(color=look.INK, **words)
    budget = alt.Chart(at).mark_text(color=look.GREY, dy=-7, clip=True, fontSize=11).encode(across, up, text="text:N")
    chart = (
        alt.layer(strokes, points, halo, named, budget)
        .resolve_scale(color="independent", strokeDash="independent")
        .properties(width=look.WIDTH - 110, height=520)
    )
    caption = (
        "Contours of the loss that the law predicts, solid in the range of the runs (points) and dashed beyond it. "
        f"Compute is 6ND.{subject.alone}" + look.few_sentence(len(runs["loss"]))
    )
    alternative = (
        f"Contours of predicted loss over N from {x[0]:.2g} to {x[-1]:.2g} and D from {y[0]:.2g} to {y[-1]:.2g}, with "
        f"{len(runs['loss'])} runs and the line of compute-optimal runs."
    )
    return look.drawing("surface", title, caption, chart, alternative)


type _Line = tuple[str, np.ndarray, np.ndarray]


def _lines(lines: list[_Line]) -> alt.InlineData:
    size = [len(N) for _, N, _ in lines]
    return look.rows(
        what=np.repeat([kind for kind, _, _ in lines], size),
        line=np.repeat(np.arange(len(lines)), size),
        step=np.concatenate([np.arange(n) for n in size]),
        N=np.concatenate([N for _, N, _ in lines]),
        D=np.concatenate([D for _, _, D in lines]),
    )


def _contours(subject: Subject, x: np.ndarray, y: np.ndarray) -> tuple[list[_Line], alt.InlineData]:
    """Contours, cut where they leave the range of the runs, and a label on each."""
    N, D = np.meshgrid(x, y)
    loss = loss_at(subject.fit, N.reshape(-1), D.reshape(-1)).reshape(N.shape)
    levels = np.geomspace(np.quantile(loss, 0.02), np.quantile(loss, 0.97), _LEVELS)
    # In logarithms all three are nearly straight, so that lines between grid points are where they should be.
    found = contour_generator(np.log(x), np.log(y), np.log(loss))
    lines: list[_Line] = []
    labels = []
    for level in levels:
        curves = [np.exp(np.asarray(line, np.float64)) for line in found.lines(float(np.log(level)))]
        pieces = [piece for curve in curves for piece in _cut(subject, curve)]
        lines += pieces
        longest = max(pieces, key=lambda piece: (piece[0] == _KINDS[0], len(piece[1])), default=None)
        if longest is not None:
            place = int(_LABEL * (len(longest[1]) - 1))
            labels.append((longest[1][place], longest[2][place], f"{level:.3g}"))
    places, heights, text = zip(*labels, strict=True)
    return lines, look.rows(N=places, D=heights, text=text)


def _cut(subject: Subject, line: np.ndarray) -> list[_Line]:
    """The pieces of a contour (points, 2) inside and outside the range of the runs; neighbours share an end."""
    inside = np.ones(len(line), bool)
    for axis, name in enumerate(("N", "D")):
        low, high = subject.runs[name].min() / _SLACK, subject.runs[name].max() * _SLACK
        inside &= (low <= line[:, axis]) & (line[:, axis] <= high)
    starts = [0, *(np.flatnonzero(np.diff(inside)) + 1), len(line)]
    return [
        (_KINDS[0] if inside[a] else _KINDS[1], line[a : b + 1, 0], line[a : b + 1, 1]) for a, b in pairwise(starts)
    ]


def _optimal(subject: Subject, x: np.ndarray, y: np.ndarray) -> list[_Line]:
    """The compute-optimal run of every budget in the picture, in two pieces; none where the law knows no optimum."""
    edge = float(subject.runs["C"].max())
    budgets = np.sort(np.append(np.geomspace(training_flops(x[0], y[0]), training_flops(x[-1], y[-1]), _BUDGETS), edge))
    best = optima(subject, budgets)
    near, far = best.inside & (budgets >= subject.runs["C"].min()) & (budgets <= edge), best.inside & (budgets >= edge)
    return [(kind, best.N[part], best.D[part]) for kind, part in ((_KINDS[2], near), (_KINDS[3], far)) if part.any()]


def _budgets(x: np.ndarray, y: np.ndarray) -> tuple[list[_Line], alt.InlineData]:
    """Straight lines of equal compute at whole powers of ten, and their labels at the left or upper end."""
    low, high = np.log10(training_flops(x[0], y[0])), np.log10(training_flops(x[-1], y[-1]))
    step = max(1, int((high - low) // 6))
    budgets = 10.0 ** np.arange(np.ceil(low), np.floor(high) + 1, step)
    lines, labels = [], []
    for budget in budgets:
        ends = np.array([max(x[0], tokens_for(budget, y[-1])), min(x[-1], tokens_for(budget, y[0]))])
        lines.append((_KINDS[4], ends, tokens_for(budget, ends)))
        place = ends[0] * (ends[1] / ends[0]) ** 0.06
        labels.append((place, tokens_for(budget, place), flops(budget)))
    places, heights, text = zip(*labels, strict=True)
    return lines, look.rows(N=places, D=heights, text=text)
