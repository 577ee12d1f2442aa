"""Loss against size and data: runs, iso-loss contours of the law, the compute-optimal line."""

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from jaxscale.core.flops import training_flops
from jaxscale.core.law import signature
from jaxscale.infer.fit.fit import Fit
from jaxscale.plan.allocate import allocate
from jaxscale.plan.plan_run import group_label, loss_at
from jaxscale.report.figures.plots import style

_POINTS = 80
_FLAT = 1e-4  # of the loss: less is neither told apart by three digits nor by float32


def contours(fit: Fit, group: int = 0) -> Figure:
    """Contours are solid inside the range of the runs and dashed beyond it. For laws of N and D (or C and M)."""
    data, loss, groups = style.columns(fit)
    mine = groups == group if "group" in signature(fit.law).inputs else np.ones(loss.size, bool)
    N, D, loss = data["N"][mine], data["D"][mine], loss[mine]
    figure = style.figure(7.2, 5.2)
    ax = figure.subplots()
    style.title(figure, fit, "Loss against size and data")
    x = np.geomspace(N.min() / 1.6, N.max() * 8, _POINTS)
    y = np.geomspace(D.min() / 1.6, D.max() * 8, _POINTS)
    grid_N, grid_D = np.meshgrid(x, y)
    surface = loss_at(fit, grid_N.reshape(-1), grid_D.reshape(-1), group).reshape(grid_N.shape)
    inside = (grid_N <= N.max() * 1.02) & (grid_D <= D.max() * 1.02)
    inside &= (grid_N >= N.min() / 1.02) & (grid_D >= D.min() / 1.02)
    levels = np.geomspace(np.quantile(surface, 0.02), np.quantile(surface, 0.97), 11)
    norm = LogNorm(min(levels[0], loss.min()), max(levels[-1], loss.max()))
    look = {"levels": levels, "cmap": style.LOSS, "norm": norm}
    ax.set(xscale="log", yscale="log", xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    if levels[-1] > (1 + _FLAT) * levels[0]:  # a law that is flat has no contours
        ax.contour(grid_N, grid_D, surface, linestyles="dashed", linewidths=0.8, alpha=0.7, **look)
        solid = ax.contour(grid_N, grid_D, np.where(inside, surface, np.nan), linewidths=1.6, **look)
        ax.clabel(solid, fmt="%.3g", fontsize=8, inline_spacing=3, colors=style.INK)
    points = ax.scatter(N, D, c=loss, cmap=style.LOSS, norm=norm, s=26, edgecolor="white", linewidth=0.6, zorder=3)
    budgets = np.geomspace(training_flops(x[0], y[0]), training_flops(x[-1], y[-1]), 60)
    best = allocate(fit.law, budgets, group=group_label(fit, group))
    optimal_N, optimal_D = np.asarray(best.N, np.float64), np.asarray(best.D, np.float64)
    spent = training_flops(N, D)
    near = (budgets >= spent.min()) & (budgets <= spent.max())
    far = budgets >= budgets[near][-1]
    ax.plot(
        optimal_N[near], optimal_D[near], color=style.BEYOND, linewidth=2, label="compute-optimal, in reach of the runs"
    )
    ax.plot(
        optimal_N[far],
        optimal_D[far],
        color=style.BEYOND,
        linewidth=2,
        linestyle=(0, (2, 1.5)),
        label="compute-optimal, beyond",
    )
    ax.plot([], [], color=style.GREY, linewidth=1.6, label="iso-loss, in the range of the runs")
    ax.plot([], [], color=style.GREY, linewidth=0.8, linestyle="dashed", label="iso-loss, beyond")
    style.plain(ax)
    style.log_counts(ax, "x", "N")
    style.log_counts(ax, "y", "D")
    unit = signature(fit.law).output.unit
    bar = figure.colorbar(points, ax=ax, pad=0.02)
    bar.set_label(f"loss of the runs ({unit})" if unit else "loss of the runs")
    ticks = [float(f"{t:.3g}") for t in np.geomspace(norm.vmin * 1.02, norm.vmax / 1.02, 6)]  # type: ignore[operator]
    bar.set_ticks(ticks, labels=[f"{t:g}" for t in ticks])
    bar.ax.minorticks_off()
    style.legend(figure, loc="outside lower center", ncols=2)
    return figure
