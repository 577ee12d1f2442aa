"""Chunks in a folder: what is refused, and a bagged run that is killed again and again, then goes on."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.errors import BadInput
from jaxscale.infer.chunks import Folder, fingerprint


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
        bagging = importlib.import_module("jaxscale.infer.bag")
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
        [sys.executable, "-c", CHILD, str(Path(__file__).with_name("conftest.py")), str(folder)],
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
    bagging = importlib.import_module("jaxscale.infer.bag")
    monkeypatch.setattr(bagging, "lanes_per_call", lambda *_: 32)
    written = {x.name: x.stat().st_mtime_ns for x in folder.glob("chunk-*")}
    resumed = bagging.bag(conjugate.mode, 90, key=3, folder=folder)
    assert written.items() <= {x.name: x.stat().st_mtime_ns for x in folder.glob("chunk-*")}.items()
    uninterrupted = bagging.bag(conjugate.mode, 90, key=3)
    for lanes in ("lanes", "plain"):
        for mine, theirs in zip(*(jax.tree.leaves(getattr(b, lanes)) for b in (resumed, uninterrupted)), strict=True):
            assert mine.dtype == theirs.dtype
            assert mine.tobytes() == theirs.tobytes()
