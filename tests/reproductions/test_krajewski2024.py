"""Krajewski, Ludziejewski et al. 2024: the compute-optimal models of their table 2 from their coefficients alone.

Their runs are not public. Coefficients carry two or three digits, which moves the loss by up to .04, and the FLOP of
table 2 gave the cost of routing that the law file states. "64 x 1B" reads as 1B active parameters: with N = 64e9
instead of 43e9 the loss comes out too low by .07, beyond rounding. The losses of the table are .01 to .02 above
ours, within it, and the optimal sizes come out within 3 %.
"""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from jaxscale.laws.architecture.krajewski2024 import FineGrainedMoE, active_parameters, training_flops

# Active parameters, D, G, FLOP, loss.
TABLE = (
    (100e6, 4.37e9, 8, 2.95e18, 3.133),
    (1e9, 28.94e9, 16, 1.93e20, 2.491),
    (3e9, 72.90e9, 16, 1.41e21, 2.245),
    (7e9, 137.60e9, 32, 6.46e21, 2.076),
    (70e9, 941.07e9, 32, 4.16e23, 1.694),
    (300e9, 2.96e12, 64, 5.69e24, 1.503),
    (1e12, 7.94e12, 64, 4.97e25, 1.367),
)
# Half a unit in the last printed digit of each coefficient.
HALF = {"c": 5e-3, "a": 0.05, "g": 0.05, "b": 0.05, "alpha": 5e-4, "beta": 5e-4, "gamma": 5e-3}
ROWS = pytest.mark.parametrize(("active", "D", "G", "C", "loss"), TABLE, ids=[f"{row[0]:g}" for row in TABLE])


def scalars(*values: float) -> list[jnp.ndarray]:
    return [jnp.asarray(value, float) for value in values]


@ROWS
def test_loss_and_compute(
    active: float, D: float, G: int, C: float, loss: float, beside: Callable[[str, object, object], None]
) -> None:
    N = active * (8 * 64 + 4) / 12
    at = scalars(N, D, G)
    assert float(active_parameters(at[0])) == pytest.approx(active, rel=1e-6)
    ours, flops = float(FineGrainedMoE()(*at)), float(training_flops(*at))
    beside(f"64 x {active:.0e}, loss", f"{ours:.3f}", f"{loss:.3f}")
    beside(f"64 x {active:.0e}, FLOP", f"{flops:.3g}", f"{C:.3g}")
    slack = sum(
        abs(float(FineGrainedMoE().replace(**{name: value + HALF[name]})(*at)) - ours)
        for name, value in FineGrainedMoE.published["moe"].values.items()
    )
    assert abs(ours - loss) < slack + 5e-4
    assert loss - float(FineGrainedMoE()(64 * active, *at[1:])) > slack + 5e-4  # N is not 64 times the active count
    assert flops == pytest.approx(C, rel=0.01)  # active parameters are named to one or two digits


@ROWS
def test_optimal_size(
    active: float, D: float, G: int, C: float, loss: float, beside: Callable[[str, object, object], None]
) -> None:
    """Of the paths through (N, D) at the table's compute and granularity, the best is the table's."""
    law = FineGrainedMoE()

    def spent(log_N: float) -> float:
        N, one, fine = scalars(np.exp(log_N), 1.0, G)
        return float(law(N, jnp.asarray(C) / training_flops(N, one, fine), fine))

    given = np.log(active * 43)
    best = minimize_scalar(spent, bounds=(given - 2, given + 2), method="bounded")
    beside(f"64 x {active:.0e}, optimal active size", f"{np.exp(best.x) / 43:.3g}", f"{active:.3g}")
    # Half a unit in the last digit of either exponent moves the logarithm of the optimal size by this much.
    slack = 2 * 5e-4 * given / (0.115 + 0.147)
    assert best.x == pytest.approx(given, abs=slack)
    assert spent(given) - best.fun < 5e-4  # the last printed digit of the loss
