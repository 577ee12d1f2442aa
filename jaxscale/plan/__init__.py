"""Floor 4b: argmin over runs given a law or an ensemble.

`allocate` buys the best model size and tokens for a compute budget, `flops_for` inverts it; `deadweight`, `regret`,
`flat_range` and `gain_multiplier` say what a loss is worth in compute; `multiplier`, `probability_better` and
`crossover` compare two recipes. Uses the solver floor and its implicit derivatives; knows no law, no study and nothing
of how a law was fitted.
"""

from jaxscale.plan.allocate import Allocation, Bounds, allocate
from jaxscale.plan.cost import AbstractCost, SixND
from jaxscale.plan.equivalent import Deadweight, Flat, deadweight, flat_range, gain_multiplier, regret
from jaxscale.plan.reach import flops_for
from jaxscale.plan.versus import Chance, Crossover, crossover, multiplier, probability_better

__all__ = [
    "AbstractCost",
    "Allocation",
    "Bounds",
    "Chance",
    "Crossover",
    "Deadweight",
    "Flat",
    "SixND",
    "allocate",
    "crossover",
    "deadweight",
    "flat_range",
    "flops_for",
    "gain_multiplier",
    "multiplier",
    "probability_better",
    "regret",
]
