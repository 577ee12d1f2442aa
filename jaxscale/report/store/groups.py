"""Fits, runs and ensembles as groups of named, dimensioned variables, and back.

Everything is a variable with `units` and `doc`, or an attribute with a name, so that the file can be read
without jaxscale. Names that netCDF or this layout keep for themselves are altered; the attribute `name`
holds the true one.
"""

import dataclasses
import hashlib
import importlib
import importlib.util
import json
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from jaxscale.compose.pooled import Pooled
from jaxscale.core.ensemble import Ensemble
from jaxscale.core.errors import BadInput
from jaxscale.core.evaluate import predict
from jaxscale.core.law import signature
from jaxscale.core.parametric import declared
from jaxscale.core.results import RESULTS
from jaxscale.core.runs import Runs
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.search.identify import Identifiability
from jaxscale.infer.search.problem import FitProblem
from jaxscale.objectives.model import Model
from jaxscale.report.store.check import AGAIN, check_model, check_record
from jaxscale.report.store.parsing import parsed
from jaxscale.report.store.structure import decode, encode
from jaxscale.solve.batch import Solver
from jaxscale.solve.certificate import Certificate
from jaxscale.solve.problem import Split
from jaxscale.solve.solvers import kept

_COLUMNS = {
    "target": "what the law predicts",
    "weight": "0 leaves a run out",
    "group": "index of the data set",
    "cluster": "index of the independent unit a run belongs to",
    "noise": "known standard deviation of the target, 0 where unknown",
}
_RESERVED = frozenset((*_COLUMNS, "predicted", "run", "draw", "chain", "value", "code", "label", "structure"))
_RESERVED |= {"coordinate", "other", "hessian", "alternative", "alternatives", "remark", "remarks", "table_remarks"}
_RESERVED |= {"restart", "restarts", "step", "segment", "field", "domain"}


def _free_name(symbol: str, taken: Iterable[str]) -> str:
    name = symbol.replace("%", "%25").replace("/", "%2F")  # a netCDF name holds no slash
    while name in _RESERVED or name in taken:
        name += "_"
    return name


def _texts(texts: Iterable[str], dim: str) -> xr.Variable:
    return xr.Variable(dim, np.array([str(t) for t in texts], dtype=object))


def _json(value: Any) -> xr.Variable:
    # A variable and not an attribute: HDF5 limits an attribute to 64 kB.
    return xr.Variable((), np.array(json.dumps(value), dtype=object))


def _list(group: xr.Dataset, name: str) -> list[str]:
    """The texts of a variable that is left out where there are none (netCDF has no dimension of length 0)."""
    return [str(t) for t in group[name].values] if name in group else []


def _need(group: xr.Dataset, name: str) -> Any:
    if name not in group.variables:
        raise BadInput(f"expected the variable {name!r}, got {sorted(map(str, group.variables))}; save the fit again")
    return group[name]


def local(values: Any) -> np.ndarray:
    """A stored array in the precision of this process: float64 becomes float32 where jax has no float64."""
    values = np.asarray(values)
    return values.astype(jax.dtypes.canonicalize_dtype(values.dtype))


# Parameters


def parameter_variables(tree: Any, leading: tuple[str, ...] = ()) -> xr.Dataset:
    """Every declared parameter of a law, a model, or (with `leading` dimensions) a stack of laws."""
    law = tree.law if isinstance(tree, Model) else tree
    pooled, labels = (law.by_group, law.groups) if isinstance(law, Pooled) else ((), ())
    found: dict[str, xr.Variable] = {}
    for d in declared(tree):
        axes = np.ndim(d.value) - len(leading)
        own = ["group" if d.name in pooled and i == 0 else f"{d.name.replace('/', '%2F')}_dim_{i}" for i in range(axes)]
        about = {"name": d.name, "units": d.spec.quantity.unit, "doc": d.spec.doc, "symbol": d.spec.symbol or d.name}
        found[_free_name(d.name, found)] = xr.Variable((*leading, *own), np.asarray(d.value), about)
    used = any("group" in v.dims for v in found.values())
    return xr.Dataset(found, coords={"group": _texts(labels, "group")} if used else {})


def _parameters(group: xr.Dataset) -> dict[str, Any]:
    named = [(str(v.attrs["name"]), v) for v in group.data_vars.values() if "name" in v.attrs]
    return _once({name: jnp.asarray(local(v.values)) for name, v in named}, len(named))


def _once(found: dict[str, Any], count: int) -> dict[str, Any]:
    if len(found) < count:
        raise BadInput(f"expected {count} variables of different names, got one name twice; save the fit again")
    return found


# Runs


def runs_group(runs: Runs, law: Any, groups: tuple[str, ...]) -> xr.Dataset:
    """Inputs, target and the rest by run; `predicted` is the fitted law's value."""
    wanted, runs = signature(law), runs.by_run()
    axes = ("run", *wanted.output.axes)[: runs.target.ndim]
    found = {}
    for name, doc in _COLUMNS.items():
        units = wanted.output.unit if name in ("target", "noise") else ""
        values = np.asarray(getattr(runs, name))
        found[name] = xr.Variable(axes[: values.ndim], values, {"units": units, "doc": doc})
    for symbol, column in runs.inputs.items():
        quantity = wanted.inputs.get(symbol)
        about = {"units": quantity.unit, "doc": quantity.doc} if quantity else {"units": "", "doc": "not used"}
        own = ("run", *(quantity.axes if quantity else ()))
        found[_free_name(symbol, found)] = xr.Variable(own, np.asarray(column), {"symbol": symbol, **about})
    state = hashlib.sha256()
    for name in sorted(found):
        state.update(name.encode() + found[name].values.tobytes())
    about = {"units": wanted.output.unit, "doc": "the fitted law at each run"}
    found["predicted"] = xr.Variable(axes, np.asarray(predict(law, runs)), about)
    if groups:
        found["label"] = _texts(groups, "label")
    return xr.Dataset(found, attrs={"data_sha256": state.hexdigest()})


def read_runs(group: xr.Dataset) -> Runs:
    """The inverse of `runs_group`, flattened."""
    named = [(str(v.attrs["symbol"]), v) for v in group.data_vars.values() if "symbol" in v.attrs]
    inputs = _once(dict(named), len(named))
    columns = {name: jnp.asarray(local(_need(group, name).values)) for name in _COLUMNS}
    return Runs(inputs={name: jnp.asarray(local(v.values)) for name, v in inputs.items()}, **columns).flattened()


def check_predictions(group: xr.Dataset, again: xr.Dataset, law: str, writer: str) -> None:
    """Raise `BadInput` where the law no longer gives the values it gave when the fit was saved."""
    stored, now = (x.values.reshape(-1) for x in (_need(group, "predicted"), again["predicted"]))
    # Half of the digits: compilers and devices differ in the last few, a changed formula in the first ones.
    rtol = float(np.sqrt(max(np.finfo(stored.dtype).eps, np.finfo(now.dtype).eps)))
    off = ~np.isclose(now, stored, rtol=rtol, atol=0, equal_nan=True)
    if off.any():
        row = int(np.argmax(off))
        raise BadInput(
            f"run {row}: expected {law} to give {stored[row]:.10g} as when it was saved, got "
            f"{now[row]:.10g}; its formula has changed: install jaxscale {writer}, which wrote it, or fit again"
        )


# Evidence: records of plain values are attributes


def _attributes(record: Any, leave: tuple[str, ...]) -> dict[str, Any]:
    found = {f.name: getattr(record, f.name) for f in dataclasses.fields(record) if f.name not in leave}
    return {k: "none" if v is None else v.name if isinstance(v, RESULTS) else v for k, v in found.items()}


def _record(attributes: Mapping[str, Any], cls: type, leave: tuple[str, ...]) -> dict[str, Any]:
    names = [f.name for f in dataclasses.fields(cls) if f.name not in leave]
    missing = [name for name in names if name not in attributes]
    if missing:
        raise BadInput(f"expected the attributes {names} of the {cls.__name__}, {missing} missing; save the fit again")
    plain = {name: getattr(attributes[name], "item", lambda name=name: attributes[name])() for name in names}
    return {k: None if isinstance(v, str) and v == "none" else v for k, v in plain.items()}


# The fit


def fit_groups(fit: Fit) -> dict[str, xr.Dataset]:
    """The groups of a fit by path."""
    model, split = fit.problem.template, fit.problem.split
    names = split.names()
    main = parameter_variables(model)
    if names:
        main = main.assign_coords(coordinate=_texts(names, "coordinate"))
        main["hessian"] = xr.Variable(
            ("coordinate", "other"),
            fit.hessian,
            {"doc": "exact, of the scaled objective, in unconstrained coordinates"},
        )
    for name, points, doc in (
        ("alternatives", fit.alternatives, "other optima, best first, unconstrained"),
        ("restarts", fit.restarts, "cold starts that found this optimum, unconstrained"),
    ):
        if points:
            main[name] = xr.Variable((name.removesuffix("s"), "coordinate"), np.stack(points), {"doc": doc})
    solver, said = kept(fit.settings)
    if remarks := (*fit.table_remarks, *said):
        main["table_remarks"] = _texts(remarks, "remark")
    about = {"free": list(split.free), "prior": fit.problem.prior, "seconds": dict(fit.seconds)}
    main["structure"] = _json({"model": encode(model), **about})
    main.attrs = {
        "law": type(fit.law).__name__,
        "objective": fit.objective.name,
        "value": fit.value,
        "seed": fit.seed,
        "solver": f"{type(solver).__module__}:{type(solver).__name__}",
        **{f"solver_{k}": v for k, v in _attributes(solver, ()).items()},
    }
    certificate = xr.Dataset(attrs=_attributes(fit.certificate, ("on_edge",)))
    if fit.certificate.on_edge:
        certificate["on_edge"] = _texts(fit.certificate.on_edge, "edge")
    identifiability = xr.Dataset(attrs={"condition": fit.identifiability.condition})
    if fit.identifiability.ridge:
        weights = np.array(list(fit.identifiability.ridge.values()))
        along = {"along": _texts(fit.identifiability.ridge, "along")}
        identifiability = identifiability.assign(ridge=xr.Variable("along", weights)).assign_coords(along)
    if fit.identifiability.lines:
        identifiability["lines"] = _texts(fit.identifiability.lines, "line")
    return {
        "/fit": main,
        "/fit/certificate": certificate,
        "/fit/identifiability": identifiability,
        "/runs": runs_group(fit.runs, fit.law, fit.groups),
        "/provenance": provenance_group(fit.provenance),
    }


def provenance_group(provenance: Mapping[str, str]) -> xr.Dataset:
    """Where the runs come from: `text` by `key`."""
    if not provenance:
        return xr.Dataset()
    return xr.Dataset({"text": _texts(provenance.values(), "key")}, coords={"key": _texts(provenance, "key")})


def card_group(card: Mapping[str, Any]) -> xr.Dataset:
    """A fit card as one JSON text."""
    return xr.Dataset({"card": _json(card)})


def read_card(group: xr.Dataset) -> dict[str, Any]:
    """The inverse of `card_group`."""
    return parsed(str(_need(group, "card").item()), "card")


def _solver(name: str, settings: Mapping[str, Any]) -> Solver:
    """A solver of this package by module and class; no other module is ever imported for it."""
    module, _, cls = name.partition(":")
    known = module.startswith("jaxscale.solve.") and importlib.util.find_spec(module) is not None
    found = getattr(importlib.import_module(module), cls, None) if known else None
    if not (isinstance(found, type) and hasattr(found, "advance")):
        raise BadInput(f"expected a solver of jaxscale.solve, got {name!r}; load it with the version that wrote it")
    stored = _record(settings, found, ())
    try:
        return found(**stored)
    except BadInput as error:
        raise BadInput(f"{error}; {AGAIN}") from None


def read_fit(groups: Mapping[str, xr.Dataset], *, trust: bool, writer: str) -> Fit:
    """The inverse of `fit_groups`."""
    main, identifiability = groups["/fit"], groups["/fit/identifiability"]
    record = parsed(str(_need(main, "structure").item()), "structure")
    check_record(record)
    model = decode(record["model"], _parameters(main), trust=trust, writer=writer)
    check_model(model, record["free"])
    split = Split(model, tuple(record["free"]))
    runs = read_runs(groups["/runs"])
    count = len(split.names())
    hessian = np.asarray(_need(main, "hessian").values, np.float64) if count else np.zeros((0, 0))
    evidence = _record(groups["/fit/certificate"].attrs, Certificate, ("on_edge",))
    evidence["code"] = RESULTS[evidence["code"]]
    ridge = {}
    if "ridge" in identifiability:
        ridge = dict(zip(_list(identifiability, "along"), identifiability["ridge"].values.tolist(), strict=True))
    solver = {k.removeprefix("solver_"): v for k, v in main.attrs.items() if k.startswith("solver_")}
    provenance = groups["/provenance"]
    return Fit(
        law=model.law,
        objective=model.objective,
        value=float(main.attrs["value"]),
        certificate=Certificate(**evidence, on_edge=tuple(_list(groups["/fit/certificate"], "on_edge"))),
        identifiability=Identifiability(
            float(identifiability.attrs["condition"]), ridge, tuple(_list(identifiability, "lines"))
        ),
        problem=FitProblem.of(split, runs.padded(), bool(record.get("prior", False))),
        hessian=hessian,
        alternatives=tuple(local(main["alternatives"].values)) if "alternatives" in main else (),
        restarts=tuple(local(main["restarts"].values)) if "restarts" in main else (),
        settings=_solver(str(main.attrs["solver"]), solver),
        seed=int(main.attrs["seed"]),
        count=runs.size,
        groups=tuple(_list(groups["/runs"], "label")),
        provenance=dict(zip(_list(provenance, "key"), _list(provenance, "text"), strict=True)),
        seconds=record["seconds"],
        table_remarks=tuple(_list(main, "table_remarks")),
    )


# The ensemble


def ensemble_group(ensemble: Ensemble) -> xr.Dataset:
    """Draws of every parameter, with value and result code of each."""
    group = parameter_variables(ensemble.law, ("draw",))
    group["value"] = xr.Variable("draw", np.asarray(ensemble.value), {"doc": "of the internally scaled objective"})
    codes = {"flag_values": np.array([int(r) for r in RESULTS]), "flag_meanings": " ".join(r.name for r in RESULTS)}
    group["code"] = xr.Variable("draw", np.asarray(ensemble.code), {"doc": "how the draw's solve ended", **codes})
    if ensemble.remarks:
        group["remarks"] = _texts(ensemble.remarks, "remark")
    group["structure"] = _json(encode(ensemble.law))
    return group.assign_attrs(method=ensemble.method)


def read_ensemble(group: xr.Dataset, *, trust: bool, writer: str) -> Ensemble:
    """The inverse of `ensemble_group`."""
    structure = parsed(str(_need(group, "structure").item()), "structure")
    return Ensemble(
        law=decode(structure, _parameters(group), trust=trust, writer=writer),
        value=jnp.asarray(local(_need(group, "value").values)),
        code=jnp.asarray(local(_need(group, "code").values)),
        method=str(group.attrs["method"]),
        remarks=tuple(_list(group, "remarks")),
    )
