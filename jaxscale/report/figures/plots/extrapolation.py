"""The compute-optimal frontier with its intervals: solid where there are runs, different beyond them."""

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxscale.core.ensemble import Ensemble
from jaxscale.core.evaluate import at_points
from jaxscale.core.flops import training_flops
from jaxscale.core.law import signature
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.forecast.forecast import LEVELS
from jaxscale.plan.allocate import allocate
from jaxscale.plan.plan_run import group_label, loss_at
from jaxscale.report.figures.plots import style
from jaxscale.studies import Study

_DECADES = 2.0
_POINTS = 40
_BANDS = ((0.05, 0.95, 0.22, "90 %"), (0.25, 0.75, 0.45, "50 %"))


def extrapolation(fit: Fit, ensemble: Ensemble | None = None, group: int = 0, heldout: Study | None = None) -> Figure:
    """Loss of the compute-optimal run (or of the law's one input), two decades beyond the data.

    Beyond the runs the line is dashed, the bands hatched and the ground shaded. `heldout`: measured runs
    that were not fitted, for laws of N and D.
    """
    data, loss, groups = style.columns(fit)
    quantities = signature(fit.law).inputs
    mine = groups == group if "group" in quantities else np.ones(loss.size, bool)
    name = "C" if "N" in data and "D" in data else next(n for n in quantities if n != "group")
    x_runs, loss = data[name][mine], loss[mine]
    edge = float(x_runs.max())
    x = np.geomspace(float(x_runs.min()), edge * 10**_DECADES, _POINTS)
    x = np.sort(np.append(x, edge))
    line, draws = _line(fit, ensemble, name, x, group)
    figure = style.figure(7.2, 6.0 if draws is not None else 4.8)
    if draws is not None:
        ax, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.3))
        _relative(below, fit, x, line, draws, edge, group, heldout)
    else:
        ax = below = figure.subplots()
    style.title(figure, fit, "Extrapolation")
    on_frontier = name == "C" and "N" in data
    _beyond(ax, x, line, draws, edge, "compute-optimal loss" if on_frontier else "the law")
    ax.scatter(x_runs, loss, s=14, color=style.GREY, alpha=0.7, linewidth=0, label="fitted runs", zorder=3)
    if heldout is not None and {"N", "D"} <= set(heldout.columns):
        C = training_flops(heldout.columns["N"], heldout.columns["D"])
        ax.scatter(
            C, heldout.columns[heldout.target], s=46, marker="*", color=style.INK, label="runs held out", zorder=4
        )
    ax.set_xlim(x[0] / 1.3, x[-1])
    ax.set_ylim(line.min() * 0.97, max(float(np.quantile(loss, 0.98)), line.max()) * 1.03)
    ax.text(
        0.985,
        0.97,
        "beyond the fitted runs",
        transform=ax.transAxes,
        ha="right",
        va="top",
        fontsize=9,
        color=style.BEYOND,
    )
    style.plain(ax)
    if below is not ax:
        style.plain(below)
        ax.set_xscale("log")
    style.log_counts(below, "x", name, quantities[name].unit if name in quantities else "")
    style.log_loss(ax, signature(fit.law).output.unit)
    handles, labels = ax.get_legend_handles_labels()
    style.legend(figure, handles=handles, labels=labels, loc="outside lower center", ncols=3)
    return figure


def _relative(
    ax: Axes,
    fit: Fit,
    x: np.ndarray,
    line: np.ndarray,
    draws: np.ndarray,
    edge: float,
    group: int,
    heldout: Study | None,
) -> None:
    """The same intervals relative to the law: on the loss's own scale they are too thin to see."""
    _beyond(ax, x, np.zeros_like(x), 100 * (draws / line - 1), edge, "")
    if heldout is not None and {"N", "D"} <= set(heldout.columns):
        N, D = heldout.columns["N"], heldout.columns["D"]
        off = 100 * np.log(heldout.columns[heldout.target] / loss_at(fit, N, D, group))
        ax.scatter(training_flops(N, D), off, s=46, marker="*", color=style.INK, zorder=4)
    ax.set_ylabel("relative to\nthe law (%)")


def _line(
    fit: Fit, ensemble: Ensemble | None, name: str, x: np.ndarray, group: int
) -> tuple[np.ndarray, np.ndarray | None]:
    kept = None if ensemble is None else ensemble.ok()
    if set(signature(fit.law).inputs) - {"group"} in ({"N", "D"}, {"C", "M"}):
        best = np.asarray(allocate(fit.law, x, group=group_label(fit, group)).loss, np.float64)
        spread = (
            None
            if kept is None
            else np.asarray(allocate(_few(kept), x, group=group_label(fit, group)).loss, np.float64)
        )
    else:
        inputs = {name: x, **({"group": np.asarray([group], np.int32)} if "group" in signature(fit.law).inputs else {})}
        best = at_points(fit.law, inputs)
        spread = None if kept is None else np.asarray(kept(**inputs), np.float64)
    return best, None if spread is None else np.quantile(spread, LEVELS, axis=0)


def _few(kept: Ensemble, most: int = 400) -> Ensemble:
    """Enough draws for a band's edge on paper; planning each is what costs."""
    return kept if kept.size <= most else jax.tree.map(lambda leaf: leaf[:most], kept)


def _beyond(ax: Axes, x: np.ndarray, line: np.ndarray, draws: np.ndarray | None, edge: float, label: str) -> None:
    near, far = x <= edge, x >= edge
    ax.axvspan(edge, x[-1], color="#f4ece6", zorder=0, linewidth=0)
    ax.axvline(edge, color=style.BEYOND, linewidth=0.9, linestyle="dotted", zorder=1)
    if draws is not None:
        levels = {q: draws[i] for i, q in enumerate(LEVELS)}
        for low, high, alpha, words in _BANDS:
            a, b = levels[low], levels[high]
            ax.fill_between(
                x[near], a[near], b[near], color=style.COLOURS[0], alpha=alpha, linewidth=0, label=f"{words} interval"
            )
            look = {
                "facecolor": style.BEYOND,
                "alpha": alpha * 0.8,
                "hatch": "////",
                "edgecolor": "white",
                "linewidth": 0,
            }
            ax.fill_between(x[far], a[far], b[far], label=f"{words}, extrapolated", **look)
    ax.plot(x[near], line[near], color=style.COLOURS[0], linewidth=2, label=label, zorder=2)
    ax.plot(
        x[far],
        line[far],
        color=style.BEYOND,
        linewidth=2,
        linestyle=(0, (3, 1.6)),
        label=f"{label}, extrapolated",
        zorder=2,
    )
