"""Floor 4a: argmin over laws given runs, and how sure it is.

`fit` certifies an optimum, `bootstrap` refits it thousands of times, `forecast` predicts with intervals and
the distance of extrapolation; `covariance` and `profile` say how sure without refits, `held_out` scores by scale.
Knows objectives and the solver; no law, no study, no plan.
"""

from jaxscale.infer.bootstrap import bootstrap
from jaxscale.infer.covariance import Covariance, covariance, standard_errors
from jaxscale.infer.ensemble import Ensemble
from jaxscale.infer.fit import Fit, fit
from jaxscale.infer.forecast import Forecast, forecast
from jaxscale.infer.heldout import HeldOut, held_out, rolling_origin
from jaxscale.infer.profile import Profile, profile
from jaxscale.infer.resample import Bayesian, Pairs, Parametric, Wild

__all__ = [
    "Bayesian",
    "Covariance",
    "Ensemble",
    "Fit",
    "Forecast",
    "HeldOut",
    "Pairs",
    "Parametric",
    "Profile",
    "Wild",
    "bootstrap",
    "covariance",
    "fit",
    "forecast",
    "held_out",
    "profile",
    "rolling_origin",
    "standard_errors",
]
