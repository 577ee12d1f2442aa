"""Oracle: the sentence. Whatever a forger does to a saved fit, it is refused, within a second and little memory.

Each kind changes structure or content at places that are drawn afresh; content is then sealed again.
"""

import hashlib
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxscale.core.errors import BadInput
from jaxscale.report.store.file import checksum, read
from jaxscale.report.store.store import load, save

h5py = pytest.importorskip("h5py", reason="the netCDF backend of h5netcdf is not installed")

type Forge = Callable[[Any, np.random.Generator], Any]

GROUPS = ["fit", "fit/certificate", "fit/identifiability", "runs", "provenance", "bootstrap"]
PARAMETERS = ["alpha", "beta", "gamma"]


def group(f: Any, rng: np.random.Generator) -> Any:
    return f[rng.choice(GROUPS)]


def variable(f: Any, rng: np.random.Generator, *names: str) -> Any:
    """A variable that a fit has, drawn among `names`, by default among all with values."""
    held: list[str] = []
    f.visititems(lambda name, x: held.append(name) if isinstance(x, h5py.Dataset) and "CLASS" not in x.attrs else None)
    return f[rng.choice(list(names) or held)]


def dimension(f: Any, name: str, size: int, number: int = 77) -> Any:
    made = f.create_dataset(name, (size,), ">f4")
    made.attrs["_Netcdf4Dimid"] = np.int32(number)
    made.attrs["CLASS"] = np.bytes_(b"DIMENSION_SCALE")
    made.attrs["NAME"] = np.bytes_(b"This is a netCDF dimension but not a netCDF variable.")
    return made


def over(made: Any, *numbers: int) -> Any:
    made.attrs["_Netcdf4Coordinates"] = np.asarray(numbers, np.int32)
    return made


def numbered(f: Any, name: str) -> int:
    return int(f[name].attrs["_Netcdf4Dimid"])


def remade(f: Any, name: str, **how: Any) -> Any:
    """A variable with its own values and notes, stored in another way."""
    old = f[name]
    values, notes = old[()], {k: v for k, v in old.attrs.items() if k not in ("DIMENSION_LIST", "REFERENCE_LIST")}
    del f[name]
    if "shape" not in how and "data" not in how:
        how["data"] = values
    made = f.create_dataset(name, **how)
    for key, value in notes.items():
        made.attrs[key] = value
    return made


def cast(name: str, kind: Any) -> Forge:
    return lambda f, rng: remade(f, name, data=f[name][()].astype(kind))


def moved(f: Any, rng: np.random.Generator) -> None:
    f.move("runs", "results")


def nested(f: Any, depth: int) -> None:
    here = f["runs"]
    for _ in range(depth):
        here = here.create_group("x")


def virtual(f: Any, name: str) -> None:
    source = h5py.VirtualSource(f.filename, name, f[name].shape)
    layout = h5py.VirtualLayout(f[name].shape, f[name].dtype)
    layout[...] = source
    f.move(name, f"{name}_source")
    over(f.create_virtual_dataset(name, layout), numbered(f, f"{name.split('/')[0]}/run"))


STRUCTURE: dict[str, Forge] = {
    # Names and links
    "the root in itself": lambda f, rng: f.__setitem__("loop", f["/"]),
    "the root below": lambda f, rng: group(f, rng).__setitem__("loop", f["/"]),
    "a group in itself": lambda f, rng: (g := group(f, rng)).__setitem__("loop", g),
    "groups in each other": lambda f, rng: (
        f["runs"].__setitem__("loop", f["fit"]),
        f["fit"].__setitem__("loop", f["runs"]),
    ),
    "a variable of two names": lambda f, rng: group(f, rng).__setitem__("again", variable(f, rng)),
    "a known group of two names": lambda f, rng: f.__setitem__("posterior", f["bootstrap"]),
    "a soft link": lambda f, rng: group(f, rng).__setitem__("more", h5py.SoftLink("/runs/target")),
    "a soft link in a loop": lambda f, rng: f["runs"].__setitem__("more", h5py.SoftLink("/runs/more")),
    "a soft link to nothing": lambda f, rng: group(f, rng).__setitem__("more", h5py.SoftLink("/nowhere")),
    "a soft link as a group": lambda f, rng: (f.move("runs", "kept"), f.__setitem__("runs", h5py.SoftLink("/kept"))),
    "an external link": lambda f, rng: group(f, rng).__setitem__("more", h5py.ExternalLink("/etc/passwd", "/")),
    "an external link as a group": lambda f, rng: (
        f.__delitem__("runs"),
        f.__setitem__("runs", h5py.ExternalLink("other.nc", "/runs")),
    ),
    "a stored type": lambda f, rng: group(f, rng).__setitem__("kind", np.dtype("f8")),
    # Groups
    "a further group": lambda f, rng: f.create_group(f"extra{rng.integers(99)}"),
    "a group in a group": lambda f, rng: group(f, rng).create_group("extra"),
    "deep groups": lambda f, rng: nested(f, 1000),
    "many groups": lambda f, rng: [f["runs"].create_group(f"g{i}") for i in range(3000)],
    "a group renamed": moved,
    "a group of another case": lambda f, rng: f.move("fit/certificate", "fit/Certificate"),
    "a group as a variable": lambda f, rng: (f.__delitem__("provenance"), f.create_dataset("provenance", data=1.0)),
    # Variables: how they are stored
    "chunks": lambda f, rng: remade(f, "runs/target", chunks=(4,)),
    "gzip": lambda f, rng: remade(f, "runs/target", compression="gzip"),
    "shuffle": lambda f, rng: remade(f, "runs/weight", shuffle=True, chunks=(12,)),
    "a sum of chunks": lambda f, rng: remade(f, "runs/weight", fletcher32=True, chunks=(12,)),
    "scaled": lambda f, rng: remade(f, "runs/cluster", scaleoffset=0, chunks=(12,)),
    "without limit": lambda f, rng: remade(f, "runs/target", maxshape=(None,)),
    "external": lambda f, rng: remade(f, "runs/target", shape=(12,), dtype="f8", external=[("/etc/passwd", 0, 96)]),
    "external zeros": lambda f, rng: over(
        f.create_dataset("runs/big", (10**8,), "f8", external=[("/dev/zero", 0, 8 * 10**8)]), 5
    ),
    "virtual": lambda f, rng: virtual(f, "runs/target"),
    "not there": lambda f, rng: remade(f, "runs/target", shape=(12,), dtype="f8"),
    "huge and not there": lambda f, rng: (
        dimension(f, "runs/many", 4 * 10**8),
        over(f.create_dataset("runs/big", (4 * 10**8,), "f8"), 77),
    ),
    "huge in chunks": lambda f, rng: (
        dimension(f, "runs/many", 2**40),
        over(f.create_dataset("runs/big", (2**40,), "f8", chunks=(2**20,)), 77),
    ),
    "a bomb": lambda f, rng: (
        dimension(f, "runs/many", 10**7),
        over(f.create_dataset("runs/big", data=np.zeros(10**7), compression="gzip", chunks=(10**6,)), 77),
    ),
    "more than there are numbers": lambda f, rng: (
        dimension(f, "runs/many", 2**50),
        over(f.create_dataset("runs/big", (2**50,), "i1", chunks=(2**20,)), 77),
    ),
    "nothing": lambda f, rng: remade(f, "runs/target", shape=(0,), dtype="f8"),
    "a null": lambda f, rng: remade(f, "fit/alpha", data=h5py.Empty("f8")),
    "many axes": lambda f, rng: f.create_dataset("runs/deep", (1,) * 30, "f8"),
    # Variables: of what
    "compound": lambda f, rng: remade(f, "runs/target", data=np.zeros(12, [("a", "f8"), ("b", "i4")])),
    "opaque": lambda f, rng: remade(f, "runs/target", data=np.zeros(12, "V8")),
    "lists": lambda f, rng: remade(f, "runs/target", shape=(12,), dtype=h5py.vlen_dtype(np.float64)),
    "references": lambda f, rng: remade(f, "runs/target", data=np.array([f["fit"].ref] * 12, h5py.ref_dtype)),
    "regions": lambda f, rng: remade(f, "runs/target", shape=(12,), dtype=h5py.regionref_dtype),
    "big end first": cast("runs/target", ">f8"),
    "half": cast("runs/target", "f2"),
    "complex": cast("runs/target", "c16"),
    "unsigned": cast("runs/cluster", "u4"),
    "texts of one length": lambda f, rng: remade(f, "runs/target", data=np.array([b"1.0"] * 12)),
    "arrays": lambda f, rng: remade(f, "runs/target", data=np.zeros(12, [("a", "f8", 3)])["a"].astype("f4")),
    "no UTF-8": lambda f, rng: f["fit/structure"].__setitem__((), b"\xff\xfe{}"),
    # Dimensions
    "a dimension more": lambda f, rng: dimension(f, f"{rng.choice(GROUPS)}/more", 3),
    "a number twice": lambda f, rng: dimension(f, "runs/more", 12, numbered(f, "runs/run")),
    "another size": lambda f, rng: remade(f, "runs/target", data=np.ones(11)),
    "another dimension": lambda f, rng: over(f["runs/target"], 99),
    "no dimension": lambda f, rng: f["runs/target"].attrs.__delitem__("_Netcdf4Coordinates"),
    "a dimension as a text": lambda f, rng: f["runs/target"].attrs.__setitem__("_Netcdf4Coordinates", "run"),
    "a dimension twice": lambda f, rng: over(f["fit/hessian"], *[numbered(f, "fit/coordinate")] * 2),
    "many dimensions": lambda f, rng: over(f["runs/target"], *range(100)),
    "a dimension without number": lambda f, rng: f["runs/run"].attrs.__delitem__("_Netcdf4Dimid"),
    "a dimension without name": lambda f, rng: f["runs/run"].attrs.__delitem__("NAME"),
    "a dimension of a long name": lambda f, rng: f["runs/run"].attrs.__setitem__("NAME", np.bytes_(b"x" * 9000)),
    # Many and large
    "many variables": lambda f, rng: [f["runs"].create_dataset(f"v{i}", data=1.0) for i in range(3000)],
    "many attributes": lambda f, rng: [group(f, rng).attrs.__setitem__(f"a{i}", i) for i in range(1000)],
    "a long attribute": lambda f, rng: group(f, rng).attrs.__setitem__("law", "x" * 10**7),
    "a large attribute": lambda f, rng: f["fit"].attrs.__setitem__("value", np.zeros(8000)),
    "an attribute of texts": lambda f, rng: f["fit"].attrs.__setitem__("law", ["a", "b"]),
    "an attribute of axes": lambda f, rng: f["fit"].attrs.__setitem__("value", np.zeros((2, 2))),
    "an attribute of references": lambda f, rng: f["fit"].attrs.__setitem__("value", f["runs"].ref),
    "a compound attribute": lambda f, rng: f["fit"].attrs.__setitem__("value", np.zeros(1, [("a", "f8")])[0]),
    "a null attribute": lambda f, rng: f["fit"].attrs.__setitem__("value", h5py.Empty("f8")),
    "a complex attribute": lambda f, rng: f["fit"].attrs.__setitem__("value", 1j),
}


def attribute(path: str, name: str, *values: Any) -> Forge:
    """Another value, one of `values`."""
    return lambda f, rng: f[path].attrs.__setitem__(name, values[rng.integers(len(values))])


def numbers(f: Any, rng: np.random.Generator, name: str, value: Any) -> None:
    """One number of a variable, drawn, becomes `value`."""
    held = np.array(f[name][()])
    at = tuple(rng.integers(n) for n in held.shape)
    held[at] = value(held[at]) if callable(value) else value
    f[name][...] = held


def of_runs(name: str, value: Any) -> Forge:
    """One number of the runs, whose own checksum is made anew."""

    def forge(f: Any, rng: np.random.Generator) -> None:
        numbers(f, rng, f"runs/{name}", value)
        state = hashlib.sha256()
        for column in sorted(k for k in f["runs"] if k not in ("predicted", "run", "label")):
            state.update(column.encode() + f["runs"][column][()].tobytes())
        f["runs"].attrs["data_sha256"] = state.hexdigest()

    return forge


def structure(change: Callable[[Any], Any], path: str = "fit/structure") -> Forge:
    """The JSON of a law, changed."""

    def forge(f: Any, rng: np.random.Generator) -> None:
        record = json.loads(f[path][()])
        changed = change(record)
        f[path][()] = changed if isinstance(changed, str) else json.dumps(record)

    return forge


# As a file has it.
OBJECTIVE = {"objective": "LogResidual", "fields": {}}


def law(record: Any) -> Any:
    return record["model"]["fields"]["law"]


def draws(name: str, value: Any) -> Forge:
    """One draw that converged becomes `value`."""

    def forge(f: Any, rng: np.random.Generator) -> None:
        held = f[f"bootstrap/{name}"][()]
        held[rng.choice(np.flatnonzero(f["bootstrap/code"][()] == 0))] = value
        f[f"bootstrap/{name}"][...] = held

    return forge


CERTIFICATE, INF, NAN = "fit/certificate", float("inf"), float("nan")
CONTENT: dict[str, Forge] = {
    # Certificate
    "starts as a text": attribute(CERTIFICATE, "starts", "many", "32", ""),
    "starts as a fraction": attribute(CERTIFICATE, "starts", 32.0, NAN),
    "negative starts": attribute(CERTIFICATE, "starts", -1, -(2**40)),
    "more finished than started": attribute(CERTIFICATE, "finished", 999),
    "no distinct optimum less than none": attribute(CERTIFICATE, "distinct", -1, 10**6),
    "a share above one": attribute(CERTIFICATE, "share_best", 1.5, -0.1, NAN, INF),
    "a share as a text": attribute(CERTIFICATE, "share_best", "all"),
    "a negative gradient": attribute(CERTIFICATE, "gradient_norm", -1e-9),
    "a gradient as a text": attribute(CERTIFICATE, "gradient_norm", "none", "0"),
    "a tolerance of everything": attribute(CERTIFICATE, "tolerance", INF, 1e9, NAN, -1.0),
    "an eigenvalue that cannot be": attribute(CERTIFICATE, "smallest_eigenvalue", 2.0, INF),
    "a condition that cannot be": attribute(CERTIFICATE, "condition", 0.5, -1.0),
    "an unknown code": attribute(CERTIFICATE, "code", "certified", "CONVERGED", 0),
    "a gap that cannot be": attribute(CERTIFICATE, "second_gap", -1.0, "wide", NAN),
    "an attribute more": lambda f, rng: group(f, rng).attrs.__setitem__("note", "x"),
    "an attribute less": lambda f, rng: f[CERTIFICATE].attrs.__delitem__(rng.choice(list(f[CERTIFICATE].attrs))),
    # What the numbers contradict
    "another eigenvalue": attribute(CERTIFICATE, "smallest_eigenvalue", 0.5, 1e-12),
    "another value": attribute("fit", "value", 0.0, 1.0, -1.0),
    "another Hessian": lambda f, rng: f["fit/hessian"].__setitem__(..., np.eye(3)),
    "a Hessian that is not finite": lambda f, rng: numbers(f, rng, "fit/hessian", rng.choice([NAN, INF])),
    "other losses": of_runs("target", lambda x: 1.1 * x),
    "another law's name": attribute("fit", "law", "Chinchilla", "Kaplan\x1b[31m"),
    "another objective's name": attribute("fit", "objective", "gaussian"),
    "another parameter": lambda f, rng: numbers(f, rng, f"fit/{rng.choice(PARAMETERS)}", lambda x: 1.5 * x),
    "a parameter off its support": lambda f, rng: numbers(f, rng, f"fit/{rng.choice(PARAMETERS)}", lambda x: -x),
    "a parameter that is no number": lambda f, rng: numbers(f, rng, f"fit/{rng.choice(PARAMETERS)}", NAN),
    "other predictions": lambda f, rng: numbers(f, rng, "runs/predicted", lambda x: 1.01 * x),
    "predictions that are no numbers": lambda f, rng: f["runs/predicted"].__setitem__(..., NAN),
    # Fit
    "a value that is not finite": attribute("fit", "value", NAN, INF),
    "a value as a text": attribute("fit", "value", "small"),
    "a seed as a text": attribute("fit", "seed", "one", "1.5"),
    "an unknown solver": attribute("fit", "solver", "os:system", "jaxscale.solve.gauss_newton:begin", "x", ":", ""),
    "a solver's steps as a text": attribute("fit", "solver_max_steps", "many"),
    "no steps of a solver": attribute("fit", "solver_max_steps", 0, -5, 2**40),
    "a negative tolerance": attribute("fit", "solver_rtol", -1.0, NAN, "tight"),
    "coordinates in another order": lambda f, rng: f["fit/coordinate"].__setitem__(..., PARAMETERS[::-1]),
    "a coordinate of another name": lambda f, rng: f["fit/coordinate"].__setitem__(int(rng.integers(3)), "delta"),
    "a start that is not finite": lambda f, rng: numbers(f, rng, "fit/restarts", INF),
    "a ridge longer than one": lambda f, rng: numbers(f, rng, "fit/identifiability/ridge", 7.0),
    "a ridge of one name": lambda f, rng: f["fit/identifiability/along"].__setitem__(..., ["alpha"] * 3),
    "a condition that is no number": attribute("fit/identifiability", "condition", NAN, "bad"),
    "a parameter named as another": attribute("fit/alpha", "name", "beta", "gamma"),
    "a parameter of no name": attribute("fit/beta", "name", "", "objective.none"),
    "a parameter in another unit": attribute("fit/gamma", "units", "bananas"),
    "a variable more": lambda f, rng: group(f, rng).create_dataset("more", data=rng.normal()),
    "a parameter more": lambda f, rng: f["fit"].create_dataset("more", data=1.0).attrs.update({"name": "more"}),
    "a variable less": lambda f, rng: f.__delitem__(
        rng.choice(["fit/hessian", "fit/structure", "fit/alpha", "runs/noise", "runs/predicted", "bootstrap/code"])
    ),
    "a group less": lambda f, rng: f.__delitem__(rng.choice([g for g in GROUPS if g != "bootstrap"])),
    "a parameter as an integer": cast("fit/alpha", "i8"),
    "a matrix as a vector": lambda f, rng: over(
        remade(f, "fit/hessian", data=np.ones(3)), numbered(f, "fit/coordinate")
    ),
    # Structure
    "a structure that is no JSON": structure(lambda r: '{"model": '),
    "a structure that is a list": structure(lambda r: "[]"),
    "a deep structure": structure(lambda r: '{"model": ' + '{"tuple": [' * 10**5),
    "a deep structure that ends": structure(lambda r: '{"model": ' + "[" * 10**4 + "]" * 10**4 + "}"),
    "a long structure": structure(lambda r: '{"model": "' + "x" * 10**7 + '"}'),
    "a number of thousands of digits": structure(lambda r: '{"model": ' + "9" * 10**4 + "}"),
    "no model": structure(lambda r: r.pop("model")),
    "a model that is a number": structure(lambda r: r.update(model=1)),
    "a model that is a law": structure(lambda r: r.update(model=law(r))),
    "an unknown law": structure(lambda r: law(r).update(law="PowerLaw9")),
    "a law that is an objective": structure(
        lambda r: r["model"]["fields"].update(law=r["model"]["fields"]["objective"])
    ),
    "a law that is a number": structure(lambda r: r["model"]["fields"].update(law=3.0)),
    "an objective that is a law": structure(lambda r: r["model"]["fields"].update(objective=law(r))),
    "a law of elsewhere": structure(lambda r: (law(r).pop("law"), law(r).update(custom="os:system", source="x"))),
    "a field more": structure(lambda r: law(r)["fields"].update(more=1)),
    "a field less": structure(lambda r: law(r)["fields"].pop("alpha")),
    "a parameter as a number": structure(lambda r: law(r)["fields"].update(alpha=0.5)),
    "a parameter as a text": structure(lambda r: law(r)["fields"].update(alpha="half")),
    "a parameter twice": structure(lambda r: law(r)["fields"].update(alpha={"parameter": "beta"})),
    "an unknown parameter": structure(lambda r: law(r)["fields"].update(alpha={"parameter": "omega"})),
    "free parameters that are not": structure(lambda r: r.update(free=["alpha", "omega"])),
    "free parameters twice": structure(lambda r: r.update(free=["alpha"] * 3)),
    "free parameters as a text": structure(lambda r: r.update(free="alpha")),
    "fewer free parameters": structure(lambda r: r.update(free=r["free"][:-1])),
    "seconds as a text": structure(lambda r: r.update(seconds={"total": "long"})),
    "seconds less than none": structure(lambda r: r.update(seconds={"total": -1.0})),
    "seconds as a list": structure(lambda r: r.update(seconds=[1.0])),
    "a prior as a text": structure(lambda r: r.update(prior="yes")),
    "a record more": structure(lambda r: r.update(more=1)),
    # Runs
    "a loss that is no number": of_runs("target", NAN),
    "a loss below zero": of_runs("target", -1.0),
    "an infinite size": of_runs("m", INF),
    "a negative weight": of_runs("weight", -1.0),
    "a weight that is no number": of_runs("weight", NAN),
    "negative noise": of_runs("noise", -0.1),
    "infinite noise": of_runs("noise", INF),
    "a group of no index": of_runs("group", -3),
    "groups as numbers": cast("runs/group", "f8"),
    "losses as whole numbers": cast("runs/target", "i8"),
    "runs with the old checksum": lambda f, rng: numbers(f, rng, "runs/weight", lambda x: 2 * x),
    "an input renamed": attribute("runs/m", "symbol", "N", ""),
    # Ensemble
    "an unknown result": draws("code", 99),
    "a negative result": draws("code", -1),
    "a draw that is no number": draws("alpha", NAN),
    "a draw off its support": draws("beta", -1.0),
    "fewer draws": lambda f, rng: (
        dimension(f, "bootstrap/few", 3, 88),
        over(remade(f, "bootstrap/alpha", data=np.ones(3)), 88),
    ),
    "draws of another law": structure(lambda r: r.update(law="HenighanN"), "bootstrap/structure"),
    "another method": attribute("bootstrap", "method", "nuts:curved", ""),
    "draws as another kind": lambda f, rng: f.move("bootstrap", "posterior"),
    "codes as numbers": cast("bootstrap/code", "f8"),
    # Card and header
    "a card that is no JSON": lambda f, rng: f["card/card"].__setitem__((), "{"),
    "a card that is a number": lambda f, rng: f["card/card"].__setitem__((), "1"),
    "a deep card": lambda f, rng: f["card/card"].__setitem__((), '{"a": ' + "[" * 10**5),
    "another format": attribute("/", "format", "jaxscale fits", "", 1),
    "a later schema": attribute("/", "schema", 2, 10**9),
    "a schema that is none": attribute("/", "schema", "1", 0, -1, 1.0),
    "a header more": attribute("/", "note", "x"),
    # Seal
    "no seal": lambda f, rng: f.attrs.__delitem__("sha256"),
    "another seal": attribute("/", "sha256", "0" * 64, "", 7),
}


SECONDS, MEMORY = 2.0, 300 * 2**10  # of one refusal; KiB


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory, small_fit: Any, small_ensemble: Any) -> bytes:
    path = tmp_path_factory.mktemp("honest") / "a.nc"
    save(path, small_fit, small_ensemble, card={"schema": "a card"})
    assert load(path).fit.certificate.certified
    return path.read_bytes()


def refusal(path: Path) -> str:
    """The sentence; the time and the memory until it came are within what is allowed."""
    begun, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BadInput) as caught:
        load(path)
    assert time.process_time() - begun < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "expected" in text or " must be " in text
    assert "got" in text or "missing" in text
    assert len(text) - len(str(path)) < 1000
    assert text.isprintable()
    return text


def forged(tmp_path: Path, honest: bytes, forge: Forge, seed: int) -> Path:
    path = tmp_path / "a.nc"
    path.write_bytes(honest)
    with h5py.File(path, "r+", track_order=True) as f:
        forge(f, np.random.default_rng(seed))
    return path


@pytest.mark.parametrize("kind", [*STRUCTURE, *CONTENT])
def test_a_forged_file_is_refused_though_sealed_again(tmp_path: Path, honest: bytes, kind: str) -> None:
    path = forged(tmp_path, honest, (STRUCTURE | CONTENT)[kind], len(kind))
    try:
        seal = checksum(read(path))
    except BadInput:  # by its structure: no seal is asked for
        pass
    else:
        if "seal" not in kind:
            with h5py.File(path, "r+") as f:
                f.attrs["sha256"] = seal
    assert ("checksum" in refusal(path)) == ("seal" in kind)


def test_the_kinds_are_many() -> None:
    assert len(STRUCTURE | CONTENT) == len(STRUCTURE) + len(CONTENT) >= 80


# What h5py does not write, by the bytes of an honest file.


def places(honest: bytes, path: Path, name: str) -> tuple[int, int]:
    """Where the length, the address and the index of the texts of a variable stand, and how many texts."""
    path.write_bytes(honest)
    with h5py.File(path) as f:
        return f[name].id.get_offset(), f[name].size


@pytest.mark.parametrize("length", [2**32 - 1, 2**31, 10**6, 0])
def test_a_text_that_says_it_is_longer_than_it_is(tmp_path: Path, honest: bytes, length: int) -> None:
    at, _ = places(honest, tmp_path / "a.nc", "fit/structure")
    (tmp_path / "a.nc").write_bytes(honest[:at] + length.to_bytes(4, "little") + honest[at + 4 :])
    refusal(tmp_path / "a.nc")


def test_many_texts_in_one_place(tmp_path: Path, honest: bytes) -> None:
    """A text of 1 MB, stored once and named ten thousand times, is 10 GB when it is read."""
    path, count = tmp_path / "a.nc", 10_000

    def forge(f: Any, rng: np.random.Generator) -> None:
        dimension(f, "fit/remark", count)
        made = f.create_dataset("fit/table_remarks", (count,), h5py.string_dtype())
        made[0] = "x" * 10**6
        made[1:] = "y"
        over(made, 77)

    forged(tmp_path, honest, forge, 0)
    data = path.read_bytes()
    at, _ = places(data, path, "fit/table_remarks")
    path.write_bytes(data[:at] + data[at : at + 16] * count + data[at + 16 * count :])
    assert "content of at most" in refusal(path)


@pytest.mark.parametrize("size", [2**28, 2**40])
def test_a_file_larger_than_any_fit(tmp_path: Path, honest: bytes, size: int) -> None:
    """Of a file that says that it is large, no more is read than a saved fit may have."""
    with (tmp_path / "a.nc").open("wb") as stream:
        stream.write(honest)
        stream.truncate(size)
    assert "at most 128 MiB" in refusal(tmp_path / "a.nc")


@pytest.mark.parametrize("seed", range(30))
def test_random_damage_is_refused_or_harmless(tmp_path: Path, honest: bytes, small_fit: Any, seed: int) -> None:
    """Bytes changed, cut, doubled or zeroed; no seal is made anew."""
    rng, path = np.random.default_rng(seed), tmp_path / "a.nc"
    at, more = (int(x) for x in rng.integers(0, [len(honest), 200]))
    middle = [rng.bytes(1), rng.bytes(more), b"", bytes(more), honest[at : at + more] * 2][seed % 5]
    path.write_bytes(honest[:at] + middle + honest[at + (more if seed % 5 else 1) :])
    try:
        found = load(path)
    except BadInput as error:
        refused = str(error)
    else:
        refused = None
        np.testing.assert_array_equal(found.fit.hessian, small_fit.hessian)
        np.testing.assert_array_equal(found.fit.runs.target, small_fit.runs.target)
    assert refused is None or refused.startswith(f"{path}: ")


def test_what_is_too_large_to_read_is_not_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, honest: bytes, small_fit: Any
) -> None:
    monkeypatch.setattr("jaxscale.report.store.hdf5.LARGEST", len(honest) // 4)
    with pytest.raises(BadInput, match=r"a\.nc: expected at most 0 MiB.*save fewer draws"):
        save(tmp_path / "a.nc", small_fit)
    assert list(tmp_path.iterdir()) == []
