"""Figures: what must be seen is there, and what lies beyond the data does not look like what lies within."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from jaxscale.core.ensemble import Ensemble
from jaxscale.infer.fit import Fit, fit
from jaxscale.infer.resample import bootstrap
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.report.figures import plots
from jaxscale.testing.simulated import simulate


@pytest.fixture(scope="module")
def fitted() -> tuple[Fit, Ensemble]:
    found = fit(Chinchilla(), simulate().study, starts=2)
    return found, bootstrap(found, 32)


@pytest.fixture(scope="module")
def drawn(fitted) -> dict[str, Figure]:
    return dict(plots.figures(*fitted, simulate().heldout))


def _words(figure: Figure) -> str:
    legends = [t.get_text() for legend in figure.legends for t in legend.get_texts()]
    return " ".join([figure.get_suptitle(), *legends, *(t.get_text() for ax in figure.axes for t in ax.texts)])


def test_every_figure_is_made_and_says_simulated(drawn):
    assert list(drawn) == ["contours", "isoflop", "extrapolation", "residuals", "corner"]
    assert all(figure.get_suptitle().startswith("SIMULATED") for figure in drawn.values())


def test_axes_have_names_and_units(drawn):
    assert drawn["contours"].axes[0].get_xlabel() == "parameters N"
    assert drawn["contours"].axes[0].get_ylabel() == "training tokens D"
    assert drawn["isoflop"].axes[0].get_ylabel() == "loss (nats)"
    assert drawn["extrapolation"].axes[1].get_xlabel() == "compute C (FLOP)"
    assert "in %" in drawn["residuals"].axes[0].get_ylabel()


def test_beyond_the_data_looks_different(drawn, fitted):
    """At the edge of the runs' compute the line changes style and colour, and nothing solid crosses it."""
    runs = fitted[0].runs
    edge = float(np.max(6 * np.asarray(runs.inputs["N"], float) * np.asarray(runs.inputs["D"], float)))
    ax = drawn["extrapolation"].axes[0]
    lines = {line.get_label(): line for line in ax.get_lines()}
    near, far = lines["compute-optimal loss"], lines["compute-optimal loss, extrapolated"]
    assert np.max(near.get_xdata()) == pytest.approx(edge)
    assert np.min(far.get_xdata()) == pytest.approx(edge)
    assert far.is_dashed()
    assert not near.is_dashed()
    assert near.get_color() != far.get_color()
    hatches = {c.get_label(): c.get_hatch() for c in ax.collections}
    assert hatches["90 % interval"] is None
    assert hatches["90 %, extrapolated"]
    shown = [t.get_text() for t in drawn["extrapolation"].legends[0].get_texts()]
    assert len(shown) == len(set(shown))  # the panel below repeats the styles, not their names
    assert "beyond the fitted runs" in _words(drawn["extrapolation"])


def test_every_run_is_a_point(drawn):
    for name in ("contours", "residuals"):
        points = [c for c in drawn[name].axes[0].collections if isinstance(c, PathCollection)]
        assert sum(len(np.asarray(p.get_offsets())) for p in points) == 120


def test_corner_has_one_panel_per_pair(drawn):
    seen = [ax for ax in drawn["corner"].axes if ax.get_visible()]
    assert len(seen) == 15  # 5 parameters: 5 histograms and 10 pairs


def test_a_law_of_one_input_has_its_curve(small_fit, small_ensemble):
    made = dict(plots.figures(small_fit, small_ensemble))
    assert list(made) == ["extrapolation", "residuals", "corner"]
    assert "SIMULATED" not in made["extrapolation"].get_suptitle()


def test_figures_become_files(drawn, tmp_path: Path):
    for name, figure in drawn.items():
        figure.savefig(tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
