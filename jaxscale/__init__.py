"""jaxscale: a law and a study meet in an objective, which is solved, to infer a law or to plan a run, and reported.

Nouns: a *law* (an equinox Module, callable for one run), a *study* (a table of runs with units and
provenance), an *ensemble* (many laws as one). Verbs: `fit`, `bootstrap`, `sample`, `bag`, `compare`, `forecast`,
`frontier`, `allocate`.

Floors, each importing only the ones below it: `cli`; `report` and `testing`; `infer` and `plan`; `solve`;
`objectives`; `laws` and `studies`; `core`.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
        Estimate,
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
        estimate,
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
    from jaxscale.infer.discrepancy_model import discrepancy_model
    from jaxscale.infer.numpyro_model import numpyro_model
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
    "Estimate",
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
    "estimate",
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


# Where the names stand, the floors in turn. They are loaded when the first of them is asked for, so that the command
# line can still say in a sentence that JAX does not start, or that somebody pressed Ctrl-C in those seconds.
_MODULES = (
    *("core.errors", "core.law", "core.parametric", "core.runs", "laws", "studies", "objectives", "infer", "plan"),
    *("infer.numpyro_model", "infer.discrepancy_model"),  # these load NumPyro, for the two that need it
)
_FLOORS = ("core", "laws", "studies", "objectives", "solve", "infer", "plan")


def __getattr__(name: str) -> Any:
    if name in _FLOORS:
        return importlib.import_module(f"jaxscale.{name}")
    if name in __all__:
        for module in _MODULES:
            found = getattr(importlib.import_module(f"jaxscale.{module}"), name, None)
            if found is not None and not isinstance(found, ModuleType):  # a module may bear its function's name
                globals()[name] = found
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
