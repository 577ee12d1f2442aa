"""`save` and `load`: a fit and its ensemble as one netCDF file, complete and to the last bit.

Groups: `fit` (parameters, hessian; `certificate` and `identifiability` below it), `runs`, `provenance`, and where
they were given `bootstrap` or `posterior`, and `card`. Any netCDF reader opens it:
`xarray.open_datatree(path, engine="h5netcdf")`.
"""

import datetime
import importlib.metadata
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jax
import jax.core
import numpy as np
import xarray as xr

from jaxscale.core.ensemble import Ensemble
from jaxscale.core.errors import BadInput
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.fit.recheck import contradiction
from jaxscale.report.store.check import check_ensemble, check_fit, check_written
from jaxscale.report.store.file import FORMAT, SCHEMA, SEAL, check_seal, read, write
from jaxscale.report.store.groups import (
    card_group,
    check_predictions,
    ensemble_group,
    fit_groups,
    local,
    read_card,
    read_ensemble,
    read_fit,
)

_PACKAGES = ("jaxscale", "jax", "jaxlib", "equinox", "numpy", "xarray", "h5netcdf")
_ENSEMBLES = ("bootstrap", "posterior")


@dataclass(frozen=True)
class Saved:
    """What a file held: the fit, its ensemble and its card (None where there was none), the versions that wrote it."""

    fit: Fit
    ensemble: Ensemble | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    card: Mapping[str, Any] | None = None


def save(
    path: str | Path, fit: Fit, ensemble: Ensemble | None = None, *, card: Mapping[str, Any] | None = None
) -> None:
    """Write `fit`, the ensemble made from it and its `fit_card`, to `path`.

    A file that was there is replaced at once at the end: a process that dies leaves the old one or the new
    one, never half of one. Raises `BadInput` where the folder cannot be written, where the ensemble is of
    another law, and where a custom law could not be found again.
    """
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((fit.law, fit.problem))):
        raise BadInput(f"{path}: expected a fit with values, got one that is being traced; save outside grad and jit")
    model = fit.problem.template
    if not _same((fit.law, fit.objective), (model.law, model.objective)):
        raise BadInput(
            f"{path}: expected fit.law and fit.objective to be the optimum of fit.problem, got other values; "
            "save the fit as `fit` returned it"
        )
    if ensemble is not None and jax.tree.structure(ensemble.law) != jax.tree.structure(fit.law):
        raise BadInput(
            f"{path}: expected an ensemble of {type(fit.law).__name__} as fitted, got one of "
            f"{type(ensemble.law).__name__}; save it with its own fit"
        )
    write(path, xr.DataTree.from_dict(_groups(fit, ensemble, card)))


def load(path: str | Path, *, trust: bool = False) -> Saved:
    """Read what `save` wrote; the numbers are the same to the last bit.

    Runs no code from the file. A law from outside the package is imported from where it was defined, which
    runs its file: only with `trust`. In a process without float64 a float64 file is rounded, and a remark
    says so. Structure and sizes are checked before anything is loaded, and a file is at most 128 MiB. Raises
    `BadInput` where the file is damaged, of another origin or of a later schema, where it holds what `save` does not
    write or a certificate that its numbers contradict, and where a law is unknown or gives other values than it did.
    """
    tree = read(path)
    groups = {node.path: node.to_dataset(inherit=False) for node in tree.subtree}
    versions = {k: str(tree.attrs[f"{k}_version"]) for k in ("python", *_PACKAGES) if f"{k}_version" in tree.attrs}
    writer = versions.get("jaxscale", "of unknown version")
    try:
        check_seal(tree)  # before anything in the file is acted on
        missing = sorted({"/fit", "/fit/certificate", "/fit/identifiability", "/runs", "/provenance"} - set(groups))
        if missing:
            raise BadInput(f"expected the groups of a fit, {', '.join(missing)} missing; save the fit again")
        fit = read_fit(groups, trust=trust, writer=writer)
        stored = groups["/runs"]["target"].values
        rounded = local(stored).dtype != stored.dtype
        check_fit(fit)
        found = next((groups[f"/{kind}"] for kind in _ENSEMBLES if f"/{kind}" in groups), None)
        ensemble = None if found is None else read_ensemble(found, trust=trust, writer=writer)
        card = read_card(groups["/card"]) if "/card" in groups else None
        if ensemble is not None:
            check_ensemble(ensemble, fit)
        again = _groups(fit, ensemble, card)
        check_predictions(groups["/runs"], again["/runs"], type(fit.law).__name__, writer)
        again["/"].attrs |= {SEAL: "", **{f"{name}_version": "" for name in versions}}
        check_written(groups, again, bits=not rounded)
        told = None if rounded else contradiction(fit)
        if told is not None:
            raise BadInput(f"{told}; its certificate does not hold: fit again")
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise BadInput(
            f"{path}: expected the content of a saved fit, got content that does not fit together "
            f"({type(error).__name__}: {error}); it was damaged or changed: copy it again, or save the fit again"
        ) from error
    if rounded:
        remark = (
            f"Rounded from {stored.dtype} to {local(stored).dtype} on loading; its certificate holds for the former."
        )
        fit = replace(fit, table_remarks=(*fit.table_remarks, remark))
    return Saved(fit, ensemble, versions, card)


def _groups(fit: Fit, ensemble: Ensemble | None, card: Mapping[str, Any] | None) -> dict[str, xr.Dataset]:
    """What is written of a fit, by path."""
    groups = {"/": xr.Dataset(attrs=_header(fit))} | fit_groups(fit)
    if ensemble is not None:
        kind = "bootstrap" if ensemble.method.startswith("bootstrap") else "posterior"
        groups[f"/{kind}"] = ensemble_group(ensemble)
    if card is not None:
        groups["/card"] = card_group(card)
    return groups


def _header(fit: Fit) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "schema": SCHEMA,
        "Conventions": "CF-1.11",
        "title": f"{type(fit.law).__name__} fitted to {fit.count} runs",
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "precision": str(fit.problem.runs.target.dtype),
        "python_version": platform.python_version(),
        **{f"{name}_version": importlib.metadata.version(name) for name in _PACKAGES},
    }


def _same(a: Any, b: Any) -> bool:
    if jax.tree.structure(a) != jax.tree.structure(b):
        return False
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.array_equal(np.asarray(x), np.asarray(y), equal_nan=True) for x, y in pairs)
