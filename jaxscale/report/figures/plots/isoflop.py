"""Iso-FLOP curves: loss against size at fixed compute, with the minimum of each."""

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from jaxscale.core.flops import FLOP_PER_PARAM_TOKEN
from jaxscale.core.law import signature
from jaxscale.infer.fit.fit import Fit
from jaxscale.plan.allocate import allocate
from jaxscale.plan.plan_run import group_label, loss_at
from jaxscale.report.figures.plots import style
from jaxscale.report.views.numbers import flops

_NEAR = 1.2  # a run belongs to a budget within this factor


def isoflop(fit: Fit, group: int = 0) -> Figure:
    """Five budgets within the runs' compute and, dashed, one ten times beyond; runs near a budget in its colour."""
    data, loss, groups = style.columns(fit)
    mine = groups == group if "group" in signature(fit.law).inputs else np.ones(loss.size, bool)
    N, C, loss = data["N"][mine], data["C"][mine], loss[mine]
    low, high = np.quantile(C, (0.1, 0.98))
    budgets = np.geomspace(low, high, 5)
    budgets = np.array([*budgets, 10 * C.max()])
    best = allocate(fit.law, budgets, group=group_label(fit, group))
    figure = style.figure(7.0, 4.8)
    ax = figure.subplots()
    style.title(figure, fit, "Iso-FLOP curves")
    shades = colormaps["viridis"](np.linspace(0, 0.8, 5))
    for i, budget in enumerate(budgets):
        beyond = i == len(budgets) - 1
        colour = style.BEYOND if beyond else shades[i]
        optimum = float(np.asarray(best.N)[i])
        sizes = np.geomspace(optimum / 12, optimum * 12, 120)
        near = (np.abs(np.log(C / budget)) < np.log(_NEAR)) if not beyond else np.zeros(C.size, bool)
        if near.any():
            sizes = np.geomspace(min(sizes[0], N[near].min() / 1.2), max(sizes[-1], N[near].max() * 1.2), 160)
        curve = loss_at(fit, sizes, budget / FLOP_PER_PARAM_TOKEN / sizes, group)
        name = f"{flops(budget)} FLOP" + (", 10x beyond the runs" if beyond else "")
        ax.plot(sizes, curve, color=colour, linewidth=1.8, linestyle=(0, (3, 2)) if beyond else "-", label=name)
        ax.plot(
            optimum, float(np.asarray(best.loss)[i]), marker="D", color=colour, markersize=6, markeredgecolor="white"
        )
        ax.scatter(N[near], loss[near], s=20, color=colour, edgecolor="white", linewidth=0.4, zorder=3)
    shown = [float(np.asarray(best.loss).min()) * 0.98, float(np.quantile(loss, 0.97)) * 1.05]
    ax.set_ylim(*shown)
    style.plain(ax)
    style.log_counts(ax, "x", "N")
    style.log_loss(ax, signature(fit.law).output.unit)
    ax.plot([], [], marker="D", color=style.GREY, linestyle="none", label="compute-optimal size")
    ax.plot(
        [], [], marker="o", color=style.GREY, linestyle="none", markersize=4, label=f"runs within a factor {_NEAR:g}"
    )
    style.legend(figure, loc="outside lower center", ncols=3)
    return figure
