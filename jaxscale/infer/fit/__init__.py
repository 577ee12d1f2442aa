"""A certified optimum (`fit`), its pure kernel (`estimate`), and refits from it."""

from jaxscale.infer.fit.estimate import Estimate, estimate
from jaxscale.infer.fit.fit import Fit, fit

__all__ = ["Estimate", "Fit", "estimate", "fit"]
