"""Floor 5: argmin over runs given a law or an ensemble.

`allocate` buys the best model size and tokens for a compute budget, `flops_for` inverts it, `plan_run` answers with
intervals and remarks; `recipes` says what one recipe is worth in the other, `frontier` finds compute-optimal sizes from
measured runs. Uses the solver floor and its implicit derivatives; knows no law and no study by name.
"""

from jaxscale.plan.allocate import Allocation, Bounds, allocate
from jaxscale.plan.cost import AbstractCost, SixND
from jaxscale.plan.invert import flops_for
from jaxscale.plan.plan_run import Planned, plan_run

__all__ = ["AbstractCost", "Allocation", "Bounds", "Planned", "SixND", "allocate", "flops_for", "plan_run"]
