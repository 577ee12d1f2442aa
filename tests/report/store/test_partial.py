"""Oracle: the partially pooled law that was saved, bit by bit, and files from before there was one."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from jaxscale.compose import Pooled
from jaxscale.core.ensemble import Ensemble
from jaxscale.core.evaluate import predict
from jaxscale.core.law import AbstractLaw, signature
from jaxscale.core.parametric import replace
from jaxscale.core.results import RESULTS
from jaxscale.core.runs import Runs
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.search.problem import FitProblem
from jaxscale.laws.breaks.caballero2023 import BrokenPowerLaw
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.objectives import gaussian
from jaxscale.objectives.model import Model
from jaxscale.report.store.file import read, write
from jaxscale.report.store.store import load, save
from jaxscale.report.views.record import law_name, parameter_labels
from jaxscale.solve.problem import split

pytest.importorskip("h5py", reason="the netCDF backend of h5netcdf is not installed")

GROUPS = ("web/code", "c4")


def as_if_fitted(like: Fit, law: AbstractLaw) -> Fit:
    """A complete record without solving."""
    names = [name for name in signature(law).inputs if name != "group"]
    runs = Runs.of({n: np.geomspace(1e8, 1e10, 9) * (i + 1) for i, n in enumerate(names)}, np.ones(9))
    runs = dataclasses.replace(runs, group=jnp.arange(9, dtype=jnp.int32) % 2)
    runs = dataclasses.replace(runs, target=predict(law, runs))
    problem = FitProblem.of(split(Model(law, gaussian())), runs.padded())
    size = len(problem.split.names())
    unsolved = dataclasses.replace(like.certificate, code=RESULTS.max_steps)
    like = dataclasses.replace(like, certificate=unsolved)
    new = {"law": law, "objective": gaussian(), "problem": problem, "hessian": np.eye(size), "restarts": (), "count": 9}
    return dataclasses.replace(like, **new, groups=GROUPS)


def scalars() -> Pooled:
    law = Pooled(Chinchilla(), ("E",), GROUPS, ("beta", "A"), {"beta": 0.1, "A": 0.7})
    return replace(law, {"offset.A": [0.5, -1.5], "spread.beta": 0.05})


def vectors() -> Pooled:
    return Pooled(BrokenPowerLaw.with_breaks(2), (), GROUPS, ("d", "c"))


def same(a: object, b: object) -> None:
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(np.asarray(x), np.asarray(y))


@pytest.mark.parametrize("make", [scalars, vectors])
def test_a_partial_law_returns(tmp_path, small_fit, make):
    law = make()
    fit = as_if_fitted(small_fit, law)
    ensemble = Ensemble(
        jax.tree.map(lambda x: jnp.stack([x, x]), law), jnp.zeros(2), jnp.zeros(2, jnp.int32), "posterior"
    )
    save(tmp_path / "a.nc", fit, ensemble)
    found = load(tmp_path / "a.nc")
    same((fit.law, fit.problem), (found.fit.law, found.fit.problem))
    same(ensemble, found.ensemble)
    same(predict(law, fit.runs), predict(found.fit.law, found.fit.runs))


def test_offsets_are_stored_and_labelled_by_group(tmp_path, small_fit):
    fit = as_if_fitted(small_fit, scalars())
    save(tmp_path / "a.nc", fit)
    with xr.open_datatree(tmp_path / "a.nc", engine="h5netcdf") as tree:
        offset = tree["fit"].to_dataset()["offset.A"]
        assert offset.dims == ("group",)
        assert offset.sel(group="c4").item() == -1.5
        assert tree["fit"].to_dataset()["spread.A"].dims == ()
    assert "offset.A[web/code]" in parameter_labels(fit)
    assert law_name(fit.law) == "Pooled(Chinchilla, split=E, partial=beta,A, groups=web/code,c4)"


def test_a_file_from_before_partial_pooling_loads(tmp_path, small_fit):
    """It lacks the fields that came with it; they take their defaults."""
    law = Pooled(Chinchilla(), ("E",), GROUPS)
    save(tmp_path / "a.nc", as_if_fitted(small_fit, law))
    tree = read(tmp_path / "a.nc")
    record = json.loads(tree["fit/structure"].item())
    stored = record["model"]["fields"]["law"]["fields"]
    for name in ("spread", "offset", "partial", "scale"):
        del stored[name]
    tree["fit/structure"] = xr.Variable((), np.array(json.dumps(record), dtype=object))
    write(tmp_path / "a.nc", tree)
    same(law, load(tmp_path / "a.nc").fit.law)
