"""Corner plot of an ensemble: every parameter and every pair."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from jaxscale.core.ensemble import Ensemble, draws_name
from jaxscale.core.parametric import declared
from jaxscale.infer.fit.edges import params_on_edges
from jaxscale.infer.fit.fit import Fit
from jaxscale.report.figures.plots import style
from jaxscale.report.views.record import parameter_labels

_MOST = 7


def corner(fit: Fit, ensemble: Ensemble) -> Figure:
    """Histograms with the 90 % interval, pairs as counts of draws; the cross is the fit. At most seven parameters.

    A parameter whose draws spread over more than a factor of three is shown on a log10 scale, unless some, or the fit,
    lie on the edge of its support, where that has no end.
    """
    kept = params_on_edges(fit, ensemble)
    symbols, columns, points = _columns(fit, kept)
    left_out = max(0, len(columns) - _MOST)
    symbols, columns, points = symbols[:_MOST], columns[:_MOST], points[:_MOST]
    k = len(columns)
    figure = style.figure(1.55 * k + 0.8, 1.5 * k + 0.9)
    note = f" (first {k} of {k + left_out} parameters)" if left_out else ""
    style.title(figure, fit, f"{kept[next(iter(kept))].shape[0]} {draws_name(ensemble)}{note}")
    axes = figure.subplots(k, k, squeeze=False)
    limits = [_limits(column) for column in columns]
    for row in range(k):
        for col in range(k):
            ax = axes[row, col]
            if col > row:
                ax.set_visible(False)
                continue
            if col == row:
                ax.hist(columns[col], bins=30, range=limits[col], color="#9ecae1")
                for q in np.quantile(columns[col], (0.05, 0.95)):
                    ax.axvline(q, color=style.INK, linewidth=0.9, linestyle="dashed")
                ax.axvline(points[col], color=style.BEYOND, linewidth=1.3)
                ax.set_yticks([])
                ax.spines[["top", "right", "left"]].set_visible(False)
            else:
                box = (limits[col], limits[row])
                ax.hist2d(columns[col], columns[row], bins=28, range=box, cmap="Blues", cmin=1)
                ax.plot(points[col], points[row], marker="+", color=style.BEYOND, markersize=9, markeredgewidth=1.6)
                ax.set_ylim(limits[row])
                ax.spines[["top", "right"]].set_visible(False)
            ax.set_xlim(limits[col])
            ax.xaxis.set_major_locator(MaxNLocator(3, prune="both"))
            if col != row:
                ax.yaxis.set_major_locator(MaxNLocator(3, prune="both"))
            ax.tick_params(labelsize=7.5, labelbottom=row == k - 1, labelleft=col == 0 and row > 0)
            ax.tick_params(axis="x", rotation=35)
            if row == k - 1:
                ax.set_xlabel(symbols[col], fontsize=10)
            if col == 0 and row > 0:
                ax.set_ylabel(symbols[row], fontsize=10)
    figure.align_labels()
    handles = [
        figure.axes[0].plot([], [], color=style.BEYOND, linewidth=1.3)[0],
        figure.axes[0].plot([], [], color=style.INK, linewidth=0.9, linestyle="dashed")[0],
    ]
    if k > 1:
        style.legend(
            figure, handles=handles, labels=["the fit", "90 % interval"], loc="upper right", bbox_to_anchor=(0.98, 0.94)
        )
    return figure


def _columns(fit: Fit, kept: dict[str, np.ndarray]) -> tuple[list[str], list[np.ndarray], list[float]]:
    labels = iter(parameter_labels(fit))
    symbols, columns, points = [], [], []
    for d in declared(fit.law):
        flat = np.asarray(d.value, np.float64).reshape(-1)
        spread = np.asarray(kept[d.name], np.float64).reshape(-1, flat.size)
        for i, value in enumerate(flat):
            label, column = next(labels), spread[:, i]
            if d.name not in fit.problem.split.free or np.ptp(column) == 0:
                continue
            if d.spec.symbol:
                label = f"${d.spec.symbol}$" + label[len(d.name) :]
            low, high = np.quantile(column, (0.01, 0.99))
            if min(column.min(), value) > 0 and high / low > 3:
                label, column, value = rf"$\log_{{10}}$ {label}", np.log10(column), np.log10(value)
            unit = d.spec.quantity.unit
            symbols.append(f"{label} ({unit})" if unit else label)
            columns.append(column)
            points.append(float(value))
    return symbols, columns, points


def _limits(column: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(column, (0.002, 0.998))
    margin = 0.06 * (high - low) or max(abs(low), 1.0) * 1e-3
    return float(low - margin), float(high + margin)
