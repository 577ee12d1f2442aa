"""Oracle: what was saved, bit by bit, and what it computes."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.compose import Pooled, Tied
from jaxscale.core.ensemble import Ensemble
from jaxscale.core.errors import BadInput
from jaxscale.core.evaluate import predict
from jaxscale.core.law import AbstractLaw, from_published, signature
from jaxscale.core.results import RESULTS
from jaxscale.core.runs import Runs
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.forecast.forecast import forecast
from jaxscale.infer.resample.bootstrap import bootstrap
from jaxscale.infer.search.problem import FitProblem
from jaxscale.laws.breaks.caballero2023 import BrokenPowerLaw
from jaxscale.laws.loss.henighan2020 import HenighanN
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.objectives import (
    AbstractObjective,
    InputNoise,
    gaussian,
    huber_density,
    log_huber,
    log_lad,
    lower_envelope,
    objective_from_name,
    student_t,
)
from jaxscale.objectives.model import Model
from jaxscale.objectives.residual import RawResidual
from jaxscale.plan.allocate import allocate
from jaxscale.report.store.store import load, save
from jaxscale.solve.problem import split

pytest.importorskip("h5py", reason="the netCDF backend of h5netcdf is not installed")


def same(a, b):
    """Equal to the last bit, with equal types and static parts."""
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert x.dtype == y.dtype
        assert getattr(x, "weak_type", False) == getattr(y, "weak_type", False)
        np.testing.assert_array_equal(np.asarray(x), np.asarray(y))


def same_fit(a: Fit, b: Fit):
    for field in dataclasses.fields(Fit):
        x, y = getattr(a, field.name), getattr(b, field.name)
        if field.name in ("law", "objective", "problem"):
            same(x, y)
        elif field.name in ("hessian", "alternatives", "restarts"):
            assert len(x) == len(y)
            for u, v in zip(x, y, strict=True):
                assert u.dtype == v.dtype
                np.testing.assert_array_equal(u, v)
        else:
            assert x == y, field.name


def as_if_fitted(like: Fit, law: AbstractLaw, objective: AbstractObjective, runs: Runs, **other) -> Fit:
    """A fit of another law without solving: a complete record, which says that it is no optimum."""
    problem = FitProblem.of(split(Model(law, objective)), runs.padded())
    size = len(problem.split.names())
    return dataclasses.replace(
        like,
        law=law,
        objective=objective,
        problem=problem,
        hessian=np.eye(size),
        restarts=(),
        count=runs.size,
        certificate=dataclasses.replace(like.certificate, code=RESULTS.max_steps),
        **other,
    )


def runs_of(law: AbstractLaw, groups: int = 1) -> Runs:
    """Nine runs on the law, over inputs of ordinary size."""
    names = [name for name in signature(law).inputs if name != "group"]
    inputs = {name: np.geomspace(1e8, 1e10, 9) * (i + 1) for i, name in enumerate(names)}
    runs = Runs.of(inputs, np.ones(9), group=np.arange(9) % groups)
    return dataclasses.replace(runs, target=predict(law, runs))


def test_fit_and_ensemble_return_bit_for_bit(tmp_path, small_fit, small_ensemble):
    save(tmp_path / "a.nc", small_fit, small_ensemble)
    found = load(tmp_path / "a.nc")
    same_fit(small_fit, found.fit)
    assert found.ensemble is not None
    same(small_ensemble, found.ensemble)
    assert found.fit.remarks == small_fit.remarks
    assert found.versions["jax"] == jax.__version__
    save(tmp_path / "b.nc", found.fit)
    assert load(tmp_path / "b.nc").ensemble is None


def test_a_loaded_fit_goes_on_where_the_saved_one_was(tmp_path, small_fit, small_ensemble):
    save(tmp_path / "a.nc", small_fit, small_ensemble)
    found = load(tmp_path / "a.nc")
    same(bootstrap(small_fit, 16, key=2), bootstrap(found.fit, 16, key=2))
    points = {"m": [1e6, 1e9]}
    before, after = forecast(small_fit, points, small_ensemble), forecast(found.fit, points, found.ensemble)
    np.testing.assert_array_equal(before.point, after.point)
    assert before.quantiles is not None
    assert after.quantiles is not None
    for level, values in before.quantiles.items():
        np.testing.assert_array_equal(values, after.quantiles[level])


def test_every_field_is_stored():
    """A field added to these records with a default would be lost in silence: extend report/store/groups.py."""
    assert {f.name for f in dataclasses.fields(Ensemble)} == {"law", "value", "code", "method", "remarks"}
    assert {f.name for f in dataclasses.fields(Fit)} == {
        *("law", "objective", "value", "certificate", "identifiability", "problem", "hessian", "alternatives"),
        *("settings", "seed", "count", "groups", "provenance", "seconds", "table_remarks", "restarts"),
    }


def test_everything_that_may_be_empty_may_also_be_full(tmp_path, small_fit):
    coordinates = np.asarray(small_fit.problem.split.vector())
    full = dataclasses.replace(
        small_fit,
        alternatives=(coordinates + 1, coordinates - 1),
        restarts=(coordinates + 2,),
        groups=("web / code", "50 %", ""),
        provenance={"source": "a table, é", "coordinates": "x", "long": "9" * 100_000, "empty": ""},
        table_remarks=("One.", "Two."),
        seconds={"total": 0.1, "compile": 1 / 3},
        certificate=dataclasses.replace(
            small_fit.certificate, code=RESULTS.ambiguous, on_edge=("alpha",), second_gap=0.25
        ),
        identifiability=dataclasses.replace(small_fit.identifiability, lines=("A line.",), condition=float("inf")),
    )
    bare = dataclasses.replace(
        small_fit, identifiability=dataclasses.replace(small_fit.identifiability, ridge={}), seconds={}
    )
    for fit in (full, bare):
        save(tmp_path / "a.nc", fit)
        same_fit(fit, load(tmp_path / "a.nc").fit)


OBJECTIVES = [
    log_huber(2e-3),
    log_lad(),
    lower_envelope(1e-3, 0.2),
    objective_from_name("raw-squares"),
    gaussian(),
    student_t(4.0, InputNoise(["D", "N"]), RawResidual()),
    huber_density(1.5),
]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda o: o.name)
def test_objectives_return(tmp_path, small_fit, objective):
    law = from_published(Chinchilla, "besiroglu2024")
    fit = as_if_fitted(small_fit, law, objective, runs_of(law))
    save(tmp_path / "a.nc", fit)
    same_fit(fit, load(tmp_path / "a.nc").fit)


def laws_to_keep():
    """Names with a slash, groups out of alphabetical order, laws of different kinds, vectors."""
    pooled = Pooled(Chinchilla(), ["E", "alpha"], ["c4", "web/code"])
    tied = Tied({"b/a": Chinchilla(alpha=0.5), "a": HenighanN()}, ["alpha"])
    same_kind = Tied({"b/a": Chinchilla(alpha=0.5), "a": Chinchilla()}, ["alpha", "beta"])
    nested = Tied({"x": BrokenPowerLaw.with_breaks(2), "y": BrokenPowerLaw()}, ["c0"])
    return [pooled, tied, same_kind, nested, BrokenPowerLaw.with_breaks(3)]


@pytest.mark.parametrize("index", range(5))
def test_joint_and_vector_laws_return(tmp_path, small_fit, index):
    law = laws_to_keep()[index]
    groups = getattr(law, "groups", ())
    fit = as_if_fitted(small_fit, law, log_huber(), runs_of(law, max(1, len(groups))), groups=groups)
    ensemble = Ensemble(
        jax.tree.map(lambda x: jnp.stack([x, x]), law), jnp.zeros(2), jnp.zeros(2, jnp.int32), "posterior"
    )
    save(tmp_path / "a.nc", fit, ensemble)
    found = load(tmp_path / "a.nc")
    same_fit(fit, found.fit)
    same(ensemble, found.ensemble)
    same(predict(law, fit.runs), predict(found.fit.law, found.fit.runs))


def test_a_loaded_law_plans_as_before(tmp_path, small_fit):
    law = from_published(Chinchilla, "besiroglu2024")
    save(tmp_path / "a.nc", as_if_fitted(small_fit, law, log_huber(), runs_of(law)))
    same(allocate(law, 1e22), allocate(load(tmp_path / "a.nc").fit.law, 1e22))


def test_a_public_study_keeps_its_provenance(tmp_path, small_fit, data_dir):
    from jaxscale.studies import load as load_study

    study = load_study("chinchilla_besiroglu", data_dir=data_dir)
    law = from_published(Chinchilla, "besiroglu2024")
    told = {"provenance": dict(study.provenance), "groups": study.groups, "table_remarks": study.remarks}
    fit = as_if_fitted(small_fit, law, log_huber(), study.runs(signature(law)), **told)
    save(tmp_path / "a.nc", fit)
    same_fit(fit, load(tmp_path / "a.nc").fit)


def test_the_file_reads_well_without_jaxscale(tmp_path, small_fit):
    import xarray as xr

    law = Pooled(Chinchilla(), ["E"], ["c4", "web"])
    fit = as_if_fitted(small_fit, law, gaussian(), runs_of(law, 2), groups=law.groups, provenance={"source": "here"})
    ensemble = Ensemble(jax.tree.map(lambda x: jnp.stack([x] * 3), law), jnp.zeros(3), jnp.zeros(3, jnp.int32))
    save(tmp_path / "a.nc", fit, ensemble)
    with xr.open_datatree(tmp_path / "a.nc", engine="h5netcdf") as tree:
        assert tree["fit/E"].dims == ("group",)
        assert tree["fit/E"].sel(group="web").item() == float(law.law.E[1])
        assert tree["fit/E"].attrs["units"] == "nats"
        assert tree["fit/alpha"].attrs["doc"] == "size exponent"
        assert tree["bootstrap/E"].dims == ("draw", "group")
        assert tree["fit/certificate"].attrs["code"] == "max_steps"
        assert tree["fit/hessian"].dims == ("coordinate", "other")
        assert list(tree["fit/hessian"].coordinate.values) == list(fit.problem.split.names())
        assert tree["runs/N"].attrs["units"] == "params"
        assert tree["runs/predicted"].dims == ("run",)
        assert tree["provenance/text"].sel(key="source").item() == "here"


@pytest.mark.x64
def test_float64_is_rounded_with_a_remark_where_jax_has_none(tmp_path, small_fit):
    """In float64 only, as a float32 process cannot write the file that this is about."""
    save(tmp_path / "a.nc", small_fit)
    jax.config.update("jax_enable_x64", False)
    try:
        found = load(tmp_path / "a.nc").fit
    finally:
        jax.config.update("jax_enable_x64", True)
    assert all(leaf.dtype != jnp.float64 for leaf in jax.tree.leaves(found.problem))
    assert "Rounded from float64 to float32" in " ".join(found.remarks)
    for name, value in small_fit.params.items():
        assert found.params[name] == np.float32(value)


def test_a_traced_fit_and_a_foreign_ensemble_are_refused(tmp_path, small_fit, small_ensemble):
    def trace(x):
        save(tmp_path / "a.nc", dataclasses.replace(small_fit, law=small_fit.law.replace(alpha=x)))
        return x

    with pytest.raises(BadInput, match=r"a\.nc: expected a fit with values.*outside grad and jit"):
        jax.grad(trace)(jnp.ones(()))
    other = as_if_fitted(small_fit, Chinchilla(), log_huber(), runs_of(Chinchilla()))
    with pytest.raises(BadInput, match=r"a\.nc: expected an ensemble of Chinchilla"):
        save(tmp_path / "a.nc", other, small_ensemble)
    with pytest.raises(BadInput, match=r"expected fit\.law and fit\.objective to be the optimum"):
        save(tmp_path / "a.nc", dataclasses.replace(small_fit, law=small_fit.law.replace(alpha=9.0)))
    assert list(tmp_path.iterdir()) == []
