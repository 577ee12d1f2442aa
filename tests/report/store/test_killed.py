"""Oracle: after a kill at any moment the file is the old one or the new one, whole."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from jaxscale.core.errors import BadInput
from jaxscale.report.store import file as store_file
from jaxscale.report.store.store import save

pytest.importorskip("h5py", reason="the netCDF backend of h5netcdf is not installed")

# One process imports the package and forks a writer per moment: an import costs seconds, a fork nothing.
CHILD = """
import os, random, shutil, signal, sys, time, json, warnings
import jaxscale.report.store.arviz
from jaxscale.report.store import file as store_file

assert "matplotlib" not in sys.modules, "report.store must not import matplotlib"
folder = sys.argv[1]
new = store_file.read(f"{folder}/new.nc")

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def half(handle, data):
    write(handle, data[: len(data) // 2])
    die()

def late(handle, calls=[]):
    calls.append(handle)
    if len(calls) == 2:  # the folder is synced after the file took its place
        die()

write = os.write
hooks = {
    "before writing": (os, "write", die),
    "half written": (os, "write", half),
    "before the sync": (os, "fsync", die),
    "before the replacement": (os, "replace", die),
    "after the replacement": (os, "fsync", late),
}
parent = os.getpid()
moments = list(hooks) + [f"{ms} ms" for ms in range(0, 60, 6)]
for moment in moments:
    target = f"{folder}/{moment}.nc"
    shutil.copy(f"{folder}/old.nc", target)
    warnings.simplefilter("ignore")
    child = os.fork()
    if child == 0:
        if moment in hooks:
            setattr(*hooks[moment])
        while os.getppid() == parent:  # a test that timed out leaves no writer behind
            store_file.write(target, new)
        os._exit(1)
    if moment not in hooks:
        time.sleep(float(moment.split()[0]) / 1000)
        os.kill(child, signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
print(json.dumps(moments))
"""


def test_a_kill_at_any_moment_leaves_a_whole_file(tmp_path, small_fit, small_ensemble):
    old, new = small_fit, replace(small_fit, seed=small_fit.seed + 1)
    save(tmp_path / "old.nc", old, small_ensemble)
    save(tmp_path / "new.nc", new, small_ensemble)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    trees = {moment: store_file.read(tmp_path / f"{moment}.nc") for moment in json.loads(done.stdout)}
    for tree in trees.values():
        store_file.check_seal(tree)
    seeds = {moment: int(tree["fit"].attrs["seed"]) for moment, tree in trees.items()}
    assert set(seeds.values()) <= {old.seed, new.seed}
    assert {moment: seed == new.seed for moment, seed in seeds.items() if not moment.endswith("ms")} == {
        "before writing": False,
        "half written": False,
        "before the sync": False,
        "before the replacement": False,
        "after the replacement": True,
    }


@pytest.mark.parametrize("trouble", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_no_remains(tmp_path, monkeypatch, small_fit, trouble):
    path = tmp_path / "a.nc"
    save(path, small_fit)
    before = path.read_bytes()

    def fail(_):
        raise trouble

    monkeypatch.setattr(os, "fsync", fail)
    expected = BadInput if isinstance(trouble, OSError) else KeyboardInterrupt
    with pytest.raises(expected, match="No space left on device" if expected is BadInput else None):
        save(path, replace(small_fit, seed=99))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
