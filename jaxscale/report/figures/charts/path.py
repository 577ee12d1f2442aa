"""The forecast beyond the runs with its three uncertainties: on the scale of the loss, and relative to the law."""

from typing import Any

import altair as alt
import numpy as np

from jaxscale.core.law import signature
from jaxscale.report.figures.charts import look
from jaxscale.report.figures.charts.look import Drawing
from jaxscale.report.figures.charts.subject import Path, Subject, path, widths

_CAUSES = ["parameters", "noise of a run", "law", "total (90 %)"]
_COLOURS = [look.COLOURS[0], look.COLOURS[2], look.COLOURS[1], "#999999"]
_DASHES = [[1, 0], [2, 2], [7, 3], [1, 0]]
_RUNS = ["fitted runs", "held-out runs", "asked for"]
_RUN_COLOURS, _SHAPES = [look.GREY, look.INK, look.COLOURS[3]], ["circle", "diamond", "cross"]
_WHERE = ["the law, within the runs", "the law, beyond"]
_RIVALS = 3
_OUT = 1.6  # times the widest band: rivals beyond it leave the picture


def forecast(subject: Subject) -> Drawing:
    """Two panels that share the axis of compute, or of the law's one input."""
    title = "The forecast"
    found = path(subject)
    if found is None:
        inputs = ", ".join(signature(subject.fit.law).inputs)
        return Drawing(
            "forecast", title, f"The law takes {inputs}: no one path leads beyond the runs. The table holds the points."
        )
    quantity = signature(subject.fit.law).inputs.get(found.name)
    axis = look.counts(found.name, found.x, quantity.unit if quantity else "")
    across = alt.X("x:Q", **axis)
    shade = (
        alt.Chart(look.rows(start=found.edge, stop=found.x[-1]))
        .mark_rect(color=look.SHADE, clip=True)
        .encode(alt.X("start:Q", **axis), x2="stop:Q")
    )
    chart = (
        alt.vconcat(_losses(subject, found, across, shade), _relative(subject, found, across, shade), spacing=8)
        .resolve_scale(x="shared", color="independent", shape="independent", strokeDash="independent")
        .resolve_legend(color="independent", shape="independent")
    )
    width = widths(found.made)
    last = {cause: f"{100 * x[-1]:.2g} %" for cause, x in zip(_CAUSES, width_parts(width), strict=True)}
    end = f"At {found.x[-1]:.2g} ({found.made.decades[-1]:.1f} decades out): ± " + ", ".join(
        f"{cause} {size}" for cause, size in last.items()
    )
    caption = (
        f"{found.made.chosen} {found.words}, dashed and on shaded ground beyond the runs, with its 90 % band. "
        "Below, the same relative to the law: each uncertainty for itself, the total, and what the next best laws say "
        f"(dotted). Runs are shown against their own forecast. {end}."
    )
    return look.drawing("forecast", title, caption, chart, f"The forecast with its bands over {found.name}. {end}.")


def width_parts(width: Any) -> tuple[np.ndarray, ...]:
    """Half-widths by cause in the order of the legend; of the total the mean of both sides."""
    return width.parameters, width.noise, width.law, 0.5 * np.log(width.high / width.low)


def _losses(subject: Subject, found: Path, across: alt.X, shade: alt.Chart) -> Any:
    width, made = widths(found.made), found.made
    runs = subject.runs
    kept = look.few(len(runs["loss"]))
    dots = [(_RUNS[0], runs[found.name][kept], runs["loss"][kept], runs["row"][kept])]
    if subject.test is not None:
        dots.append((_RUNS[1], subject.along(subject.test.outlined.inputs), subject.test.observed, subject.held_rows))
    for asked in (subject.asked, subject.plan):
        if asked is not None:
            dots.append((_RUNS[2], subject.along(asked.inputs), asked.point, np.zeros(len(asked.point), int)))
    seen = np.concatenate([values for _, _, values, _ in dots])
    low, high = min(width.low.min(), seen.min()), max(np.quantile(seen, 0.98), width.high.max())
    height = look.losses(subject.unit, 0.98 * float(low), 1.03 * float(high))
    up = alt.Y("loss:Q", **height)
    data = look.rows(x=found.x, loss=made.point, low=width.low, high=width.high, decades=made.decades)
    band = alt.Chart(data).mark_area(color=_COLOURS[3], opacity=0.35, clip=True)
    band = band.encode(across, alt.Y("low:Q", **height), y2="high:Q")
    line = alt.Chart(_pieces(found, loss=made.point)).mark_line(color=look.COLOURS[0], strokeWidth=2.2, clip=True)
    where = alt.StrokeDash("where:N", scale=alt.Scale(domain=_WHERE, range=[[1, 0], [6, 4]]), title=None)
    names = [name for name in _RUNS if name in {what for what, *_ in dots}]
    looks = [_RUNS.index(name) for name in names]
    shape = alt.Scale(domain=names, range=[_SHAPES[i] for i in looks])
    points = (
        alt.Chart(_stack(dots))
        .mark_point(filled=True, clip=True, size=38, opacity=0.75)
        .encode(across, up)
        .encode(
            color=alt.Color("what:N", **look.legend(names, [_RUN_COLOURS[i] for i in looks])),
            shape=alt.Shape("what:N", scale=shape, legend=alt.Legend(title=None)),
            tooltip=look.tips(
                ("what", "point", ""),
                ("row", "row of the table", "d"),
                ("x", found.name, ".4~g"),
                ("loss", "loss", ".4f"),
            ),
        )
        .add_params(look.zoom())
    )
    return alt.layer(shade, points, band, line.encode(across, up, where)).properties(width=look.WIDTH, height=300)


def _relative(subject: Subject, found: Path, across: alt.X, shade: alt.Chart) -> Any:
    width, made = widths(found.made), found.made
    low, high = np.log(width.low / made.point), np.log(width.high / made.point)
    widest = float(max(-low.min(), high.max()))
    off = 100 * np.log(subject.test.observed / subject.test.outlined.point) if subject.test is not None else np.zeros(0)
    end = 100 * max(_OUT * widest, 1.05 * float(np.max(np.abs(off), initial=0)) / 100)
    up = alt.Y("y:Q", scale=alt.Scale(domain=[-end, end], nice=False), title="relative to the law (%)")
    data = look.rows(x=found.x, y=100 * low, high=100 * high)
    band = alt.Chart(data).mark_area(color=_COLOURS[3], opacity=0.25, clip=True).encode(across, up, y2="high:Q")
    parts = width_parts(width)[:3]
    sides = [
        (cause, f"{cause}{sign}", found.x, 100 * sign * part)
        for cause, part in zip(_CAUSES, parts, strict=False)
        for sign in (-1, 1)
    ] + [(_CAUSES[3], f"total{i}", found.x, 100 * side) for i, side in enumerate((low, high))]
    n = len(found.x)
    what, line, x, y = zip(*sides, strict=True)
    bands = look.rows(what=np.repeat(what, n), line=np.repeat(line, n), x=np.concatenate(x), y=np.concatenate(y))
    edges = (
        alt.Chart(bands)
        .mark_line(clip=True, strokeWidth=1.8)
        .encode(across, up, alt.Color("what:N", **look.legend(_CAUSES, _COLOURS)), look.dashes(_CAUSES, _DASHES))
        .encode(detail="line:N")
    )
    layers = [shade, band, edges, *_rivals(subject, found, across, up, end)]
    if subject.test is not None:
        held = look.rows(
            x=subject.along(subject.test.outlined.inputs), y=off, loss=subject.test.observed, row=subject.held_rows
        )
        mark = alt.Chart(held).mark_point(shape="diamond", filled=True, color=look.INK, size=45, clip=True)
        told = look.tips(
            ("row", "row of the table", "d"), ("loss", "loss", ".4f"), ("y", "off its forecast, %", "+.3f")
        )
        layers.append(mark.encode(across, up, tooltip=told))
    return alt.layer(*layers).properties(width=look.WIDTH, height=230)


def _rivals(subject: Subject, found: Path, across: alt.X, up: alt.Y, end: float) -> list[alt.Chart]:
    """The next best laws on the same path; the picture ends at `end` per cent."""
    labels = [label for label in found.made.others if label != found.made.chosen][:_RIVALS]
    drawn = []
    for label in labels:
        y = 100 * np.log(found.made.others[label] / found.made.point)
        data = look.rows(x=found.x, y=y, law=label)
        line = alt.Chart(data).mark_line(color=look.GREY, strokeDash=[1, 3], strokeWidth=1.6, clip=True)
        drawn.append(line.encode(across, up, tooltip=look.tips(("law", "law", ""), ("y", "off the chosen, %", "+.3f"))))
        # Named where it is last seen inside the picture.
        inside = np.flatnonzero(np.abs(y) < 0.95 * end)
        if inside.size:
            last = look.rows(x=found.x[inside[-1]], y=y[inside[-1]], law=label)
            drawn.append(
                alt.Chart(last).mark_text(align="right", dy=-6, color="#5f5f5f").encode(across, up, text="law:N")
            )
    return drawn


def _pieces(found: Path, **columns: np.ndarray) -> alt.InlineData:
    """The path in two pieces that share the edge of the runs."""
    near, far = found.x <= found.edge, found.x >= found.edge
    where = np.repeat(_WHERE, [near.sum(), far.sum()])
    both = {name: np.concatenate([x[near], x[far]]) for name, x in {"x": found.x, **columns}.items()}
    return look.rows(where=where, **both)


def _stack(dots: list[tuple[str, np.ndarray, np.ndarray, np.ndarray]]) -> alt.InlineData:
    what, x, loss, row = zip(*dots, strict=True)
    return look.rows(
        what=np.repeat(what, [len(values) for values in loss]),
        x=np.concatenate(x),
        loss=np.concatenate(loss),
        row=np.concatenate(row),
    )
