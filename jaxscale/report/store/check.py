"""Whether what a file says holds together: a seal tells of accidents, not of an author who sealed it again.

Raises `BadInput` with what was expected, what came and where; the caller adds the file.
"""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from jaxscale.core.ensemble import Ensemble
from jaxscale.core.errors import BadInput
from jaxscale.core.law import AbstractLaw
from jaxscale.core.parametric import Declared, declared
from jaxscale.core.results import RESULTS
from jaxscale.infer.checks.intake import as_runs, check_runs
from jaxscale.infer.fit.fit import Fit
from jaxscale.objectives.model import Model
from jaxscale.objectives.objective import AbstractObjective
from jaxscale.solve.certificate import Certificate

AGAIN = "it was changed after it was saved: save the fit again"


def check_record(record: Mapping[str, Any]) -> None:
    """A fit's structure: its model, what of it is free, whether with priors, and how long the fit took."""
    known = {"model", "free", "prior", "seconds"}
    _want(known - {"prior"} <= set(record) <= known, f"{', '.join(sorted(known))} in 'structure'", sorted(record))
    _want(isinstance(record.get("prior", False), bool), "true or false as prior", record.get("prior"))
    times = record["seconds"]
    _want(isinstance(times, dict), "seconds by what took them", type(times).__name__)
    _want(all(isinstance(x, float | int) and x >= 0 for x in times.values()), "seconds of 0 or more", times)


def check_model(model: Any, free: Any) -> None:
    """A law and an objective, every parameter an array of floats, and `free` the names of some that can be."""
    _want(isinstance(model, Model), "a law with an objective as 'structure'", type(model).__name__)
    _want(isinstance(model.law, AbstractLaw), "a law", type(model.law).__name__)
    _want(isinstance(model.objective, AbstractObjective), "an objective", type(model.objective).__name__)
    found = declared(model)
    for d in found:
        _want(_floats(d.value), f"numbers as {d.name}", type(d.value).__name__)
    names = [d.name for d in found if d.spec.estimated]
    known = isinstance(free, list) and all(name in names for name in free) and len(set(free)) == len(free)
    _want(known, f"some of {', '.join(names)} as the free parameters", free)


def check_fit(fit: Fit) -> None:
    """Runs as a fit takes them, parameters in their supports, shapes of one count, evidence that is possible."""
    for name, column in (("group", fit.runs.group), ("cluster", fit.runs.cluster)):
        _want(_whole(column), f"whole numbers as {name}", column.dtype)
    for name in ("target", "weight", "noise"):
        _want(_floats(getattr(fit.runs, name)), f"numbers as {name}", getattr(fit.runs, name).dtype)
    check_runs(fit.law, as_runs(fit.runs, fit.law), fit.objective, (), None)
    _want(bool(jnp.all(fit.runs.weight >= 0)), "weights of 0 or more", float(jnp.min(fit.runs.weight)))
    group, labels = np.asarray(fit.runs.group), fit.groups
    _want(bool(np.all(group >= 0)), "groups of 0 or more", int(group.min()))
    if labels:
        _want(int(group.max()) < len(labels), f"groups of 0 to {len(labels) - 1}, as labelled", int(group.max()))
    count = len(fit.problem.split.names())
    _want(fit.hessian.shape == (count, count), f"a Hessian of {count} parameters", f"the shape {fit.hessian.shape}")
    for name, points in (("alternatives", fit.alternatives), ("restarts", fit.restarts)):
        _want(all(z.shape == (count,) for z in points), f"{name} of {count} coordinates", [z.shape for z in points])
        _want(all(np.isfinite(z).all() for z in points), f"finite {name}", "others")
    if fit.certificate.code == RESULTS.converged:
        _want(math.isfinite(fit.value) and bool(np.isfinite(fit.hessian).all()), "a finite value and Hessian", "others")
        for d in declared(fit.problem.template):
            _inside(d, np.asarray(d.spec.support.closed(d.value)))
    _want(not math.isnan(fit.identifiability.condition), "a condition number", fit.identifiability.condition)
    _want(all(abs(x) <= 1 for x in fit.identifiability.ridge.values()), "a ridge of unit length", "a longer one")
    _possible(fit.certificate)


def _possible(c: Certificate) -> None:
    """Counts that are counts, shares of them, and a curvature that is the Hessian's own."""
    for name in ("starts", "finished", "distinct"):
        value = getattr(c, name)
        _want(type(value) is int and value >= 0, f"a count as the certificate's {name}", value)
    for name in ("share_best", "gradient_norm", "tolerance", "smallest_eigenvalue", "condition"):
        _want(isinstance(getattr(c, name), float), f"a number as the certificate's {name}", getattr(c, name))
    gap = c.second_gap
    _want(gap is None or (isinstance(gap, float) and gap >= 0), "a gap of 0 or more to the second optimum", gap)
    _want(c.finished <= c.starts, f"at most {c.starts} starts that finished", c.finished)
    _want(c.distinct <= c.finished, f"at most {c.finished} distinct optima of starts that finished", c.distinct)
    _want(0 <= c.share_best <= 1, "a share of starts from 0 to 1", c.share_best)
    _want(round(c.share_best * c.starts) <= c.finished, "a best value that starts which finished reached", c.share_best)
    _want(not c.gradient_norm < 0, "a length as the gradient's norm", c.gradient_norm)
    _want(0 < c.tolerance < 1, "a tolerance between 0 and 1", c.tolerance)
    _want(not c.smallest_eigenvalue > 1.001, "an eigenvalue of a matrix of unit diagonal", c.smallest_eigenvalue)
    _want(not c.condition < 1, "a condition number of 1 or more", c.condition)


def check_ensemble(ensemble: Ensemble, fit: Fit) -> None:
    """Draws of the fitted law, as many of every parameter, with codes that are known."""
    draws = ensemble.code.shape[0] if ensemble.code.ndim == 1 else 0
    known = {int(code) for code in RESULTS}
    _want(_whole(ensemble.code), "whole numbers as result codes", ensemble.code.dtype)
    codes = set(np.unique(np.asarray(ensemble.code)).tolist())
    _want(draws > 0 and codes <= known, "a known result code of every draw", sorted(codes - known) or draws)
    _want(_floats(ensemble.value) and ensemble.value.shape == (draws,), f"{draws} values", f"{ensemble.value.shape}")
    same = jax.tree.structure(ensemble.law) == jax.tree.structure(fit.law)
    _want(same, f"draws of {type(fit.law).__name__} as fitted", type(ensemble.law).__name__)
    good = np.asarray(ensemble.code) == RESULTS.converged
    for d, one in zip(declared(ensemble.law), declared(fit.law), strict=True):
        shape = (draws, *one.value.shape)
        _want(_floats(d.value) and d.value.shape == shape, f"{d.name} of shape {shape}", np.shape(d.value))
        inside = d.spec.support.closed(d.value)
        if not d.spec.support.vector:  # a draw may lie beyond what the precision has numbers for
            inside = inside | jnp.isinf(d.value)
        _inside(d, np.asarray(inside)[good])


def check_written(groups: Mapping[str, xr.Dataset], again: Mapping[str, xr.Dataset], *, bits: bool) -> None:
    """What was read must be what `save` writes of what was loaded: its names, dimensions, kinds and texts.

    With `bits` unchanged on loading, also the checksum of the runs.
    """
    for path, found in groups.items():
        expected = again.get(path)
        _want(expected is not None, f"the groups {', '.join(again)}", path)
        assert expected is not None
        for what, mine, theirs in (
            ("variables", found.variables, expected.variables),
            ("attributes", found.attrs, expected.attrs),
        ):
            more = sorted({*map(str, mine)} - {*map(str, theirs)})
            _want(not more, f"{path} with the {what} {', '.join(map(str, theirs))}", f"also {', '.join(more)}")
        for name, variable in found.variables.items():
            own, where = expected.variables[name], f"{path.rstrip('/')}/{name}"
            _want(variable.dims == own.dims, f"{where} over {own.dims}", variable.dims)
            _want(variable.shape == own.shape, f"{where} of shape {own.shape}", variable.shape)
            _want(_kind(variable) == _kind(own), f"{where} as {own.dtype}", variable.dtype)
            if _kind(own) == "text" and own.ndim:
                _want(variable.values.tolist() == own.values.tolist(), f"{where} as saved", "other texts")
            for about in ("name", "symbol", "units"):
                _want(variable.attrs.get(about) == own.attrs.get(about), f"{where} with its {about}", "another")
    names = ("law", "objective") if bits else ("law",)
    for path, name in [*(("/fit", name) for name in names), *([("/runs", "data_sha256")] if bits else [])]:
        mine, own = groups[path].attrs.get(name), again[path].attrs[name]
        _want(mine == own, f"{own} as {name} of {path}, as its content says", mine)


def _kind(variable: xr.Variable) -> str:
    return "text" if variable.dtype.kind in "OUST" else variable.dtype.kind


def _floats(value: Any) -> bool:
    return isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jnp.floating)


def _whole(value: Any) -> bool:
    return isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jnp.integer)


def _inside(d: Declared, inside: np.ndarray) -> None:
    support = type(d.spec.support).__name__.lower()
    _want(bool(inside.all()), f"{d.name} inside its support ({support}) where it converged", "a value outside")


def _want(true: bool, expected: str, got: Any) -> None:
    if not true:
        found = ascii(str(got)).strip("'")
        raise BadInput(f"expected {expected[:300]}, got {found[:100]}; {AGAIN}")
