"""Charts of the page, one file each, in Vega-Lite; `drawings` makes all, and says why where a law allows none.

`surface`, `isoflop` (laws of N and D), `residuals`, `path` (the forecast), `ranking`. `subject` turns an `Outlook` into
the arrays that they draw; `look` is what they share.
"""

from collections.abc import Iterator

from jaxscale.report.figures.charts.isoflop import isoflop
from jaxscale.report.figures.charts.look import Drawing
from jaxscale.report.figures.charts.path import forecast
from jaxscale.report.figures.charts.ranking import distance, ranking
from jaxscale.report.figures.charts.residuals import residuals
from jaxscale.report.figures.charts.subject import Subject
from jaxscale.report.figures.charts.surface import surface

__all__ = ["Drawing", "Subject", "distance", "drawings", "forecast", "isoflop", "ranking", "residuals", "surface"]


def drawings(subject: Subject) -> Iterator[Drawing]:
    """In the order in which a reader asks."""
    for draw in (forecast, surface, isoflop, residuals, ranking, distance):
        yield draw(subject)
