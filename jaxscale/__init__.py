"""jaxscale: a law and a study meet in an objective, which is solved, to infer a law or to plan a run, and reported.

Nouns: a *law* (an equinox Module, callable for one run), a *study* (a table of runs with units and
provenance), an *ensemble* (many laws as one). Verbs: `fit`, `bootstrap`, `sample`, `bag`, `compare`, `forecast`,
`frontier`, `allocate`.

Floors, each importing only the ones below it: `cli`; `report` and `testing`; `infer` and `plan`; `solve`;
`objectives`; `laws` and `studies`; `core`.
"""

import importlib
from typing import TYPE_CHECKING, Any

from jaxscale.core.errors import BadInput
from jaxscale.core.law import AbstractLaw, Case, Published, from_published, signature
from jaxscale.core.parametric import param
from jaxscale.core.runs import Runs
from jaxscale.infer import (
    NUTS,
    Bagged,
    Bayesian,
    Comparison,
    Diagnosis,
    Ensemble,
    Envelope,
    Fit,
    Forecast,
    Frontier,
    Hull,
    IsoFlop,
    Pairs,
    Parametric,
    Posterior,
    Wild,
    average,
    bag,
    bootstrap,
    compare,
    covariance,
    crossvalidate,
    fit,
    forecast,
    forecast_with_discrepancy,
    frontier,
    held_out,
    learn_discrepancy,
    member,
    new_group,
    outlook,
    profile,
    sample,
    sample_from,
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
from jaxscale.plan import (
    Allocation,
    Bounds,
    SixND,
    allocate,
    crossover,
    deadweight,
    flat_range,
    flops_for,
    gain_multiplier,
    multiplier,
    probability_better,
    regret,
)
from jaxscale.studies import Study, datasets, load

if TYPE_CHECKING:
    from jaxscale.infer.discrepancy_model import discrepancy_model
    from jaxscale.infer.numpyro_model import numpyro_model

__version__ = "0.1.0"

__all__ = [
    "NUTS",
    "AbstractLaw",
    "Allocation",
    "BadInput",
    "Bagged",
    "Bayesian",
    "Bounds",
    "Case",
    "Comparison",
    "Diagnosis",
    "Ensemble",
    "Envelope",
    "Fit",
    "Forecast",
    "Frontier",
    "Hull",
    "IsoFlop",
    "Pairs",
    "Parametric",
    "Pooled",
    "Posterior",
    "Published",
    "Runs",
    "SixND",
    "Study",
    "Tied",
    "Wild",
    "allocate",
    "average",
    "bag",
    "bootstrap",
    "catalogue",
    "compare",
    "covariance",
    "crossover",
    "crossvalidate",
    "datasets",
    "deadweight",
    "discrepancy_model",
    "fit",
    "flat_range",
    "flops_for",
    "forecast",
    "forecast_with_discrepancy",
    "from_published",
    "frontier",
    "gain_multiplier",
    "gaussian",
    "held_out",
    "huber_density",
    "learn_discrepancy",
    "least_squares",
    "load",
    "log_huber",
    "log_lad",
    "lower_envelope",
    "member",
    "multiplier",
    "new_group",
    "numpyro_model",
    "outlook",
    "param",
    "probability_better",
    "profile",
    "regret",
    "sample",
    "sample_from",
    "signature",
    "standard_errors",
    "student_t",
]


def __getattr__(name: str) -> Any:
    """`numpyro_model` and `discrepancy_model`, which load NumPyro, only once somebody asks for them."""
    if name in ("numpyro_model", "discrepancy_model"):
        return getattr(importlib.import_module(f"jaxscale.infer.{name}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
