"""Figures of a posterior, drawn by ArviZ from its tree: ranks of chains, pairs, a forest by data set, checks.

Each takes the tree of `posterior_tree`, or one read from a file, and says on top what the verdict is.
"""

from collections.abc import Callable, Iterator
from typing import Any

import arviz_plots as az
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from arviz_base import rc_context as arviz_rc
from arviz_base.labels import MapLabeller
from cycler import cycler
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from jaxscale.infer.posterior.convergence import rhat
from jaxscale.infer.posterior.posterior import Posterior
from jaxscale.report.figures.plots import style
from jaxscale.report.store.tree import posterior_tree
from jaxscale.report.views.posterior import entries

_MOST_RANKS, _MOST_PAIRS = 20, 7  # parameters of a figure


def posterior_figures(posterior: Posterior | xr.DataTree) -> Iterator[tuple[str, Figure]]:
    """(name, figure) pairs, made one at a time: `rank`, `pair`, `forest-<parameter>`, `predictive`, `loo-pit`."""
    tree = posterior_tree(posterior) if isinstance(posterior, Posterior) else posterior
    yield "rank", rank(tree)
    yield "pair", pair(tree)
    for name in by_data_set(tree):
        yield f"forest-{name.removeprefix('group.')}", forest(tree, name)
    yield "predictive", predictive(tree)
    yield "loo-pit", loo_pit(tree)


def rank(tree: xr.DataTree) -> Figure:
    """Density of every parameter by chain, and how the chains' ranks differ from even ones. At most twenty parameters.

    Of more, those with the greatest R-hat are shown.
    """
    draws = _scalars(tree)
    worst = sorted(draws, key=lambda label: -float(rhat(draws[label].values)))[:_MOST_RANKS]
    shown = {label: draws[label] for label in draws if label in worst}
    figure = _drawn(
        az.plot_rank_dist,
        _only(tree, shown),
        (8.0, 1.15 * len(shown) + 0.8),
        list(shown),
        aes={"color": ["chain"]},
        aes_by_visuals={"dist": ["color"], "rank": ["color"]},
        compact=False,
        visuals={"dist": {"linewidth": 1.1}, "rank": {"linewidth": 1.1}},
    )
    return _titled(figure, tree, f"Chains and their ranks{_of(shown, draws, 'worst')}")


def pair(tree: xr.DataTree) -> Figure:
    """Every pair of parameters and their densities; transitions that diverged are marked. At most seven parameters.

    A positive parameter whose draws spread over more than a factor of three is shown as its log10.
    """
    draws = _scalars(tree)
    shown = dict(_log10_where_wide(*item) for item in list(draws.items())[:_MOST_PAIRS])
    figure = _drawn(
        az.plot_pair,
        _only(tree, shown),
        (1.5 * len(shown) + 0.6, 1.4 * len(shown) + 0.6),
        list(shown),
        visuals={
            "scatter": {"size": 3, "alpha": 0.25, "width": 0, "color": style.COLOURS[0]},
            "divergence": {"color": style.BEYOND, "size": 12, "alpha": 1.0},
        },
    )
    for ax in figure.axes:
        ax.tick_params(axis="x", rotation=35)
    return _titled(figure, tree, f"Pairs of parameters{_of(shown, draws, 'first')}")


def by_data_set(tree: xr.DataTree) -> list[str]:
    """Parameters with a value in each data set: the separate ones, and `group.<name>` of the partial ones."""
    found = tree["posterior"].to_dataset().data_vars
    return [str(name) for name, v in found.items() if "group" in v.dims and not str(name).startswith("offset.")]


def forest(tree: xr.DataTree, name: str) -> Figure:
    """One parameter in each data set, and in their population where it is partial: 50 and 90 % intervals."""
    posterior = tree["posterior"].to_dataset()
    centre = name.removeprefix("group.")
    symbol, unit = _symbol(posterior, name), posterior[name].attrs["units"]
    kept = posterior[[name, centre] if centre != name else [name]]
    rows = sum(_rows(variable) for variable in kept.data_vars.values())
    figure = _drawn(
        az.plot_forest,
        xr.DataTree.from_dict({"posterior": kept}),
        (7.0, 0.34 * rows + 1.4),
        [symbol, "population"][: len(kept)],
        combined=True,
        ci_probs=(0.5, 0.9),
        ci_kind="eti",
    )
    for labels in figure.axes[:-1]:
        labels.set_axis_off()
    ax = figure.axes[-1]
    ax.margins(y=0.5 / rows)
    ax.set_xlabel(f"{symbol} ({unit})" if unit else symbol)
    doc = posterior[centre].attrs["doc"].capitalize()
    return _titled(figure, tree, f"{doc}, 50 and 90 % intervals")


def predictive(tree: xr.DataTree) -> Figure:
    """The distribution of all runs' targets, beside 50 replications of the same runs from the posterior."""
    colours = {"predictive_dist": {"color": style.COLOURS[0], "alpha": 0.25}, "observed_dist": {"color": style.INK}}
    figure = _drawn(az.plot_ppc_dist, tree, (7.0, 3.6), kind="ecdf", visuals={"title": False, **colours})
    unit = tree["observed_data/target"].attrs["units"]
    ax = figure.axes[0]
    ax.set_xlabel(f"loss ({unit})" if unit else "loss")
    lines = [ax.plot([], [], color=colour)[0] for colour in (style.INK, style.COLOURS[0])]
    style.legend(ax, handles=lines, labels=["the runs", "replications"])
    return _titled(figure, tree, "Share of runs below each loss")


def loo_pit(tree: xr.DataTree) -> Figure:
    """Where each run lies in its prediction from all others, as a difference from even.

    Where the middle rises the predictions are too wide, where it falls too narrow.
    """
    figure = _drawn(az.plot_loo_pit, tree, (7.0, 3.8), visuals={"title": False})
    ax = figure.axes[0]
    ax.set_xlabel("share of the leave-one-out prediction below the run")
    ax.set_ylabel("distance of its distribution from even")
    return _titled(figure, tree, "LOO-PIT")


def _drawn(
    plot: Callable[..., Any],
    tree: xr.DataTree,
    size: tuple[float, float],
    labels: list[str] | None = None,
    **options: Any,
) -> Figure:
    """ArviZ's figure, in our colours and free of pyplot, which it is made with; `labels` of the variables in order."""
    posterior = tree["posterior"].to_dataset()
    names = [str(name) for name in posterior.data_vars]
    labels = [_symbol(posterior, name) for name in names] if labels is None else labels
    look: dict[Any, Any] = {"axes.prop_cycle": cycler(color=style.COLOURS), "font.size": 9, "axes.titlesize": 10}
    look |= {"axes.spines.top": False, "axes.spines.right": False}
    most = {"plot.max_subplots": max(_MOST_PAIRS**2, 2 * _MOST_RANKS)}  # ArviZ refuses more than 40 unasked
    with rc_context(look), arviz_rc(most):
        made = plot(
            tree,
            backend="matplotlib",
            labeller=MapLabeller(var_name_map=dict(zip(names, labels, strict=True))),
            figure_kwargs={"figsize": size, "figsize_units": "inches", "dpi": 150, "layout": "constrained"},
            **options,
        )
    figure = made.viz["figure"].item()
    plt.close(figure)
    FigureCanvasAgg(figure)
    return figure


def _titled(figure: Figure, tree: xr.DataTree, text: str) -> Figure:
    about = tree.attrs
    simulated = "SIMULATED runs. " if about["simulated"] else ""
    law = about["law"] if len(about["law"]) < 50 else "joint law"
    verdict = "" if about["verdict"] == "passed" else "\nNOT CONVERGED: see the posterior's remarks"
    colour = style.INK if about["verdict"] == "passed" else style.BEYOND
    figure.suptitle(f"{simulated}{text}: {law}{verdict}", fontsize=11, x=0.01, ha="left", color=colour)
    return figure


def _symbol(posterior: xr.Dataset, name: str) -> str:
    """The parameter's symbol in its paper; its name where another has the same, or where it is not a symbol."""
    if name not in posterior:
        return name
    symbol = str(posterior[name].attrs.get("symbol", name))
    others = [v.attrs.get("symbol") for k, v in posterior.data_vars.items() if k not in (name, f"group.{name}")]
    if symbol in others and not name.startswith("group."):
        return name
    return f"${symbol}$" if symbol.startswith("\\") or len(symbol) == 1 else symbol


def _rows(variable: xr.DataArray) -> int:
    return int(np.prod([size for dim, size in variable.sizes.items() if dim not in ("chain", "draw")]))


def _scalars(tree: xr.DataTree) -> dict[str, xr.DataArray]:
    """Every entry of every sampled parameter by its label in symbols."""
    posterior = tree["posterior"].to_dataset()
    names = [name for name in posterior.data_vars if not str(name).startswith("group.")]
    found = {}
    for label, entry in entries(posterior[names]):
        name = entry.attrs["name"]
        found[_symbol(posterior, str(entry.name)) + label.removeprefix(name)] = entry
    return found


def _log10_where_wide(label: str, draws: xr.DataArray) -> tuple[str, xr.DataArray]:
    low, high = np.quantile(draws, (0.01, 0.99))
    return (
        (rf"$\log_{{10}}$ {label}", draws.copy(data=np.log10(draws.values)))
        if low > 0 and high / low > 3
        else (label, draws)
    )


def _only(tree: xr.DataTree, draws: dict[str, xr.DataArray]) -> xr.DataTree:
    """The scalars under numbered names: a label may hold a slash, a name may not."""
    plain = {f"p{i}": xr.Variable(("chain", "draw"), x.values) for i, x in enumerate(draws.values())}
    stats = tree["sample_stats"].to_dataset()
    return xr.DataTree.from_dict({"posterior": xr.Dataset(plain, stats.coords), "sample_stats": stats})


def _of(shown: dict[str, Any], draws: dict[str, Any], which: str) -> str:
    return f" ({which} {len(shown)} of {len(draws)} parameters)" if len(shown) < len(draws) else ""
