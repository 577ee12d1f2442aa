"""The demonstration's study: simulated from published coefficients, and labelled so everywhere.

Truth: Chinchilla's form with the coefficients of Besiroglu et al. 2024 (arXiv 2404.10102). 120 runs on a grid
of 12 sizes and 10 amounts of data, jittered off any ray; the largest runs, at 30 times the compute, are held
out. Noise: Student-t with 4 degrees of freedom, standard deviation 0.3 % of the loss.
"""

from typing import NamedTuple

import numpy as np
from rich.table import Table

from jaxscale.core.law import from_published
from jaxscale.core.parametric import as_leaf, values
from jaxscale.infer.ensemble import Ensemble
from jaxscale.infer.fit import Fit
from jaxscale.infer.forecast import Forecast
from jaxscale.laws.loss.chinchilla import Chinchilla
from jaxscale.report.numbers import count, estimate
from jaxscale.report.planning import Planned
from jaxscale.report.record import SIMULATED
from jaxscale.report.text import table
from jaxscale.studies import Study

TRUTH = "besiroglu2024"
NOISE = 0.003
LABEL = (
    "these runs are drawn at random from the coefficients of Besiroglu et al. 2024 (noise 0.3 %, fixed seed); "
    "no model was trained"
)
_DF = 4
_SEED = 20240415
_FACTOR = 30.0


class Simulated(NamedTuple):
    """`study` is fitted; `heldout` (at 30 times the largest fitted compute) is not; `truth` is what both are from."""

    study: Study
    heldout: Study
    truth: Chinchilla


def simulate() -> Simulated:
    """The same study every time. Losses in nats per token."""
    rng = np.random.default_rng(_SEED)
    truth = from_published(Chinchilla, TRUTH)
    N, D = (axis.reshape(-1) for axis in np.meshgrid(np.geomspace(3e7, 3e9, 12), np.geomspace(8e8, 8e10, 10)))
    N, D = (np.round(x * np.exp(rng.uniform(-0.15, 0.15, x.size)), -5) for x in (N, D))
    budget = _FACTOR * float(np.max(6 * N * D))
    # Sizes around the optimum at that budget: what a planner would consider.
    large = np.round(np.array([0.35, 0.6, 1.0, 1.7]) * np.sqrt(budget / 6 / 20), -7)
    tokens = np.round(budget / 6 / large, -8)
    return Simulated(_study("simulated", truth, N, D, rng), _study("held out", truth, large, tokens, rng), truth)


def _study(name: str, truth: Chinchilla, N: np.ndarray, D: np.ndarray, rng: np.random.Generator) -> Study:
    noise = rng.standard_t(_DF, N.size) * NOISE / np.sqrt(_DF / (_DF - 2))
    return Study.from_arrays(
        f"{name} runs (simulated from {TRUTH} coefficients)",
        {"N": N, "D": D},
        exact(truth, N, D) * np.exp(noise),
        licence="none needed: simulated",
        source=f"simulated from {TRUTH} coefficients",
        provenance={SIMULATED: LABEL},
    )


def exact(law: Chinchilla, N: np.ndarray, D: np.ndarray) -> np.ndarray:
    """The law's loss on the host in float64, whatever precision jax runs in."""
    E, A, B, alpha, beta = (float(getattr(law, name)) for name in ("E", "A", "B", "alpha", "beta"))
    return E + A * N**-alpha + B * D**-beta


def truth_record(simulated: Simulated) -> dict[str, float]:
    """The coefficients that the runs were drawn from."""
    return {name: float(value) for name, value in values(simulated.truth).items()}


def truth_table(fit: Fit, ensemble: Ensemble, simulated: Simulated) -> Table:
    """Estimate, 90 % interval and truth by parameter."""
    made = table("SIMULATED: parameters", "", "truth", "estimate", "std. error", "5 %", "95 %", "truth inside")
    draws = ensemble.ok().params()
    for name, true in truth_record(simulated).items():
        low, high = np.quantile(np.asarray(draws[name], np.float64), (0.05, 0.95))
        spread = float(np.std(np.asarray(draws[name], np.float64), ddof=1))
        fitted = float(fit.params[name])
        inside = "yes" if low <= true <= high else "no"
        made.add_row(name, estimate(true), estimate(fitted), f"{spread:.2g}", estimate(low), estimate(high), inside)
    return made


def heldout_table(forecast: Forecast, simulated: Simulated) -> Table:
    """Forecast against the simulated measurement and against the truth without noise."""
    made = table("SIMULATED: forecast", "N", "D", "forecast", "5 %", "95 %", "run", "run off by", "truth", left=0)
    held = simulated.heldout.columns
    true = exact(simulated.truth, held["N"], held["D"])
    assert forecast.quantiles is not None
    for i, point in enumerate(forecast.point):
        low, high = forecast.quantiles["0.05"][i], forecast.quantiles["0.95"][i]
        off = np.log(held["loss"][i] / point)
        cells = [f"{x:.4f}" for x in (point, low, high, held["loss"][i])]
        made.add_row(count(held["N"][i]), count(held["D"][i]), *cells, f"{off:+.2%}", f"{true[i]:.4f}")
    return made


def heldout_sentence(forecast: Forecast, simulated: Simulated) -> str:
    """How many of the noise-free losses the 90 % intervals hold, and the size of the errors against the noise."""
    held = simulated.heldout.columns
    true = exact(simulated.truth, held["N"], held["D"])
    assert forecast.quantiles is not None
    inside = (forecast.quantiles["0.05"] <= true) & (true <= forecast.quantiles["0.95"])
    off = np.log(held["loss"] / forecast.point)
    return (
        f"The 90 % intervals (of the law, without a run's noise) hold the truth at {int(inside.sum())} of "
        f"{inside.size} points; the runs lie {np.sqrt(np.mean(off**2)):.2%} off in the root "
        f"mean square, with noise of {NOISE:.1%}."
    )


def plan_check(planned: Planned, simulated: Simulated) -> str:
    """The optimum of the truth at the same budget."""
    N, D = (float(x) for x in simulated.truth.compute_optimal(as_leaf(planned.flops)))
    best = float(exact(simulated.truth, np.array(N), np.array(D)))
    chosen = float(exact(simulated.truth, np.array(planned.point["N"]), np.array(planned.point["D"])))
    return (
        f"SIMULATED truth: the optimum is {count(N)} parameters on {count(D)} tokens with loss {best:.4f}; "
        f"the planned run costs {chosen / best - 1:.3%} more than that."
    )
