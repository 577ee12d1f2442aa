"""jaxscale: a law and a study meet in an objective, which is solved, to infer a law or to plan a run, and reported.

Nouns: a *law* (an equinox Module, callable for one run), a *study* (a table of runs with units and
provenance), an *ensemble* (many laws as one). Verbs: `fit`, `bootstrap`, `forecast`, `allocate`.

Floors, each importing only the ones below it: `cli`; `report` and `testing`; `infer` and `plan`; `solve`;
`objectives`; `laws` and `studies`; `core`.
"""

from jaxscale.core.errors import BadInput
from jaxscale.core.law import AbstractLaw, Case, Published, from_published, signature
from jaxscale.core.parametric import param
from jaxscale.core.runs import Runs
from jaxscale.infer import (
    Bayesian,
    Ensemble,
    Fit,
    Forecast,
    Pairs,
    Parametric,
    Wild,
    bootstrap,
    covariance,
    fit,
    forecast,
    held_out,
    profile,
    rolling_origin,
    standard_errors,
)
from jaxscale.laws import catalogue
from jaxscale.objectives import (
    Pooled,
    Tied,
    gaussian,
    huber_density,
    least_squares,
    log_huber,
    log_lad,
    lower_envelope,
    student_t,
)
from jaxscale.plan import Allocation, Bounds, SixND, allocate, flops_for
from jaxscale.studies import Study, datasets, load

__version__ = "0.1.0"

__all__ = [
    "AbstractLaw",
    "Allocation",
    "BadInput",
    "Bayesian",
    "Bounds",
    "Case",
    "Ensemble",
    "Fit",
    "Forecast",
    "Pairs",
    "Parametric",
    "Pooled",
    "Published",
    "Runs",
    "SixND",
    "Study",
    "Tied",
    "Wild",
    "allocate",
    "bootstrap",
    "catalogue",
    "covariance",
    "datasets",
    "fit",
    "flops_for",
    "forecast",
    "from_published",
    "gaussian",
    "held_out",
    "huber_density",
    "least_squares",
    "load",
    "log_huber",
    "log_lad",
    "lower_envelope",
    "param",
    "profile",
    "rolling_origin",
    "signature",
    "standard_errors",
    "student_t",
]
