"""Chunks in a folder: what is refused, and a bagged run that is killed again and again, then goes on."""

import concurrent.futures
import importlib
import io
import json
import os
import socket
import subprocess
import sys
import time
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.errors import BadInput
from jaxscale.execute.store import Folder, fingerprint


class Pair(eqx.Module):
    a: np.ndarray
    b: np.ndarray


def pair(n: int) -> Pair:
    return Pair(np.arange(n), np.arange(2.0 * n).reshape(n, 2))


def never() -> Pair:
    raise AssertionError("made again")


def test_a_chunk_is_made_once(tmp_path: Path) -> None:
    made = Folder(tmp_path / "new", {"key": 1}).get(0, 5, lambda: pair(5), Pair)
    again = Folder(tmp_path / "new", {"key": 1})
    for count in (5, 3):
        found = again.get(0, count, never, Pair)
        for mine, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(made), strict=True):
            assert mine.dtype == theirs.dtype
            np.testing.assert_array_equal(mine, theirs[:count])
    assert len(again.get(0, 6, lambda: pair(6), Pair).a) == 6
    assert sorted(x.name for x in again.path.iterdir()) == ["chunk-000000.npz", "manifest.json"]


def test_a_failure_leaves_no_remains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(tmp_path, {})

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadInput, match=r"chunk-000000\.npz: expected a place to write, got: No space left"):
        folder.get(0, 5, lambda: pair(5), Pair)
    assert [x.name for x in tmp_path.iterdir()] == ["manifest.json"]


def test_another_computation_is_refused(tmp_path: Path) -> None:
    Folder(tmp_path, {"key": 1, "rows": 8})
    with pytest.raises(BadInput, match=r"got those of another \(key, rows differ\); choose another folder"):
        Folder(tmp_path, {"key": 2})


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(BadInput, match="expected an empty folder or one of unfinished chunks"):
        Folder(tmp_path, {})
    with pytest.raises(BadInput, match=r"notes\.txt: expected a folder"):
        Folder(tmp_path / "notes.txt", {})
    with pytest.raises(BadInput, match="in a folder that exists"):
        Folder(tmp_path / "no" / "where", {})


def test_fingerprints_see_every_bit_and_every_setting() -> None:
    tree = {"a": jnp.asarray([0.0, 1.0]), "key": jax.random.key(0), "name": "x"}
    changed = [
        {**tree, "a": jnp.asarray([-0.0, 1.0])},
        {**tree, "a": jnp.asarray([[0.0, 1.0]])},
        {**tree, "a": jnp.asarray([0, 1])},
        {**tree, "key": jax.random.key(1)},
        {**tree, "name": "y"},
        {"b" if k == "a" else k: v for k, v in tree.items()},
    ]
    prints = [fingerprint(t) for t in (tree, *changed)]
    assert len(set(prints)) == len(prints)
    assert fingerprint(dict(tree)) == prints[0]


# One process imports the package and forks before JAX starts a thread; the compilation cache serves later children.
CHILD = """
import importlib, json, os, runpy, signal, sys
case, folder = runpy.run_path(sys.argv[1]), sys.argv[2]

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

replace, write = os.replace, os.write
def before(name):
    return lambda part, to: die() if str(to).endswith(name) else replace(part, to)
def after(name):
    return lambda part, to: (replace(part, to), str(to).endswith(name) and die())
def half(handle, data):
    if bytes(data[:2]) == b"PK":  # a chunk, not the manifest
        write(handle, data[: len(data) // 2])
        die()
    return write(handle, data)

moments = {
    "before the manifest": (os, "replace", before("manifest.json")),
    "in a half-written chunk": (os, "write", half),
    "before the second chunk": (os, "replace", before("chunk-000001.npz")),
    "after the second chunk": (os, "replace", after("chunk-000001.npz")),
}
seen = {}
for moment, hook in moments.items():
    child = os.fork()
    if child == 0:
        x, y = case["line_data"]()
        known = case["gaussian"](case["ConstantNoise"](case["SIGMA"]), case["RawResidual"]())
        runs = case["Runs"].of({"x": x}, y)
        mode = case["fit"](case["Line"](), runs, known, fixed=("objective.noise.sigma",), prior=True, starts=2)
        bagging = importlib.import_module("jaxscale.infer.posterior.bag")
        bagging.lanes_per_call = lambda *_: 32
        setattr(*hook)
        bagging.bag(mode, 90, key=3, folder=folder)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL, moment
    seen[moment] = sorted(x for x in os.listdir(folder) if not x.startswith("."))
print(json.dumps(seen))
"""


@pytest.mark.slow  # four processes that trace and compile; test_bag resumes a folder in one
def test_a_killed_run_goes_on_to_the_same_bits(conjugate: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four SIGKILLs in one folder; other processes made the first two chunks, this one makes the third."""
    folder = tmp_path / "chunks"
    cache = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache"), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    precision = {"JAX_ENABLE_X64": str(int(jax.dtypes.canonicalize_dtype(float) == np.float64))}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(Path(__file__).parents[1] / "conftest.py"), str(folder)],
        env={**os.environ, **cache, **precision},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "before the manifest": [],
        "in a half-written chunk": ["manifest.json"],
        "before the second chunk": ["chunk-000000.npz", "manifest.json"],
        "after the second chunk": ["chunk-000000.npz", "chunk-000001.npz", "manifest.json"],
    }
    bagging = importlib.import_module("jaxscale.infer.posterior.bag")
    monkeypatch.setattr(bagging, "lanes_per_call", lambda *_: 32)
    written = {x.name: x.stat().st_mtime_ns for x in folder.glob("chunk-*")}
    resumed = bagging.bag(conjugate.mode, 90, key=3, folder=folder)
    assert written.items() <= {x.name: x.stat().st_mtime_ns for x in folder.glob("chunk-*")}.items()
    uninterrupted = bagging.bag(conjugate.mode, 90, key=3)
    for lanes in ("lanes", "plain"):
        for mine, theirs in zip(*(jax.tree.leaves(getattr(b, lanes)) for b in (resumed, uninterrupted)), strict=True):
            assert mine.dtype == theirs.dtype
            assert mine.tobytes() == theirs.tobytes()


class Three(eqx.Module):
    real: np.ndarray
    whole: np.ndarray
    flag: np.ndarray


def drawn(seed: int, rows: int = 6) -> Three:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(rows, 3, 2)).astype(np.float32)
    z[0, 0, 0] = np.nan  # the bits of a draw that is no number are kept too
    return Three(z, rng.integers(0, 9, rows), rng.random(rows) < 0.5)


def stored(file: Path) -> dict[str, np.ndarray]:
    with np.load(file) as archive:
        return dict(archive)


def flipped(data: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(len(data)))
    return data[:at] + bytes([data[at] ^ int(rng.integers(1, 256))]) + data[at + 1 :]


def deflated(file: Path) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **(stored(file) | {"real": np.zeros((6, 10**6))}))
    return stream.getvalue()


def saved(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def declared_huge(data: bytes, _: np.random.Generator) -> bytes:
    """The header of the first array says 6e9 rows, in as many bytes."""
    return data.replace(b"(6, 3, 2), }      ", b"(6000000000, 3), }", 1)


def zip_of(names: int, rng: np.random.Generator) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for i in range(names):
            archive.writestr(f"{i}.npy", rng.bytes(4))
    return stream.getvalue()


# What becomes of chunk 5, in a folder that also has chunk 3, beside one of another computation.
DAMAGE: dict[str, Any] = {
    "a copy of another": lambda file, rng: file.with_name("chunk-000003.npz").read_bytes(),
    "from another folder": lambda file, rng: (file.parents[1] / "other" / file.name).read_bytes(),
    "empty": lambda file, rng: b"",
    "truncated": lambda file, rng: file.read_bytes()[: int(rng.integers(1, file.stat().st_size))],
    "longer": lambda file, rng: file.read_bytes() + rng.bytes(30),
    "a bit": lambda file, rng: flipped(file.read_bytes(), rng),
    "noise": lambda file, rng: rng.bytes(3000),
    "zeros": lambda file, rng: bytes(3000),
    "an edited number": lambda file, rng: saved(**(stored(file) | {"whole": stored(file)["whole"] + 1})),
    "an edited bit": lambda file, rng: saved(**(stored(file) | {"flag": ~stored(file)["flag"]})),
    "another dtype": lambda file, rng: saved(**(stored(file) | {"real": stored(file)["real"].astype(float)})),
    "another shape": lambda file, rng: saved(**(stored(file) | {"real": stored(file)["real"].reshape(6, 6)})),
    "fewer rows": lambda file, rng: saved(**{k: v[:5] if v.ndim else v for k, v in stored(file).items()}),
    "a field less": lambda file, rng: saved(**{k: v for k, v in stored(file).items() if k != "flag"}),
    "a field more": lambda file, rng: saved(**stored(file), more=np.ones(6)),
    "without seal": lambda file, rng: saved(**{k: v for k, v in stored(file).items() if v.ndim}),
    "another number": lambda file, rng: saved(**(stored(file) | {"number": np.asarray(3)})),
    "a pickle": lambda file, rng: saved(**(stored(file) | {"whole": np.array([{}] * 6, object)})),
    "compressed": lambda file, rng: deflated(file),
    "declared huge": lambda file, rng: declared_huge(file.read_bytes(), rng),
    "many members": lambda file, rng: zip_of(200, rng),
    "no arrays": lambda file, rng: zip_of(3, rng),
    "an empty zip": lambda file, rng: zip_of(0, rng),
    "a lone array": lambda file, rng: file.read_bytes()[40:400],
}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    for name, key in (("other", 2), ("mine", 1)):
        made = Folder(tmp_path / name, {"key": key})
        for number in (3, 5):
            made.get(number, 6, lambda n=number: drawn(n), Three)
    return made


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_chunk_is_made_again_and_never_used(folder: Folder, kind: str, seed: int) -> None:
    file = folder.path / "chunk-000005.npz"
    whole = file.read_bytes()
    file.write_bytes(DAMAGE[kind](file, np.random.default_rng(seed)))
    calls = []
    again = Folder(folder.path, {"key": 1})
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = again.get(5, 6, lambda: calls.append(1) or drawn(5), Three)
    for mine, theirs in zip(vars(found).values(), vars(drawn(5)).values(), strict=True):
        assert (mine.dtype, mine.tobytes()) == (theirs.dtype, theirs.tobytes())
    # A flipped bit may lie where nothing is stored, as in a date of the zip file.
    assert len(calls) == len(said) == 1 or kind == "a bit"
    for warning in said:
        text = str(warning.message)
        assert text.startswith(f"{file}: expected chunk 5 of this computation, got ")
        assert text.endswith("; it is made again")
        assert text.isprintable()
    assert stored(file).keys() == set(stored(folder.path / "chunk-000003.npz"))
    assert again.get(5, 6, never, Three).real.tobytes() == drawn(5).real.tobytes()
    assert len(whole) == file.stat().st_size or not calls


IN_PLACE: dict[str, Callable[[Path], Any]] = {
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "a link": lambda path: path.symlink_to(path.parent / "chunk-000003.npz"),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a socket": lambda path: socket.socket(socket.AF_UNIX).bind(os.path.relpath(path)),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of the socket
@pytest.mark.parametrize("kind", IN_PLACE)
@pytest.mark.parametrize("name", ["chunk-000005.npz", "manifest.json"])
def test_what_is_no_file_is_refused(folder: Folder, monkeypatch: pytest.MonkeyPatch, kind: str, name: str) -> None:
    monkeypatch.chdir(folder.path)  # the name of a socket is short
    (folder.path / name).unlink()
    IN_PLACE[kind](folder.path / name)
    with pytest.raises(BadInput, match=rf"{name}: expected a file, got.*; remove it, or choose another folder"):
        Folder(folder.path, {"key": 1}).get(5, 6, never, Three)


MANIFESTS: dict[str, bytes] = {
    "empty": b"",
    "no UTF-8": b'{"key": "\xff\xfe"}',
    "UTF-16": '{"key": 1}'.encode("utf-16"),
    "cut": b'{"key": 1',
    "deep": b"[" * 200_000,
    "deep objects": b'{"a":' * 100_000,
    "a list": b"[1]",
    "null": b"null",
    "a number": b"7",
    "thousands of digits": b'{"key": ' + b"9" * 10_000 + b"}",
    "long": b'{"key": "' + b"x" * 2**20 + b'"}',
    "zeros": bytes(100),
}


@pytest.mark.parametrize("kind", MANIFESTS)
def test_a_damaged_manifest_is_refused_with_the_remedy(folder: Folder, kind: str) -> None:
    (folder.path / "manifest.json").write_bytes(MANIFESTS[kind])
    with pytest.raises(BadInput, match=r"manifest\.json: expected the description.*choose another folder, or remove"):
        Folder(folder.path, {"key": 1})


def test_a_manifest_of_more_or_other_entries_is_another(folder: Folder) -> None:
    for entries in ('{"key": 1, "\\u001b[31m": 2}', '{"key": NaN}', "{}", '{"key": "1"}'):
        (folder.path / "manifest.json").write_text(entries)
        with pytest.raises(BadInput, match="got those of another") as caught:
            Folder(folder.path, {"key": 1})
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("size", [2**27, 2**40])
def test_a_large_chunk_takes_no_memory(tmp_path: Path, size: int) -> None:
    """Zeros that a file system need not store are told from a chunk by its end, before they are read."""
    folder = Folder(tmp_path, {})
    with (tmp_path / "chunk-000000.npz").open("wb") as stream:
        stream.truncate(size)
    tracemalloc.start()
    begun = time.process_time()
    with pytest.warns(UserWarning, match="it is made again"):
        folder.get(0, 2, lambda: pair(2), Pair)
    seconds, (_, peak) = time.process_time() - begun, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10**7
    assert seconds < 1


def test_several_that_share_a_folder_agree(tmp_path: Path) -> None:
    """Threads that write the same chunks: each gets the bits, and what stays is whole."""

    def work(_: int) -> list[bytes]:
        shared = Folder(tmp_path / "shared", {"key": 1})
        return [shared.get(n, 6, lambda n=n: drawn(n), Three).real.tobytes() for n in range(8)]

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(work, range(4)))
    assert all(answer == [drawn(n).real.tobytes() for n in range(8)] for answer in answers)
    assert work(0) == answers[0]
    names = [f"chunk-{n:06d}.npz" for n in range(8)]
    assert sorted(x.name for x in (tmp_path / "shared").iterdir()) == [*names, "manifest.json"]
