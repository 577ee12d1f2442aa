"""Shared look of the page's charts: the colours of `plots.style`, log axes, tables of numbers, what a chart is.

Charts are Vega-Lite, made by altair and drawn by the reader's browser, so that a run can be pointed at and named.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import altair as alt
import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex

from jaxscale.report.figures.plots.style import BEYOND, COLOURS, COUNTS, GREY, INK, LOSS

__all__ = ["BEYOND", "COLOURS", "GREY", "INK"]

WIDTH = 800  # of the plotting area, in pixels: with axis and legend what the page is wide
SHADE = "#f4ece6"  # of what lies beyond the runs
_MOST = 3000  # marks of one kind that a browser draws at once
_DIGITS = 7
_FONT = "system-ui, sans-serif"
_CONFIG = {
    "background": "white",
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "titleFontWeight": "normal",
        "gridColor": "#e6e6e6",
        "domainColor": GREY,
        "tickColor": GREY,
        "labelFontSize": 12,
        "titleFontSize": 13,
        "labelOverlap": "greedy",
    },
    "legend": {
        "orient": "bottom",
        "labelColor": INK,
        "titleColor": INK,
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "labelLimit": 420,
        "columns": 4,
        "symbolStrokeWidth": 2.5,
    },
    "title": {"anchor": "start", "color": INK, "fontSize": 13, "fontWeight": "normal"},
    # What a chart shows is told once, by its description; a thousand marks read aloud tell nothing.
    "mark": {"aria": False},
}


@dataclass(frozen=True)
class Drawing:
    """A chart of the page.

    - `spec`: Vega-Lite; None where the law does not allow the chart, and `caption` then says why.
    - `caption`: what is to be seen in it, as sentences.
    """

    key: str
    title: str
    caption: str
    spec: Mapping[str, Any] | None = field(default=None, repr=False)


def drawing(key: str, title: str, caption: str, chart: Any, alternative: str) -> Drawing:
    """`chart` in the look of the page; `alternative` says in words what it shows to whoever cannot see it."""
    return Drawing(key, title, caption, chart.to_dict() | {"config": _CONFIG, "description": alternative})


def rows(**columns: Any) -> alt.InlineData:
    """Columns that broadcast to one length as inline data: seven digits, null for what is no number."""
    arrays = np.broadcast_arrays(*(np.atleast_1d(np.asarray(x)) for x in columns.values()))
    lists = [[_cell(value) for value in column.tolist()] for column in arrays]
    return alt.InlineData(values=[dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)])


def _cell(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None


def few(count: int) -> np.ndarray:
    """Indices of at most 3,000 of `count` rows, evenly."""
    return np.arange(count) if count <= _MOST else np.linspace(0, count - 1, _MOST).astype(int)


def few_sentence(count: int) -> str:
    """Says so where not every run is drawn; else empty."""
    return "" if count <= _MOST else f" Every point is one run; {_MOST:,} of {count:,} are drawn, evenly by row."


def counts(name: str, values: Any, unit: str = "", **axis: Any) -> dict[str, Any]:
    """Scale and axis of a positive quantity over the range of `values`: 100M, 1B; compute and others in powers."""
    low, high = float(np.min(values)), float(np.max(values))
    decades = np.log10(high / low)
    subs = (1,) if decades > 5 else (1, 3) if decades > 2.5 else (1, 2, 5) if decades > 1 else range(1, 10)
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = [float(f"{m}e{p}") for p in powers for m in subs]
    label = "replace(format(datum.value, '.2~g'), 'e+', 'e')"
    if unit in ("params", "tokens", "steps", "samples") or name in ("N", "D"):
        label = "replace(format(datum.value, '.2~s'), 'G', 'B')"
    title = COUNTS.get(name, f"{name} ({unit})" if unit else name)
    return {
        "scale": alt.Scale(type="log", domain=[low, high], nice=False),
        "axis": alt.Axis(values=[t for t in ticks if low <= t <= high], labelExpr=label, title=title, **axis),
    }


def losses(unit: str, low: float, high: float) -> dict[str, Any]:
    """Scale and axis of the loss: logarithmic, with plain numbers."""
    return {
        "scale": alt.Scale(type="log", domain=[low, high], nice=False),
        "axis": alt.Axis(tickCount=7, labelExpr="format(datum.value, '.4~g')", title=loss_title(unit)),
    }


def loss_title(unit: str) -> str:
    return f"loss ({unit})" if unit else "loss"


def legend(names: list[str], colours: list[str], title: str | None = None, **options: Any) -> dict[str, Any]:
    """Scale and legend of a few named things."""
    return {"scale": alt.Scale(domain=names, range=colours), "legend": alt.Legend(title=title, **options)}


def dashes(names: list[str], patterns: list[list[int]]) -> alt.StrokeDash:
    """The same names by line, for who sees no colours; one legend shows both."""
    return alt.StrokeDash("what:N", scale=alt.Scale(domain=names, range=patterns), legend=alt.Legend(title=None))


def shades(count: int) -> list[str]:
    """`count` colours from dark to light, none lost on white."""
    return [to_hex(colour) for colour in colormaps["viridis"](np.linspace(0, 0.8, count))]


def losses_colour(title: str, values: np.ndarray) -> alt.Color:
    """Runs by their loss."""
    ramp = [to_hex(LOSS(x)) for x in np.linspace(0, 1, 9)]
    scale = alt.Scale(type="log", domain=[float(np.min(values)), float(np.max(values))], range=ramp, nice=False)
    bar = alt.Legend(title=title, orient="right", gradientLength=220, labelExpr="format(datum.value, '.3~g')")
    return alt.Color("loss:Q", scale=scale, legend=bar)


def zoom() -> alt.Parameter:
    """Drag to move, Alt and wheel to zoom (the wheel alone scrolls the page), double click to return."""
    return alt.selection_interval(bind="scales", zoom="wheel![event.altKey]")


def tips(*fields: tuple[str, str, str]) -> list[alt.Tooltip]:
    """(field, title, d3 format) of what a mark says when pointed at; the format is empty for text."""
    return [
        alt.Tooltip(f"{name}:Q", title=title, format=form) if form else alt.Tooltip(f"{name}:N", title=title)
        for name, title, form in fields
    ]


def run_tips(*fields: tuple[str, str, str]) -> list[alt.Tooltip]:
    """As `tips`, for a run: its row in the owner's table, its group and its loss first."""
    return tips(("row", "row of the table", "d"), ("group", "group", ""), ("loss", "loss", ".4f"), *fields)
