"""Residuals against size, data and their ratio: a bend means that the law has the wrong form there."""

from collections.abc import Mapping

import altair as alt
import numpy as np
from scipy.interpolate import make_smoothing_spline

from jaxscale.core.law import signature
from jaxscale.report.figures.charts import look
from jaxscale.report.figures.charts.look import Drawing
from jaxscale.report.figures.charts.subject import Subject

_BINS = 20
_LEAST = 5  # bins that a spline can be smoothed through
_LINE = 60
_SEEN = 3.0  # times the interquartile range within which the axis ends


def trend(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """What is left of y when its scatter is smoothed away, over log x; None with fewer than five distinct places.

    A cubic spline through the medians of up to 20 bins, its smoothness chosen by generalised cross-validation (Craven
    & Wahba 1978): medians do not follow single odd runs, and pure noise gives a line.
    """
    place = np.log(x)
    edges = np.unique(np.quantile(place, np.linspace(0, 1, _BINS + 1)))
    bins = np.unique(np.searchsorted(edges[1:-1], place, side="left"), return_inverse=True)[1]
    members = [bins == b for b in range(bins.max() + 1)]
    centre = np.array([np.mean(place[m]) for m in members])
    if len(centre) < _LEAST or np.any(np.diff(centre) <= 0):
        return None
    weight = np.array([np.sum(m) for m in members], float)
    spline = make_smoothing_spline(centre, np.array([np.median(y[m]) for m in members]), weight)
    line = np.linspace(centre[0], centre[-1], _LINE)
    return np.exp(line), spline(line)


def residuals(subject: Subject) -> Drawing:
    """One panel per quantity: N, D and D/N for laws of size and data, else each input."""
    runs, quantities = subject.runs, signature(subject.fit.law).inputs
    names = ["N", "D", "M"] if subject.sized else [name for name in quantities if name != "group"]
    names = [name for name in names if np.min(runs[name]) > 0 and np.ptp(runs[name]) > 0]
    off = 100 * runs["off"]
    low, high = np.quantile(off, (0.25, 0.75))
    end = max(_SEEN * (high - low), float(np.quantile(np.abs(off), 0.95)))
    kept = look.few(len(off))
    groups = list(dict.fromkeys(runs["group"].tolist()))
    colour = (
        alt.Color("group:N", **look.legend(groups, [look.COLOURS[i % 6] for i in range(len(groups))], "runs of"))
        if len(groups) > 1
        else alt.value(look.COLOURS[0])
    )
    panels, spans = [], []
    for name in names:
        x = runs[name]
        unit = quantities[name].unit if name in quantities else ""
        title = None if panels else "ln(loss) - ln(law), in %"
        axis = alt.X("x:Q", **look.counts(name, [x.min() / 1.2, x.max() * 1.2], unit))
        # Runs that would squeeze the others stand at the edge, and say where they are.
        shown = look.rows(x=x[kept], y=np.clip(off, -end, end)[kept], off=off[kept], **_told(runs, kept))
        points = (
            alt.Chart(shown)
            .mark_circle(size=22, opacity=0.6)
            .encode(axis, alt.Y("y:Q", scale=alt.Scale(domain=[-end, end]), title=title))
            .encode(color=colour)
            .encode(tooltip=look.run_tips(("x", name, ".4~s"), ("off", "residual, %", "+.3f")))
        )
        half = alt.Chart(look.rows(low=low, high=high)).mark_rect(color="#dfe9f2").encode(y="low:Q", y2="high:Q")
        zero = alt.Chart(look.rows(y=0.0)).mark_rule(color=look.INK).encode(y="y:Q")
        layers = [half, zero, points]
        smooth = trend(x, off)
        if smooth is not None:
            line = alt.Chart(look.rows(x=smooth[0], y=smooth[1]))
            layers.append(line.mark_line(color=look.BEYOND, strokeWidth=3, clip=True).encode(axis, y="y:Q"))
            spans.append(f"{np.ptp(smooth[1]):.2f} % over {'D/N' if name == 'M' else name}")
        panels.append(alt.layer(*layers).properties(width=(look.WIDTH - 30) // len(names) - 24, height=260))
    swing = f" The trend swings by {', '.join(spans)}." if spans else " The runs lie at too few places for a trend."
    caption = (
        "A law of the right form leaves scatter without shape; a bend or a saddle in the trend (orange; a smoothing "
        f"spline through medians) is what the law gets wrong. Half of the runs lie in the blue band, {low:+.2f} to "
        f"{high:+.2f} %.{swing} Runs further than {end:.3g} % stand at the edge."
        f"{subject.alone}{look.few_sentence(len(off))}"
    )
    words = f"Residuals of the runs against {', '.join(names)}, in per cent of the loss, with a smooth trend.{swing}"
    return look.drawing("residuals", "Residuals", caption, alt.hconcat(*panels), words)


def _told(runs: Mapping[str, np.ndarray], kept: np.ndarray) -> dict[str, np.ndarray]:
    return {name: runs[name][kept] for name in ("row", "group", "loss")}
