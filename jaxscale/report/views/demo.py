"""The demonstration: the pocket study's grid is fitted, and held against a known entropy and larger runs."""

import numpy as np
from rich.table import Table

from jaxscale.core.ensemble import Ensemble
from jaxscale.core.flops import training_flops
from jaxscale.infer.forecast.forecast import Forecast
from jaxscale.report.views.numbers import count
from jaxscale.report.views.text import table
from jaxscale.studies import Study, load

CORPUS = "zipf"
ENTROPY = 1.3765521  # nats per byte, of this source in closed form (`studies/pocket/SOURCE.md`)
FACTOR = 30.0


def small() -> Study:
    """The runs that are fitted."""
    return load("pocket_grid", where=f"corpus == '{CORPUS}'")


def larger() -> Study:
    """Those that are not: 2 to 6 times the compute of the largest fitted run."""
    return load("pocket_larger", where=f"corpus == '{CORPUS}'")


def entropy_sentence(ensemble: Ensemble) -> str:
    """Whether E's interval holds what it stands for."""
    low, high = np.quantile(np.asarray(ensemble.ok().params()["E"], np.float64), (0.05, 0.95))
    holds = "holds" if low <= ENTROPY <= high else "MISSES"
    return f"E stands for the source's entropy, which is known here: {ENTROPY:.4f} nats. The 90 % interval {holds} it."


def budget(fitted: Study) -> float:
    """30 times the largest fitted compute, counted as 6 N D as the planner does."""
    return FACTOR * float(training_flops(fitted.columns["N"], fitted.columns["D"]).max())


def heldout_table(forecast: Forecast, fitted: Study, heldout: Study) -> Table:
    """Forecast against the loss that training reached, one row per run, cheapest first."""
    made = table("", "N", "D", "compute", "forecast", "5 %", "95 %", "trained", "off by", left=0)
    held, reach = heldout.columns, fitted.columns["C"].max()
    assert forecast.quantiles is not None
    low, high = forecast.quantiles["0.05"], forecast.quantiles["0.95"]
    for i in np.argsort(held["C"]):
        losses = [f"{x:.4f}" for x in (forecast.point[i], low[i], high[i], held["loss"][i])]
        off = held["loss"][i] / forecast.point[i] - 1
        made.add_row(
            count(float(held["N"][i])),
            count(float(held["D"][i])),
            f"{held['C'][i] / reach:.1f}x",
            *losses,
            f"{off:+.2%}",
        )
    return made


def heldout_sentence(forecast: Forecast, heldout: Study) -> str:
    """How far off the forecasts were, and how many of the 90 % intervals held."""
    loss = heldout.columns["loss"]
    assert forecast.quantiles is not None
    inside = (forecast.quantiles["0.05"] <= loss) & (loss <= forecast.quantiles["0.95"])
    off = np.median(np.abs(loss / forecast.point - 1))
    return (
        f"Half of the forecasts were within {off:.2%} of what training reached; {int(inside.sum())} of {inside.size} "
        "losses lie inside the 90 % intervals, which hold the parameters' uncertainty under this law only: neither a "
        "run's noise nor the doubt about the law."
    )
