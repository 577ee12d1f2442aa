"""Floor 4a: argmin over laws given runs, and how sure it is.

`fit` certifies an optimum, `bootstrap` refits it thousands of times, `forecast` predicts with intervals and
the distance of extrapolation. Knows objectives and the solver; no law, no study, no plan.
"""

from jaxscale.infer.bootstrap import bootstrap
from jaxscale.infer.ensemble import Ensemble
from jaxscale.infer.fit import Fit, fit
from jaxscale.infer.forecast import Forecast, forecast
from jaxscale.infer.resample import Bayesian, Pairs, Parametric, Wild

__all__ = ["Bayesian", "Ensemble", "Fit", "Forecast", "Pairs", "Parametric", "Wild", "bootstrap", "fit", "forecast"]
