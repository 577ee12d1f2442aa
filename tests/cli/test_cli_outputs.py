"""Oracle: the file. It is there before a word is said, is nobody else's, and where it cannot be there is a reason."""

import errno
import json
import os
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import equinox as eqx
import jax
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

import jaxscale
from jaxscale import cli
from jaxscale.cli import output, targets
from jaxscale.core.errors import BadInput
from jaxscale.execute import files
from jaxscale.execute.store import Folder
from jaxscale.report.store.store import load, save
from jaxscale.report.store.tree import write_tree

from .conftest import MAPS, invoke, refused

FIT = ("fit", "RUNS", *MAPS)
AT = ("--at", "N=1e9,D=2e10")


def listed(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def at_once(simulated_fit, monkeypatch) -> None:
    """`jaxscale fit` finds what was found before."""
    monkeypatch.setattr(jaxscale, "fit", lambda *_, **__: simulated_fit[0])


@pytest.fixture
def place(runs_csv: Path, fit_file: Path, tmp_path: Path, monkeypatch) -> Path:
    """A folder of one's own with a table, names that lead to it, a saved fit, and folders for figures and chunks."""
    (tmp_path / "RUNS").write_bytes(runs_csv.read_bytes())
    (tmp_path / "HARD").hardlink_to(tmp_path / "RUNS")
    (tmp_path / "SOFT").symlink_to("RUNS")
    (tmp_path / "FIT").symlink_to("fit.nc")
    (tmp_path / "figs").mkdir()
    (tmp_path / "figs/table.png").write_bytes(runs_csv.read_bytes())
    (tmp_path / "chunks").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(jaxscale, "fit", None)  # no work is done
    monkeypatch.setattr(jaxscale, "outlook", None)
    return tmp_path


SAMPLE = ("sample", "RUNS", *MAPS, "--bagged", "9", "--folder", "chunks")
CLASHES = {
    "save onto the table": ((*FIT, "--save", "RUNS"), "--save", "FILE"),
    "json onto the table": ((*FIT, "--json", "./RUNS"), "--json", "FILE"),
    "save onto a hard link of it": ((*FIT, "--save", "HARD"), "--save", "FILE"),
    "json onto a link to it": ((*FIT, "--json", "SOFT"), "--json", "FILE"),
    "a table that is a link": (("fit", "SOFT", *MAPS, "--json", "RUNS"), "--json", "SOFT"),
    "two new ones": ((*FIT, "--json", "x", "--save", "./x"), "--save", "--json"),
    "two names of one": ((*FIT, "--json", "figs/../x", "--save", "x"), "--save", "--json"),
    "a figure and a fit": ((*FIT, "--plot", "figs", "--save", "figs/corner.png"), "--save", "--plot"),
    "a new folder": ((*FIT, "--plot", "new", "--json", "new"), "--json", "--plot"),
    "a table among figures": (("fit", "figs/table.png", *MAPS, "--plot", "figs"), "--plot", "FILE"),
    "json onto a manifest": ((*SAMPLE, "--json", "chunks/manifest.json"), "--json", "--folder"),
    "save among chunks": ((*SAMPLE, "--save", "chunks/a.nc"), "--save", "--folder"),
    "figures among chunks": ((*SAMPLE, "--plot", "chunks/figs"), "--plot", "--folder"),
    "figures are chunks": ((*SAMPLE, "--plot", "chunks"), "--plot", "--folder"),
    "tree and save": ((*SAMPLE, "--tree", "a.nc", "--save", "a.nc"), "--tree", "--save"),
    "compare": (("compare", "RUNS", *MAPS, "--laws", "Chinchilla,KaplanND", "--json", "RUNS"), "--json", "FILE"),
    "forecast": (("forecast", "RUNS", *MAPS, "--json", "HARD"), "--json", "FILE"),
    "versus": (("versus", "RUNS", *MAPS, "--recipe", "corpus", "--json", "SOFT"), "--json", "FILE"),
    "report": (("report", "RUNS", *MAPS, "--out", "RUNS"), "--out", "FILE"),
    "report twice": (("report", "RUNS", *MAPS, "--json", "report.html"), "--json", "--out"),
    "predict onto its fit": (("predict", "fit.nc", *AT, "--csv", "FIT"), "--csv", "fit.nc"),
    "predict onto its points": (("predict", "fit.nc", "--file", "RUNS", "--json", "RUNS"), "--json", "--file"),
    "plan onto its fit": (("plan", "FIT", "--flops", "1e22", "--json", "fit.nc"), "--json", "FIT"),
    "demo": (("demo", "--out", "figs", "--json", "figs/fit.nc"), "--json", "--out"),
}


@pytest.mark.parametrize("name", CLASHES)
def test_what_is_read_or_written_already_is_refused_before_any_work(name, place):
    arguments, *words = CLASHES[name]
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    refused(invoke(*arguments), ["neither reads nor writes otherwise", *words])
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


def test_a_public_table_on_this_machine_is_an_input_too(place):
    from jaxscale.studies.registry import datasets, local_table

    table = local_table(datasets()["pocket_grid"])
    assert table is not None
    refused(invoke("fit", "data:pocket_grid", "--json", table), ["--json", "FILE", table.name])


def test_what_keeps_nothing_may_be_named_twice(tmp_path):
    """A device is neither lost nor mixed; nor are neighbours in a folder."""
    targets.check(reads={"FILE": os.devnull}, files={"--json": os.devnull}, saves={"--save": os.devnull})
    (tmp_path / "figs").mkdir()
    targets.check(
        reads={"FILE": tmp_path / "a.csv", "--file": None},
        files={"--json": tmp_path / "figs/a.json"},
        saves={"--save": tmp_path / "figs/a.nc"},
        figures={"--plot": tmp_path / "figs"},
        folders={"--folder": tmp_path / "figs/chunks"},
    )


def test_devices_and_pipes_stay_what_they_are(at_once, runs_csv, tmp_path):
    result = invoke("fit", runs_csv, *MAPS, "--json", os.devnull, "--save", os.devnull)
    assert result.exit_code == 0, result.output
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    pipe, heard = tmp_path / "pipe", []
    os.mkfifo(pipe)
    for arguments in (("fit", runs_csv, *MAPS, "--save", pipe), ("laws", "Gadre", "--gallery", pipe)):
        reader = threading.Thread(target=lambda: heard.append(pipe.read_bytes()))
        reader.start()
        assert invoke(*arguments).exit_code == 0
        reader.join()
        assert stat.S_ISFIFO(pipe.stat().st_mode)
    (tmp_path / "kept.nc").write_bytes(heard[0])
    assert load(tmp_path / "kept.nc").fit.value == jaxscale.fit().value
    assert heard[1].startswith(b"<!doctype html>")
    assert heard[1].endswith(b"</html>\n")


class Draws(eqx.Module):
    a: np.ndarray


def report(page: Path, monkeypatch) -> tuple[str, ...]:
    """Arguments of `jaxscale report` whose page is made at once: how it is made is tested beside it."""
    from types import SimpleNamespace as Made

    from jaxscale.report.card import card
    from jaxscale.report.page import page as pages
    from jaxscale.report.views import answer

    found = Made(fit=Made(certificate=Made(certified=True)))
    for module, name, made in (
        (jaxscale, "outlook", found),
        (pages, "subject_of", None),
        (pages, "record", {"answer": "words"}),
        (pages, "render", "<html>"),
        (answer, "severe", []),
        (card, "forecast_card", {}),
    ):
        monkeypatch.setattr(module, name, lambda *_, made=made, **__: made)
    return ("report", "RUNS", *MAPS, "--out", str(page))


# Every file that the package writes, as (what writes it to a path, the file below that path that appears).
def commands(monkeypatch) -> dict[str, Callable[[Path], tuple]]:
    return {
        "fit --json": lambda path: (*FIT, "--json", path),
        "fit --save": lambda path: (*FIT, "--save", path),
        "predict --csv": lambda path: ("predict", "FIT", *AT, "--csv", path),
        "predict --json": lambda path: ("predict", "FIT", *AT, "--json", path),
        "plan --json": lambda path: ("plan", "FIT", "--flops", "1e22", "--json", path),
        "laws --gallery": lambda path: ("laws", "Gadre", "--gallery", path),
        "report --out": lambda path: report(path, monkeypatch),
    }


TROUBLES = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT)


@pytest.mark.parametrize("name", commands(None))
def test_a_disk_that_takes_nothing_is_one_sentence(name, at_once, runs_csv, fit_file, tmp_path, monkeypatch):
    """The old file is as it was, nothing is left beside it, and the words are not lost."""
    path = tmp_path / "target.nc"
    arguments = commands(monkeypatch)[name](path)
    arguments = [{"RUNS": runs_csv, "FIT": fit_file}.get(a, a) for a in arguments]
    path.write_text("old")
    before = listed(tmp_path)
    for call, trouble in zip(("open", "write", "fsync", "replace"), TROUBLES, strict=True):

        def fail(*_, trouble=trouble, **__):
            raise OSError(trouble, os.strerror(trouble))

        with monkeypatch.context() as broken:
            broken.setattr(files.os if call != "open" else Path, call if call != "open" else "touch", fail)
            result = invoke(*arguments)
        assert result.exit_code == 2, result.output
        (sentence,) = result.stderr.strip().splitlines()
        assert f"{path}: expected a place to write, got: {os.strerror(trouble)}; check" in sentence
        assert result.stdout.strip()
        assert path.read_text() == "old"
        assert listed(tmp_path) == before
    assert invoke(*arguments).exit_code == 0
    assert path.read_bytes() != b"old"
    assert listed(tmp_path) == before


def figure() -> Figure:
    made = Figure()
    made.subplots().plot([0, 1], [1, 0])
    return made


WRITERS: dict[str, Callable[[Path], object]] = {
    "figures": lambda folder: output.write_figures(folder / "new", [("a", figure()), ("b", figure())]),
    "figures in a folder": lambda folder: output.write_figures(folder, [("a", figure())]),
    "posterior.nc": lambda folder: write_tree(folder / "a.nc", xr.DataTree(xr.Dataset({"x": ("t", np.arange(3.0))}))),
    "manifest": lambda folder: Folder(folder, {"key": 1}),
    "chunk": lambda folder: Folder(folder, {}).get(0, 3, lambda: Draws(np.arange(3)), Draws),
}


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("name", WRITERS)
def test_no_writer_leaves_a_half(name, trouble, tmp_path, monkeypatch):
    if name == "chunk":
        Folder(tmp_path, {})
    before = listed(tmp_path)
    for call in ("write", "fsync", "replace"):

        def fail(*_, **__):
            raise OSError(trouble, os.strerror(trouble))

        with monkeypatch.context() as broken:
            broken.setattr(os, call, fail)
            with pytest.raises(BadInput, match=f": expected a place to write, got: {os.strerror(trouble)}"):
                WRITERS[name](tmp_path)
        assert listed(tmp_path) == before
    WRITERS[name](tmp_path)
    assert listed(tmp_path) != before
    assert not [path for path in listed(tmp_path) if ".part" in path]


def test_zarr_leaves_no_half(tmp_path, monkeypatch):
    pytest.importorskip("zarr", reason="zarr is no dependency")
    tree = xr.DataTree(xr.Dataset({"x": ("t", np.arange(3.0))}))
    for call in ("write", "fsync", "replace"):

        def full(*_, **__):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as broken:
            broken.setattr(os, call, full)
            with pytest.raises(BadInput, match=r"a\.zarr: expected a place to write, got: No space left"):
                write_tree(tmp_path / "a.zarr", tree)
        assert listed(tmp_path) == []


def test_one_file_that_is_lost_costs_no_other(at_once, runs_csv, tmp_path, monkeypatch):
    whole = files.write

    def lost(path, content):
        if str(path).endswith(".nc"):
            raise BadInput(f"{path}: lost")
        whole(path, content)

    monkeypatch.setattr(files, "write", lost)
    result = invoke("fit", runs_csv, *MAPS, *("--save", tmp_path / "a.nc", "--json", tmp_path / "a.json"))
    assert result.exit_code == 2
    assert result.stderr == f"jaxscale: {tmp_path}/a.nc: lost\n"
    assert json.loads((tmp_path / "a.json").read_text())["law"] == "Chinchilla"
    assert "Chinchilla" in result.stdout


def test_every_command_writes_before_it_speaks():
    """By its source: whatever is put stands before whatever is said."""
    for source in (Path(cli.__file__).parent / "commands").glob("[!_]*.py"):
        text = source.read_text()
        puts = [found.start() for found in re.finditer(r"\bput\(|write_json\(", text)]
        words = [found.start() for found in re.finditer(r"output\.(say|notes)\(|\b(out|shown)\.print\(", text)]
        if "put(" in text:
            assert max(puts) < min(words), source.name


# Each command has a stdout that nobody reads; one process for all, as an import costs seconds.
UNHEARD = """
import json, os, resource, sys
import jaxscale
from jaxscale.cli.app import app
from jaxscale.report.store.store import load

folder, table, maps = sys.argv[1], sys.argv[2], sys.argv[3:]
kept = f"{folder}/fit.nc"
found = load(kept).fit
jaxscale.fit = lambda *_, **__: found
commands = {
    "fit": ["fit", table, *maps, "--save", f"{folder}/a.nc", "--json", f"{folder}/a.json"],
    "predict": ["predict", kept, "--at", "N=1e9,D=2e10", "--csv", f"{folder}/a.csv", "--json", f"{folder}/b.json"],
    "plan": ["plan", kept, "--flops", "1e22", "--json", f"{folder}/c.json"],
    "laws": ["laws", "Gadre", "--gallery", f"{folder}/a.html"],
    "limited": ["fit", table, *maps, "--save", f"{folder}/limited.nc"],
    "stdout": ["laws", "Gadre", "--gallery", "/dev/stdout"],
}
status, told = {}, os.dup(1)
for name, arguments in commands.items():
    reads, writes = os.pipe()
    os.dup2(writes, 1)
    os.close(writes)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(f"{folder}/{name}.err", "w")
    if name == "limited":
        resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, resource.RLIM_INFINITY))
    else:
        os.close(reads)
    try:
        app(arguments)
    except SystemExit as left:
        status[name] = left.code
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    sys.stderr.close()
os.write(told, json.dumps(status).encode())
os._exit(0)
"""


PRECISION = {"JAX_ENABLE_X64": str(int(jax.dtypes.canonicalize_dtype(float) == np.float64))}


def test_nobody_listening_costs_no_file(simulated_fit, runs_csv, tmp_path):
    """As in `jaxscale ... | head -0`; and a disk that is full for real, which once took the process with it."""
    save(tmp_path / "fit.nc", *simulated_fit)
    (tmp_path / "limited.nc").write_text("old")
    done = subprocess.run(
        [sys.executable, "-c", UNHEARD, str(tmp_path), str(runs_csv), *MAPS],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **PRECISION, "JAX_COMPILATION_CACHE_DIR": str(jax.config.jax_compilation_cache_dir)},
    )
    assert done.returncode == 0, done.stderr
    said = {name: (tmp_path / f"{name}.err").read_text() for name in json.loads(done.stdout)}
    status = json.loads(done.stdout)
    assert status.pop("limited") == 2
    assert "limited.nc: expected a place to write, got: File too large" in said.pop("limited")
    assert (tmp_path / "limited.nc").read_text() == "old"
    assert status.pop("stdout") == 141  # 128 and SIGPIPE
    assert "jaxscale:" not in said["stdout"]
    assert said.pop("stdout").startswith("about  law")  # the words, as stdout was to carry the page alone
    assert set(said.values()) == {""}
    assert set(status.values()) <= {1, 141}  # as the console, or a shell, tells of a reader that left
    assert load(tmp_path / "a.nc").fit.value == simulated_fit[0].value
    for name in "abc":
        assert json.loads((tmp_path / f"{name}.json").read_text())
    assert (tmp_path / "a.csv").read_text().startswith("N,D,loss")
    assert (tmp_path / "a.html").read_text().endswith("</html>\n")
    assert not [name for name in listed(tmp_path) if ".part" in name]
