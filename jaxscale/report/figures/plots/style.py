"""Shared look of the figures: colour-blind safe colours, log axes, what lies beyond the data.

Figures are made with `matplotlib.figure.Figure`, never through pyplot: no global state, no display needed.
"""

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from jaxscale.core.flops import FLOP_PER_PARAM_TOKEN, training_flops
from jaxscale.infer.fit.fit import Fit
from jaxscale.report.views.numbers import count
from jaxscale.report.views.record import is_simulated, law_name

# Okabe & Ito's palette, dark enough on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK, GREY, BEYOND = "#222222", "#8a8a8a", "#D55E00"
# Without its lightest fifth, which is lost on white.
LOSS = LinearSegmentedColormap.from_list("loss", colormaps["cividis"](np.linspace(0, 0.82, 64)))
COUNTS = {"N": "parameters N", "D": "training tokens D", "C": "compute C (FLOP)", "M": "tokens per parameter D/N"}


def figure(width: float = 7.0, height: float = 4.6) -> Figure:
    """An empty figure with room made for its labels."""
    made = Figure(figsize=(width, height), dpi=150, layout="constrained")
    FigureCanvasAgg(made)
    return made


def title(figure: Figure, fit: Fit, text: str) -> None:
    """One line on top; a simulated study is named as such."""
    text = f"{text}: {law_name(fit.law)}" if len(law_name(fit.law)) < 50 else f"{text}: joint law"
    figure.suptitle(f"SIMULATED runs. {text}" if is_simulated(fit) else text, fontsize=11, x=0.01, ha="left")


def plain(ax: Axes) -> None:
    """No box, a faint grid below the data."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, which="major", color="#e6e6e6", linewidth=0.7)
    ax.set_axisbelow(True)
    ax.tick_params(labelsize=9)


def log_counts(ax: Axes, axis: str, name: str, unit: str = "") -> None:
    """A log axis labelled 100M, 1B, ... (compute: powers of ten)."""
    getattr(ax, f"set_{axis}scale")("log")
    getattr(ax, f"set_{axis}label")(COUNTS.get(name, f"{name} ({unit})" if unit else name))
    which = ax.xaxis if axis == "x" else ax.yaxis
    low, high = which.get_view_interval()
    decades = np.log10(high / low) if low > 0 else 1.0
    subs: tuple[float, ...] = (1.0,) if decades > 2.5 else (1.0, 3.0) if decades > 1.2 else (1.0, 2.0, 5.0)
    which.set_major_locator(LogLocator(subs=subs, numticks=12))
    which.set_minor_formatter(NullFormatter())
    if name != "C":
        which.set_major_formatter(FuncFormatter(lambda value, _: count(value)))


def log_loss(ax: Axes, unit: str) -> None:
    """A log axis for the loss with plain numbers: its range is too small for powers of ten."""
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    ticks = MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    ticks = [t for t in ticks if low <= t <= high]
    ax.set_yticks(ticks, [f"{t:.4g}" for t in ticks])
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_minor_locator(MaxNLocator(1))
    ax.set_ylabel(f"loss ({unit})" if unit else "loss")


def legend(target: Any, **options: Any) -> None:
    """A legend that does not hide what lies under it."""
    target.legend(**{"fontsize": 8.5, "frameon": True, "framealpha": 0.9, "edgecolor": "none", **options})


def columns(fit: Fit) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Inputs by name, losses and groups of the runs with weight; N, D, C and M completed from each other."""
    used = np.asarray(fit.runs.weight) > 0
    found = {name: np.asarray(x, np.float64)[used] for name, x in fit.runs.columns.items()}
    if {"C", "M"} <= set(found):
        found["N"] = np.sqrt(found["C"] / FLOP_PER_PARAM_TOKEN / found["M"])
        found["D"] = found["N"] * found["M"]
    elif {"N", "D"} <= set(found):
        found["C"] = training_flops(found["N"], found["D"])
        found["M"] = found["D"] / found["N"]
    return found, np.asarray(fit.runs.target, np.float64)[used], np.asarray(fit.runs.group)[used]
