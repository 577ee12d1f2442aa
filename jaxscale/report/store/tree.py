"""A posterior in the layout of ArviZ, in memory and as a file: `posterior_tree`, `write_tree`."""

import datetime
import importlib
import importlib.metadata
import importlib.util
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

from jaxscale.compose.pooled import Pooled
from jaxscale.core.errors import BadInput
from jaxscale.execute import files
from jaxscale.infer.posterior.posterior import Posterior
from jaxscale.infer.posterior.predictive import log_likelihood, predictive, prior_draws
from jaxscale.objectives.model import Model
from jaxscale.report.store.groups import parameter_variables, provenance_group, runs_group
from jaxscale.report.store.netcdf import netcdf
from jaxscale.report.views.record import is_simulated, law_name

_DIMS = ("chain", "draw")
_PACKAGES = ("jaxscale", "jax", "numpyro", "equinox", "numpy", "xarray")


def posterior_tree(posterior: Posterior, *, key: int = 0) -> xr.DataTree:
    """Everything known of a posterior, by chain and draw, in ArviZ's groups and under its names.

    - `posterior`: the free parameters of law and likelihood, constrained, with `units`, `doc` and `symbol`;
      `group.<name>` holds a partial parameter's value in each data set.
    - `sample_stats`: `lp` is the log posterior density in unconstrained coordinates, up to a constant.
    - `log_likelihood`, `posterior_predictive`, `observed_data`, `constant_data`: by `run`, the run of `fit.runs`,
      and its steps where it is a curve, with `data_set` as its label; runs of weight 0 are not data and are left out.
    - `prior`, `prior_predictive`: as many independent draws as the posterior has; where a prior has no sampler they
      are left out, and the root's attribute `prior_left_out` says why.
    - `fixed`: the parameters that were held at a value, where there are any.
    - `provenance`: where the runs come from, `text` by `key`.

    The root's attributes hold engine, verdict, seed and versions. New targets are drawn with `key`.
    """
    fit, shape = posterior.fit, (posterior.chains, posterior.draws)
    used = np.flatnonzero(np.any(np.asarray(fit.runs.weight).reshape(-1, fit.runs.each) > 0, axis=1))
    runs = fit.runs.take(used)
    seen = runs_group(runs, fit.law, ())
    by_run: dict[str, Any] = {"run": used}
    if fit.groups:
        by_run["data_set"] = ("run", np.array(fit.groups, dtype=object)[seen["group"].values])
    unit, axes = seen["target"].attrs, seen["target"].dims
    # A curve that is filled up has no numbers there.
    there = np.where(seen["weight"].values > 0, 1.0, np.nan)

    def targets(values: np.ndarray, **about: str) -> xr.Dataset:
        variable = xr.Variable((*_DIMS, *axes), values.reshape(*shape, *there.shape) * there, about)
        return xr.Dataset({"target": variable}, by_run | _numbered(shape))

    groups = {
        "/": xr.Dataset(attrs=_header(posterior)),
        "/provenance": provenance_group(fit.provenance),
        "/posterior": parameter_draws(posterior, posterior.model, shape),
        "/sample_stats": _stats(posterior).assign_coords(_numbered(shape)),
        "/log_likelihood": targets(log_likelihood(posterior.model, runs), doc="log density at weight 1"),
    }
    new, before, after = jax.random.split(jax.random.key(key), 3)
    groups["/posterior_predictive"] = targets(predictive(posterior.model, runs, new), **unit)
    try:
        prior = prior_draws(fit, posterior.chains * posterior.draws, before)
    except BadInput as reason:
        groups["/"].attrs["prior_left_out"] = str(reason)
    else:
        groups["/prior"] = parameter_draws(posterior, prior, shape)
        groups["/prior_predictive"] = targets(predictive(prior, runs, after), **unit)
    data = seen.drop_vars("predicted").assign(target=seen["target"] * there).assign_coords(by_run)
    data["target"].attrs = unit
    held = parameter_variables(fit.problem.template)
    held = held.drop_vars([name for name in held.data_vars if held[name].attrs["name"] in fit.problem.split.free])
    groups["/observed_data"] = data[["target"]]
    groups["/constant_data"] = data.drop_vars("target")
    if held.data_vars:
        groups["/fixed"] = held
    return xr.DataTree.from_dict(groups)


def write_tree(path: str | Path, tree: xr.DataTree) -> None:
    """Write a tree as netCDF, or as zarr where `path` ends in `.zarr`; it is there whole or not at all.

    `xarray.open_datatree(path)` reads it. Raises `BadInput` where the folder cannot be written, where zarr is not
    installed, and where a zarr folder is there already.
    """
    path = Path(path)
    zarr = path.suffix == ".zarr"
    if zarr and importlib.util.find_spec("zarr") is None:
        raise BadInput(f"{path}: expected zarr to be installed to write .zarr, it is not; write .nc, or install zarr")
    if zarr and path.exists():  # a folder cannot be replaced at once
        raise BadInput(
            f"{path}: expected a new name for a zarr folder, got one that exists; remove it or choose another"
        )
    if zarr:
        files.write_folder(path, _zarr(tree))
    else:
        files.write(path, netcdf(tree))


def _zarr(tree: xr.DataTree) -> dict[str, bytes]:
    store: dict[str, Any] = {}
    memory = importlib.import_module("zarr.storage").MemoryStore(store)  # zarr is no dependency
    tree.to_zarr(memory, zarr_format=2)  # 3 has no final form for texts
    return {name: content.to_bytes() for name, content in store.items()}


def _header(posterior: Posterior) -> dict[str, Any]:
    fit = posterior.fit
    about = {
        "inference_library": "jaxscale",
        "inference_library_version": importlib.metadata.version("jaxscale"),
        "created_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "law": law_name(fit.law),
        "likelihood": fit.objective.name,
        "engine": posterior.engine,
        "verdict": "passed" if posterior.diagnosis.passed else "failed",
        "remarks": "\n".join(posterior.remarks),
        "starts": ",".join(map(str, posterior.starts)),
        "sampling_time": float(posterior.seconds.get("sampling", np.nan)),
        "seed": "none" if posterior.seed is None else posterior.seed,
        "simulated": is_simulated(fit),
        "precision": str(fit.runs.target.dtype),
    }
    return about | {f"{name}_version": importlib.metadata.version(name) for name in _PACKAGES}


def _numbered(shape: tuple[int, int]) -> dict[str, np.ndarray]:
    return {name: np.arange(size) for name, size in zip(_DIMS, shape, strict=True)}


def parameter_draws(posterior: Posterior, model: Model, shape: tuple[int, int]) -> xr.Dataset:
    """The free parameters of stacked models by (chain, draw); what is held fixed would spoil every diagnostic."""
    folded = jax.tree.map(lambda x: x.reshape(*shape, *x.shape[1:]), model)
    found = parameter_variables(folded, _DIMS)
    free = posterior.fit.problem.split.free
    found = found.drop_vars([name for name in found.data_vars if found[name].attrs["name"] not in free])
    law = model.law
    if isinstance(law, Pooled) and law.partial:
        about = {d.name: d for d in parameter_variables(posterior.fit.law).data_vars.values()}
        values = jax.vmap(Pooled.group_values)(law)
        for name in law.partial:
            own = [f"{name}_dim_{i}" for i in range(values[name].ndim - 2)]
            array = np.asarray(values[name]).reshape(*shape, *values[name].shape[1:])
            attrs = {**about[name].attrs, "name": f"group.{name}", "doc": f"{about[name].attrs['doc']}, by data set"}
            found[f"group.{name}"] = xr.Variable((*_DIMS, "group", *own), array, attrs)
    return found.assign_coords(_numbered(shape))


def _stats(posterior: Posterior) -> xr.Dataset:
    stats = posterior.stats
    steps = np.asarray(stats["steps"])
    found = {
        "lp": -np.asarray(stats["potential"]),
        "energy": np.asarray(stats["energy"]),
        "acceptance_rate": np.asarray(stats["accept"]),
        "n_steps": steps,
        "tree_depth": np.ceil(np.log2(steps + 1)).astype(np.int32),
        "diverging": np.asarray(stats["diverging"], bool),
        "step_size": np.broadcast_to(posterior.step_size[:, None], steps.shape).copy(),
    }
    return xr.Dataset({name: (_DIMS, value) for name, value in found.items()})
