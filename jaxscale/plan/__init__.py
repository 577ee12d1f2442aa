"""Floor 4b: argmin over runs given a law or an ensemble.

`allocate` buys the best model size and tokens for a compute budget, `flops_for` inverts it. Uses the solver
floor and its implicit derivatives; knows no law, no study and nothing of how a law was fitted.
"""

from jaxscale.plan.allocate import Allocation, Bounds, allocate, flops_for
from jaxscale.plan.cost import AbstractCost, SixND

__all__ = ["AbstractCost", "Allocation", "Bounds", "SixND", "allocate", "flops_for"]
