"""Several laws weighed against each other: leave-one-out, stacking, averages."""

from jaxscale.infer.compare.average import average
from jaxscale.infer.compare.compare import Comparison, compare

__all__ = ["Comparison", "average", "compare"]
