"""Floor 4a: argmin over laws given runs, and how sure it is.

`fit` certifies an optimum (`estimate` is its kernel, for `jit` and `vmap`), `bootstrap` refits it thousands of times,
`forecast` predicts with intervals and the distance of extrapolation; `covariance` and `profile` say how sure without
refits, `held_out` scores by scale. `sample` draws from a posterior and judges the draws, `bag` does so for every
resample of the runs, `compare` and `average` weigh several laws, `forecast_with_discrepancy` adds what a law leaves
out. `frontier` finds compute-optimal sizes without one. Knows objectives and the solver; no law, no study, no plan.
"""

from jaxscale.infer.averaging import average
from jaxscale.infer.bag import Bagged, bag
from jaxscale.infer.bootstrap import bootstrap
from jaxscale.infer.compare import Comparison, compare
from jaxscale.infer.covariance import Covariance, covariance, standard_errors
from jaxscale.infer.diagnosis import Diagnosis
from jaxscale.infer.discrepancy import Discrepancy, learn_discrepancy
from jaxscale.infer.discrepancy_forecast import DiscrepancyForecast, forecast_with_discrepancy
from jaxscale.infer.ensemble import Ensemble
from jaxscale.infer.estimate import Estimate, estimate
from jaxscale.infer.fit import Fit, fit
from jaxscale.infer.forecast import Forecast, forecast
from jaxscale.infer.frontier import Envelope, Frontier, Hull, IsoFlop, frontier
from jaxscale.infer.heldout import HeldOut, held_out
from jaxscale.infer.matched import Matched, matched
from jaxscale.infer.newgroup import member, new_group
from jaxscale.infer.nuts import NUTS
from jaxscale.infer.origins import Origins, crossvalidate
from jaxscale.infer.outlined import Outlined
from jaxscale.infer.outlook import Outlook, outlook
from jaxscale.infer.posterior import Posterior
from jaxscale.infer.profile import Profile, profile
from jaxscale.infer.resample import Bayesian, Pairs, Parametric, Wild
from jaxscale.infer.sample import sample, sample_from

__all__ = [
    "NUTS",
    "Bagged",
    "Bayesian",
    "Comparison",
    "Covariance",
    "Diagnosis",
    "Discrepancy",
    "DiscrepancyForecast",
    "Ensemble",
    "Envelope",
    "Estimate",
    "Fit",
    "Forecast",
    "Frontier",
    "HeldOut",
    "Hull",
    "IsoFlop",
    "Matched",
    "Origins",
    "Outlined",
    "Outlook",
    "Pairs",
    "Parametric",
    "Posterior",
    "Profile",
    "Wild",
    "average",
    "bag",
    "bootstrap",
    "compare",
    "covariance",
    "crossvalidate",
    "estimate",
    "fit",
    "forecast",
    "forecast_with_discrepancy",
    "frontier",
    "held_out",
    "learn_discrepancy",
    "matched",
    "member",
    "new_group",
    "outlook",
    "profile",
    "sample",
    "sample_from",
    "standard_errors",
]
