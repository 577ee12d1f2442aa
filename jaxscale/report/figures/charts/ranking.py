"""Which law forecasts best from inside the runs, and how the chosen one's misses grow with distance."""

import altair as alt
import numpy as np

from jaxscale.report.figures.charts import look
from jaxscale.report.figures.charts.look import Drawing
from jaxscale.report.figures.charts.subject import Subject, misses, scores

_MARKS = ["one origin", "mean: what ranks", "in-sample: not used"]
_SHAPES, _COLOURS = ["stroke", "diamond", "circle"], [look.GREY, look.COLOURS[0], look.BEYOND]


def ranking(subject: Subject) -> Drawing:
    """Errors of every law, over the law's name."""
    found = scores(subject.found)
    dots = []
    for label, score, inside, errors in found:
        dots += [(label, _MARKS[0], error) for error in errors]
        dots += [(label, _MARKS[1], score), (label, _MARKS[2], inside)]
    kept = [dot for dot in dots if np.isfinite(dot[2]) and dot[2] > 0]
    label, mark, error = zip(*kept, strict=True)
    order = [law for law, *_ in found]
    chart = (
        alt.Chart(look.rows(law=label, mark=mark, error=100 * np.array(error)))
        .mark_point(size=90, strokeWidth=1.8)
        .encode(
            alt.X("error:Q", scale=alt.Scale(type="log"), title="mean absolute relative error (%), log scale"),
            alt.Y("law:N", sort=order, title=None),
            alt.Color("mark:N", **look.legend(_MARKS, _COLOURS)),
            alt.Shape("mark:N", scale=alt.Scale(domain=_MARKS, range=_SHAPES), legend=alt.Legend(title=None)),
            tooltip=look.tips(("law", "law", ""), ("mark", "what", ""), ("error", "error, %", ".3~g")),
        )
        .properties(width=look.WIDTH - 60, height=alt.Step(26))
    )
    caption = (
        f"Every law was refitted to the runs below each of {len(found[0][3])} origins and scored above it. The "
        "mean over the common origins ranks; the error on the runs that a law was fitted to says nothing about "
        "extrapolation and is for the eye only."
    )
    if any(r.doubt for r in subject.found.ranking):
        caption += " Laws without an irreducible loss come after those that have one."
    told = "; ".join(f"{law} {100 * score:.3g} %" for law, score, *_ in found if np.isfinite(score))
    return look.drawing("ranking", "The laws, ranked by their forecasts", caption, chart, f"Errors by law: {told}.")


def distance(subject: Subject) -> Drawing:
    """Misses of the chosen law over how far it looked, and the band learnt from them."""
    seen = misses(subject.found)
    half, size = 100 * seen.band, 100 * seen.miss
    end = 1.1 * max(float(np.quantile(np.abs(size), 0.99)), float(half.max()))
    across = alt.X("decades:Q", title="decades beyond what it was fitted to", scale=alt.Scale(nice=False))
    up = alt.Y("miss:Q", title="ln(observed / forecast), in %", scale=alt.Scale(domain=[-end, end], nice=False))
    area = alt.Chart(look.rows(decades=seen.line, miss=-half, high=half)).mark_area(color="#dfe9f2", clip=True)
    zero = alt.Chart(look.rows(miss=0.0)).mark_rule(color=look.INK).encode(up)
    names = list(dict.fromkeys(seen.origin.tolist()))
    kept = look.few(len(size))
    points = (
        alt.Chart(
            look.rows(
                decades=seen.decades[kept],
                miss=np.clip(size, -end, end)[kept],
                size=size[kept],
                origin=seen.origin[kept],
            )
        )
        .mark_circle(size=26, opacity=0.65)
        .encode(across, up, alt.Color("origin:N", **look.legend(names, look.shades(len(names)), "fitted below")))
        .encode(
            tooltip=look.tips(("origin", "fitted to", ""), ("decades", "decades", ".2f"), ("size", "miss, %", "+.3f"))
        )
        .add_params(look.zoom())
    )
    chart = alt.layer(area.encode(across, up, y2="high:Q"), zero, points).properties(width=look.WIDTH, height=300)
    caption = (
        f"Each point is a run that {subject.found.chosen} had not seen when it forecast it. Drawn is the 90 % "
        "band of noise and law; with the parameters, which at early origins rest on few runs, the bands held "
        f"{np.mean(seen.held):.0%} of these misses, from which they were learnt."
    )
    widens = f"the 90 % band widens from {half[0]:.2g} to {half[-1]:.2g} %"
    words = f"{len(size)} misses up to {seen.decades.max():.1f} decades out; {widens}."
    return look.drawing("distance", "Misses over distance", caption, chart, words)
