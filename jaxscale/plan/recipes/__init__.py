"""What one recipe is worth in the other: multiplier, crossover, deadweight, regret."""

from jaxscale.plan.recipes.equivalent import Deadweight, Flat, deadweight, flat_range, gain_multiplier, regret
from jaxscale.plan.recipes.multiplier import Chance, Crossover, crossover, multiplier, probability_better
from jaxscale.plan.recipes.versus import Versus, versus

__all__ = [
    "Chance",
    "Crossover",
    "Deadweight",
    "Flat",
    "Versus",
    "crossover",
    "deadweight",
    "flat_range",
    "gain_multiplier",
    "multiplier",
    "probability_better",
    "regret",
    "versus",
]
