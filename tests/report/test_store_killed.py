"""Oracle: after a kill at any moment the file is the old one or the new one, whole."""

import json
import os
import stat
import subprocess
import sys
from dataclasses import replace

import pytest

from jaxscale.core import files
from jaxscale.core.errors import BadInput
from jaxscale.core.files import replacing
from jaxscale.report import store_file
from jaxscale.report.store import load, save

pytest.importorskip("h5py", reason="the netCDF backend of h5netcdf is not installed")

# One process imports the package and forks a writer per moment: an import costs seconds, a fork nothing.
CHILD = """
import os, random, shutil, signal, sys, time, json, warnings
import xarray as xr
import jaxscale.report.arviz
from jaxscale.core import files
from jaxscale.report import store_file

assert "matplotlib" not in sys.modules, "report.store must not import matplotlib"
folder = sys.argv[1]
new = store_file.read(f"{folder}/new.nc")

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def half(self, part, **options):
    whole(self, part, **options)
    os.truncate(part, os.path.getsize(part) // 2)
    die()

def late(path, calls=[]):
    calls.append(path)
    if len(calls) == 2:  # the folder is synced after the file took its place
        die()

whole = xr.DataTree.to_netcdf
hooks = {
    "before writing": (xr.DataTree, "to_netcdf", die),
    "half written": (xr.DataTree, "to_netcdf", half),
    "before the sync": (files, "_sync", die),
    "before the replacement": (os, "replace", die),
    "after the replacement": (files, "_sync", late),
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

    monkeypatch.setattr(files, "_sync", fail)
    expected = BadInput if isinstance(trouble, OSError) else KeyboardInterrupt
    with pytest.raises(expected, match="No space left on device" if expected is BadInput else None):
        save(path, replace(small_fit, seed=99))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_and_the_usual_permissions_are_kept(tmp_path, small_fit):
    (tmp_path / "link.nc").symlink_to(tmp_path / "a.nc")
    save(tmp_path / "link.nc", small_fit)
    assert (tmp_path / "link.nc").is_symlink()
    assert load(tmp_path / "a.nc").fit.seed == small_fit.seed
    (tmp_path / "plain").write_text("")
    assert stat.S_IMODE(os.stat(tmp_path / "a.nc").st_mode) == stat.S_IMODE(os.stat(tmp_path / "plain").st_mode)


def test_two_writers_do_not_share_a_part(tmp_path):
    with replacing(tmp_path / "a") as one, replacing(tmp_path / "a") as two:
        assert one != two
        assert one.parent == tmp_path
        one.write_text("one")
        two.write_text("two")
    assert (tmp_path / "a").read_text() == "one"
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]
