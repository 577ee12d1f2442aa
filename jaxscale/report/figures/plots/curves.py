"""Loss curves of the runs, as measured and as the law has them, with a band."""

import numpy as np
from matplotlib.figure import Figure

from jaxscale.core.ensemble import Ensemble
from jaxscale.core.evaluate import predict
from jaxscale.core.law import signature
from jaxscale.infer.fit.fit import Fit
from jaxscale.report.figures.plots import style

_MOST = 6  # curves that are told apart
_BAND = (0.05, 0.95)


def curves(fit: Fit, ensemble: Ensemble | None = None) -> Figure:
    """One colour per run, six at most, the first ones: points are measured, the line is the law, the band 90 %."""
    runs = fit.runs.by_run()
    steps = next(name for name, quantity in signature(fit.law).inputs.items() if quantity.axes == ("step",))
    told = np.asarray(predict(fit.law, runs), np.float64)
    kept = min(_MOST, len(told))
    band = None
    if ensemble is not None and ensemble.size - ensemble.failed >= 2:
        inputs = {name: column[:kept] for name, column in runs.inputs.items()}
        group = {"group": runs.group[:kept]} if "group" in signature(fit.law).inputs else {}
        band = ensemble.band(_BAND, **inputs, **group)
    figure = style.figure(7.2, 4.8)
    style.title(figure, fit, "Loss curves")
    ax = figure.subplots()
    for i in range(kept):
        used = np.asarray(runs.weight[i]) > 0
        x = np.asarray(runs.inputs[steps][i], np.float64)[used]
        order = np.argsort(x)
        colour = style.COLOURS[i]
        ax.scatter(x, np.asarray(runs.target[i])[used], s=9, color=colour, alpha=0.5, linewidth=0, zorder=2)
        ax.plot(x[order], told[i][used][order], color=colour, linewidth=1.5, label=f"run {i + 1}", zorder=3)
        if band is not None:
            low, high = (side[i][used][order] for side in band)
            ax.fill_between(x[order], low, high, color=colour, alpha=0.2, linewidth=0, zorder=1)
    style.plain(ax)
    ax.autoscale_view()
    style.log_counts(ax, "x", steps, "steps")
    style.log_loss(ax, signature(fit.law).output.unit)
    style.legend(ax)
    return figure
