"""A fit and its ensemble in the layout of ArviZ: an in-memory tree for its plots and tables."""

import xarray as xr

from jaxscale.core.ensemble import Ensemble
from jaxscale.infer.fit.fit import Fit
from jaxscale.report.store.groups import parameter_variables, runs_group


def to_arviz(fit: Fit, ensemble: Ensemble) -> xr.DataTree:
    """`posterior` (one chain), `observed_data` (the target by run) and `constant_data` (inputs, weights, groups).

    Draws that did not converge are left out; the attribute `failed` of `posterior` counts them, and `method`
    says what the draws are: of a bootstrap they are refits, not draws from a posterior, and chain diagnostics
    do not apply; `remarks` repeats the ensemble's own. `posterior_tree` holds more of a posterior: its chains.
    Raises `BadInput` where no draw converged.
    """
    kept = ensemble.ok()
    about = {"inference_library": "jaxscale", "method": ensemble.method, "failed": ensemble.failed}
    about["remarks"] = "\n".join(ensemble.remarks)
    draws = parameter_variables(kept.law, ("draw",)).expand_dims(chain=[0])
    draws = draws.assign_coords(draw=range(kept.size)).assign_attrs(about)
    runs = runs_group(fit.runs, fit.law, fit.groups)
    return xr.DataTree.from_dict(
        {
            "/": xr.Dataset(attrs=dict(fit.provenance)),
            "/posterior": draws,
            "/observed_data": runs[["target"]],
            "/constant_data": runs.drop_vars(["target", "predicted"]),
        }
    )
