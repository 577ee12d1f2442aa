"""Oracle: the sentence. A file that cannot be used names itself, what was expected and what to do."""

import dataclasses
import json
import sys

import numpy as np
import pytest
import xarray as xr

from jaxscale.core.errors import BadInput
from jaxscale.core.results import RESULTS
from jaxscale.infer.search.problem import FitProblem
from jaxscale.objectives.model import Model
from jaxscale.report.store.file import read, write
from jaxscale.report.store.store import load, save
from jaxscale.solve.problem import split

pytest.importorskip("h5py", reason="the netCDF backend of h5netcdf is not installed")


@pytest.fixture
def path(tmp_path, small_fit, small_ensemble):
    save(tmp_path / "a.nc", small_fit, small_ensemble)
    return tmp_path / "a.nc"


def refuse(path, *parts, **options):
    """`load` raises one sentence that starts with the file and holds these parts."""
    with pytest.raises(BadInput) as caught:
        load(path, **options)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "expected" in text
    assert "\n" not in text
    for part in parts:
        assert part in text
    return text


def edited(path, change):
    """Change the content and seal it anew, as someone would who knows how."""
    tree = read(path)
    change(tree)
    write(path, tree)


def test_no_file(tmp_path):
    refuse(tmp_path / "none.nc", "no such file", "check the path")


@pytest.mark.parametrize("keep", [0, 7, 0.1, 0.5, 0.9, -1])
def test_a_truncated_file(path, keep):
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    refuse(path, "cannot be read", "save the fit again")


def test_a_file_of_noise(tmp_path):
    (tmp_path / "a.nc").write_bytes(np.random.default_rng(0).bytes(10_000))
    refuse(tmp_path / "a.nc", "whole netCDF file", "another kind")


def test_a_folder(tmp_path):
    refuse(tmp_path, "no such file")


# h5netcdf leaves a half-made object behind on some damage, and complains when it is collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_damage_anywhere_is_never_taken_for_data(path, small_fit, small_ensemble):
    """Bytes changed at twenty places: refused, or (in bytes that hold nothing) harmless."""
    data = path.read_bytes()
    rng = np.random.default_rng(1)
    refused = taken = 0
    for at in rng.integers(0, len(data), 20):
        broken = bytearray(data)
        broken[at] ^= 0xFF
        path.write_bytes(bytes(broken))
        try:
            found = load(path)
            taken += 1
        except BadInput as error:
            refused += str(error).startswith(f"{path}: expected")
        else:
            assert found.fit.value == small_fit.value
            np.testing.assert_array_equal(found.fit.hessian, small_fit.hessian)
            np.testing.assert_array_equal(found.ensemble.law.alpha, small_ensemble.law.alpha)
    assert refused + taken == 20
    assert refused


def test_a_changed_number(path):
    data = path.read_bytes()
    number = np.asarray(read(path)["fit/hessian"].values).tobytes()
    assert data.count(number) == 1
    path.write_bytes(data.replace(number, b"\0" * len(number)))
    refuse(path, "checksum", "copy it again")


def test_a_netcdf_file_of_someone_else(tmp_path):
    xr.Dataset({"t2m": ("time", np.ones(3))}).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    refuse(tmp_path / "a.nc", "another origin", "give a file that jaxscale saved")


@pytest.mark.parametrize("schema", [2, 0, "1"])
def test_another_schema(path, schema):
    edited(path, lambda tree: tree.attrs.update(schema=schema, jaxscale_version="9.9"))
    refuse(path, "schema 1 to 1", f"got {schema}", "jaxscale 9.9; install that version")


VARIABLES = ["fit/alpha", "fit/hessian", "fit/structure", "runs/m", "runs/target", "runs/predicted", "bootstrap/code"]


@pytest.mark.parametrize("name", VARIABLES)
def test_a_missing_variable(path, name):
    group, variable = name.split("/")
    edited(path, lambda tree: tree[group].__setitem__("kept", 0) or tree[group].__delitem__(variable))
    refuse(path, "" if variable == "m" else variable, "save the fit again")


def test_a_missing_group_and_a_missing_attribute(path):
    edited(path, lambda tree: tree["fit/certificate"].attrs.pop("starts"))
    refuse(path, "starts", "Certificate", "save the fit again")
    edited(path, lambda tree: tree.__delitem__("runs"))
    refuse(path, "/runs missing")


def restructured(tree, change):
    record = json.loads(tree["fit/structure"].item())
    change(record["model"]["fields"]["law"])
    tree["fit/structure"] = xr.Variable((), np.array(json.dumps(record), dtype=object))


def test_a_tampered_law(path):
    def name(value):
        return lambda tree: restructured(tree, lambda law: law.update(law=value))

    edited(path, name("PowerLawWithFlor"))
    refuse(path, "expected a law of this jaxscale", "'PowerLawWithFlor'", "or fit again")
    edited(path, name("Chinchilla"))
    refuse(path, "Chinchilla with the fields", "or fit again")
    edited(
        path, lambda tree: restructured(tree, lambda law: (law.pop("law"), law.update(custom="os:system", source="")))
    )
    refuse(path, "os:system", "trust=True")
    refuse(path, "os:system to be a law or an objective", trust=True)
    edited(path, lambda tree: restructured(tree, lambda law: law.clear()))
    refuse(path, "law")


def test_a_law_whose_formula_has_changed(path):
    def change(tree):
        tree["runs/predicted"] = tree["runs/predicted"] * np.asarray(1.01, tree["runs/predicted"].dtype)

    edited(path, change)
    refuse(path, "run ", "its formula has changed", "or fit again")


LAW = '''
from jaxscale.core import priors as p, quantities as q, supports as s
from jaxscale.core.law import AbstractLaw
from jaxscale.core.parametric import param

class Mine(AbstractLaw):
    """A constant times the sample."""
    alpha: q.Error = param(s.positive, init=2.0, prior=p.LogNormal(1.0, 1.0), doc="a factor")
    def __call__(self, m: q.Samples) -> q.Error:
        return self.alpha * m
'''


def test_a_custom_law_needs_trust_and_its_source(tmp_path, monkeypatch, small_fit):
    source = tmp_path / "mine_of_a_user.py"
    source.write_text(LAW)
    monkeypatch.syspath_prepend(tmp_path)
    import mine_of_a_user  # pyright: ignore[reportMissingImports]

    law = mine_of_a_user.Mine()
    problem = FitProblem.of(split(Model(law, small_fit.objective)), small_fit.runs.padded())
    unsolved = dataclasses.replace(small_fit.certificate, code=RESULTS.max_steps)
    fit = dataclasses.replace(small_fit, law=law, problem=problem, hessian=np.eye(1), restarts=(), certificate=unsolved)
    save(tmp_path / "a.nc", fit)
    refuse(tmp_path / "a.nc", "mine_of_a_user:Mine", "trust=True")
    assert type(load(tmp_path / "a.nc", trust=True).fit.law) is mine_of_a_user.Mine

    monkeypatch.delitem(sys.modules, "mine_of_a_user")
    source.write_text(LAW.replace("self.alpha * m", "self.alpha + m"))
    refuse(tmp_path / "a.nc", "its source has changed", "or fit again", trust=True)
    monkeypatch.delitem(sys.modules, "mine_of_a_user")
    source.unlink()
    refuse(tmp_path / "a.nc", "to import mine_of_a_user:Mine", trust=True)


def test_a_law_that_no_process_could_find_is_refused_at_once(tmp_path, small_fit):
    namespace = {}
    exec("def make():\n" + "\n".join(f"    {line}" for line in LAW.splitlines()) + "\n    return Mine", namespace)
    law = namespace["make"]()()
    problem = FitProblem.of(split(Model(law, small_fit.objective)), small_fit.runs.padded())
    fit = dataclasses.replace(small_fit, law=law, problem=problem, hessian=np.eye(1), restarts=())
    with pytest.raises(BadInput, match="Mine is defined inside a function"):
        save(tmp_path / "a.nc", fit)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path, small_fit):
    with pytest.raises(BadInput, match=r"none.*expected a place to write.*check the folder"):
        save(tmp_path / "none" / "a.nc", small_fit)
