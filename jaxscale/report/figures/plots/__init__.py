"""Figures of a fit, one file each; `figures` makes all that a law allows.

`contours`, `isoflop` (laws of N and D), `curves` (laws of loss curves), `residuals`, `corner` (needs an ensemble),
`extrapolation`. Those of a posterior's chains are in `plots.posterior`, which loads ArviZ: `posterior_figures`.
"""

from collections.abc import Iterator

from matplotlib.figure import Figure

from jaxscale.core.ensemble import Ensemble
from jaxscale.core.law import signature
from jaxscale.infer.fit.fit import Fit
from jaxscale.plan.allocate import plannable
from jaxscale.report.figures.plots.contours import contours
from jaxscale.report.figures.plots.corner import corner
from jaxscale.report.figures.plots.curves import curves
from jaxscale.report.figures.plots.extrapolation import extrapolation
from jaxscale.report.figures.plots.isoflop import isoflop
from jaxscale.report.figures.plots.residuals import residuals
from jaxscale.studies import Study

__all__ = ["contours", "corner", "curves", "extrapolation", "figures", "isoflop", "residuals"]


def figures(fit: Fit, ensemble: Ensemble | None = None, heldout: Study | None = None) -> Iterator[tuple[str, Figure]]:
    """(name, figure) pairs, made one at a time; those by group carry its label, e.g. `contours-c4`."""
    if ensemble is not None and ensemble.failed == ensemble.size:
        ensemble = None  # no draw to show; the fit itself has its figures
    if signature(fit.law).output.axes == ("step",):
        yield "curves", curves(fit, ensemble)
    joint = "group" in signature(fit.law).inputs
    for index, label in enumerate(fit.groups if joint else ("",)):
        suffix = "".join(c if c.isalnum() else "_" for c in label)
        suffix = f"-{suffix}" if suffix else ""
        if plannable(fit.law):
            yield f"contours{suffix}", contours(fit, index)
            yield f"isoflop{suffix}", isoflop(fit, index)
        if plannable(fit.law) or (
            not signature(fit.law).output.axes and len(set(signature(fit.law).inputs) - {"group"}) == 1
        ):
            yield f"extrapolation{suffix}", extrapolation(fit, ensemble, index, heldout)
    yield "residuals", residuals(fit)
    if ensemble is not None and ensemble.size - ensemble.failed >= 2:
        yield "corner", corner(fit, ensemble)
