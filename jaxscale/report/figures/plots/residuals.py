"""Residuals in log space against every input: what the law leaves unexplained, in per cent of the loss."""

import numpy as np
from matplotlib.figure import Figure

from jaxscale.core.evaluate import predict
from jaxscale.core.law import signature
from jaxscale.infer.fit.fit import Fit
from jaxscale.report.figures.plots import style


def residuals(fit: Fit) -> Figure:
    """One panel per input (and compute); the band holds half of the runs. Groups by colour."""
    data, _, groups = style.columns(fit)
    used = np.asarray(fit.runs.weight) > 0
    predicted = np.asarray(predict(fit.law, fit.runs), np.float64)[used]
    error = 100 * (np.log(np.asarray(fit.runs.target, np.float64)[used]) - np.log(predicted))
    quantities = signature(fit.law).inputs
    names = [name for name in ("N", "D", "C") if name in data] or [n for n in quantities if n in data]
    if not names:  # a mixture is no axis
        data, names = {"law": predicted}, ["law"]
    figure = style.figure(3.1 * len(names) + 0.6, 3.7)
    style.title(figure, fit, "Residuals")
    labels = fit.groups or ("runs",)
    low, high = np.quantile(error, (0.25, 0.75))
    for ax, name in zip(np.atleast_1d(figure.subplots(1, len(names), sharey=True)), names, strict=True):
        ax.axhspan(low, high, color="#dfe9f2", zorder=0, label="half of the runs")
        ax.axhline(0, color=style.INK, linewidth=1, zorder=1)
        for i, label in enumerate(labels):
            mine = groups == i if fit.groups else np.ones(error.size, bool)
            colour = style.COLOURS[i % len(style.COLOURS)]
            ax.scatter(
                data[name][mine], error[mine], s=14, color=colour, alpha=0.75, linewidth=0, label=label, zorder=2
            )
        style.plain(ax)
        ax.autoscale_view()
        style.log_counts(ax, "x", name, quantities[name].unit if name in quantities else "")
    figure.axes[0].set_ylabel("ln(loss) - ln(law), in %")
    handles = figure.axes[0].get_legend_handles_labels()
    style.legend(
        figure, handles=handles[0], labels=handles[1], loc="outside lower center", ncols=min(4, len(labels) + 1)
    )
    return figure
