"""Figures of a posterior: the right ones, labelled in symbols, with the verdict on top."""

from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure

from jaxscale.report.figures.plots import posterior as plots
from jaxscale.report.store.tree import posterior_tree


@pytest.fixture(scope="module")
def drawn(joint_posterior) -> dict[str, Figure]:
    return dict(plots.posterior_figures(joint_posterior))


def _labels(figure: Figure) -> set[str]:
    return {label for ax in figure.axes for label in (ax.get_xlabel(), ax.get_ylabel()) if label}


def test_every_figure_is_made_and_pyplot_keeps_none(drawn):
    assert list(drawn) == ["rank", "pair", "forest-alpha", "forest-gamma", "predictive", "loo-pit"]
    assert plt.get_fignums() == []
    assert all("NOT" not in figure.get_suptitle() for figure in drawn.values())


def test_parameters_are_shown_by_their_symbols(drawn):
    entries = {r"$\alpha$[web/code]", r"$\alpha$[c4]", r"$\gamma$", r"$\sigma_{\gamma}$", r"$\sigma$"}
    assert entries <= _labels(drawn["rank"])
    assert entries <= _labels(drawn["pair"])
    assert len([ax for ax in drawn["pair"].axes if ax.get_visible() and ax.axison]) == 28  # 7 and 21 pairs


def test_the_forest_has_a_row_per_data_set_and_their_population(drawn):
    shown = {t.get_text() for t in drawn["forest-gamma"].axes[0].texts}
    assert {"web/code", "c4", "population"} <= shown
    assert drawn["forest-gamma"].axes[-1].get_xlabel() == r"$\gamma$ (error)"
    assert "population" not in {t.get_text() for t in drawn["forest-alpha"].axes[0].texts}


def test_checks_name_their_axes(drawn):
    assert drawn["predictive"].axes[0].get_xlabel() == "loss (error)"
    assert "leave-one-out" in drawn["loo-pit"].axes[0].get_xlabel()


def test_a_failed_posterior_says_so_on_top(bad_posterior):
    figure = plots.predictive(posterior_tree(bad_posterior))
    assert "NOT CONVERGED" in figure.get_suptitle()


def test_figures_become_files(drawn, tmp_path: Path):
    for name in ("forest-gamma", "loo-pit"):
        drawn[name].savefig(tmp_path / f"{name}.png", dpi=40)
        assert (tmp_path / f"{name}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
