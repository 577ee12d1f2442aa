"""What a fit card says of the search: the solver, the starts and whether they agreed, what is left, what is unsure."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxscale.core.ensemble import Ensemble
from jaxscale.core.parametric import values
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.resample.schemes import scheme_from_name
from jaxscale.infer.search.starts import start_rule
from jaxscale.infer.search.units import units as resampled
from jaxscale.report.card.runs import paired
from jaxscale.report.views.record import ensemble_record
from jaxscale.solve.certificate import SAME
from jaxscale.solve.solvers import settings_of
from jaxscale.studies import Study


def solver(fit: Fit) -> dict[str, Any]:
    """The method and its settings."""
    dtype = fit.problem.runs.target.dtype
    return {
        "name": type(fit.settings).__name__,
        "settings": {name: value for name, value in settings_of(fit.settings).items() if value is not None},
        "tolerance": f"stops when the decrease still to be had is below {fit.settings.tolerance(dtype):g} of the value",
        "stages": len(fit.objective.stages(dtype)),
        "coordinates": "unconstrained, whitened by the curvature; the best point finished by Newton's method",
    }


def search(fit: Fit) -> dict[str, Any]:
    """Starts, how they were chosen, how many agreed, other optima, and what makes the best point an optimum."""
    c = fit.certificate
    return {
        "starts": c.starts,
        "how_chosen": start_rule(fit.problem, c.starts - 1) if c.starts > 1 else "the law's own values",
        "converged": c.finished,
        "reached_the_best": round(c.share_best * c.starts),
        "counted_as_equal": f"within {SAME:g} of the value, or its rounding",
        "distinct_optima": c.distinct,
        "second_optimum": _second(fit),
        "certified": c.certified,
        "ended": c.code.name,
        "gradient_norm": c.gradient_norm,
        "gradient_tolerance": c.tolerance,
        "smallest_eigenvalue": c.smallest_eigenvalue,
        "hessian_condition": c.condition,
        "at_bounds": list(c.on_edge),
        "jacobian_condition": fit.identifiability.condition,
        "weakest_direction": dict(fit.identifiability.ridge),
        "design": list(fit.identifiability.lines),
    }


def _second(fit: Fit) -> Any:
    """How much worse the second optimum is, and where, if it is near enough to be kept."""
    gap = fit.certificate.second_gap
    if gap is None and not fit.alternatives:
        return "none found"
    z = fit.alternatives[0] if fit.alternatives else None
    dtype = fit.problem.runs.target.dtype
    at = None if z is None else values(fit.problem.split.tree(jnp.asarray(z, dtype)).law)
    return {
        "relative_excess": "none: another mode of the same value" if gap is None else gap,
        "parameters": "too far above to be kept"
        if at is None
        else {name: np.asarray(value, np.float64).tolist() for name, value in at.items()},
    }


def residuals(fit: Fit, predicted: np.ndarray, study: Study | None) -> dict[str, Any] | None:
    """What the law leaves unexplained in the runs it was fitted to, in the objective's space."""
    residual = getattr(fit.objective, "residual", None)
    if residual is None:
        return None
    left = np.asarray(residual(jnp.asarray(predicted), fit.runs), np.float64)
    used = np.asarray(fit.runs.weight) > 0
    size = np.where(used, np.abs(left), -1.0)
    worst, study = int(np.argmax(size)), paired(fit, study)
    return {
        "space": residual.name,
        "mean_absolute": float(np.mean(size[used])),
        "root_mean_square": float(np.sqrt(np.mean(size[used] ** 2))),
        "largest": float(size[worst]),
        "largest_at_row": worst + 1 if study is None else int(study.rows[worst]),
    }


def uncertainty(fit: Fit, ensemble: Ensemble) -> dict[str, Any]:
    """How draws were made, of which units, how many failed, and what they say."""
    kind, _, how = ensemble.method.partition(":")
    summary = ensemble_record(fit, ensemble)
    resamples = kind in ("bootstrap", "bagged")
    drawn = resampled(fit.problem.runs)
    rows = int(np.sum(np.asarray(fit.runs.weight) > 0))
    unit = "a row" if drawn.count == rows else "the rows of one run (cluster)"
    return {
        "kind": kind if resamples else "posterior",
        "method": ensemble.method,
        "scheme": _scheme(how) if resamples else "no resampling: the likelihood and the priors",
        "unit": unit if resamples else "none",
        "units": drawn.count if resamples else 0,
        "draws": ensemble.size,
        "failed": ensemble.failed,
        "standard_errors": summary["standard_errors"],
        "quantiles": summary["quantiles"],
    }


def _scheme(name: str) -> str | None:
    try:
        scheme = scheme_from_name(name)
    except KeyError:
        return None  # of the user's own: only its name is known
    return (scheme.__doc__ or "").partition("\n")[0]
