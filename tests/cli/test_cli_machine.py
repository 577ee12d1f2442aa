"""What is no fault of jaxscale does not end as one: settings of JAX, nobody who reads, a full disk, Ctrl-C, no draw."""

import gc
import importlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import jaxscale
from jaxscale.cli import main
from jaxscale.cli.interrupt import heard
from jaxscale.cli.machine import cause
from jaxscale.core.ensemble import Ensemble
from jaxscale.core.results import RESULTS

from .conftest import MAPS, invoke, refused

versus = importlib.import_module("jaxscale.plan.recipes.versus")  # the room has a function of this name

RUN = (sys.executable, "-m", "jaxscale")


def run(*arguments: str, stdout: int | None = subprocess.PIPE, **settings: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("XLA_FLAGS", "JAX_PLATFORMS")}
    return subprocess.run(
        [*RUN, *arguments],
        env=kept | settings,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"JAX_ENABLE_X64": "maybe"}, ["JAX_ENABLE_X64", "maybe"]),
        ({"XLA_FLAGS": "--no_such_flag=1"}, ["XLA_FLAGS", "--no_such_flag=1"]),
        ({"JAX_PLATFORMS": "abacus"}, ["JAX_PLATFORMS=abacus", "abacus"]),
    ],
)
def test_a_setting_that_jax_refuses_is_a_sentence(settings: dict[str, str], words: list[str], runs_csv: Path) -> None:
    found = run("fit", str(runs_csv), *MAPS, **settings)
    assert found.returncode == 2, found.stderr
    assert found.stdout == ""
    assert len(found.stderr.strip().splitlines()) == 1
    for word in words:
        assert word in found.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_nobody_reads_or_the_disk_is_full() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    closed = run("laws", stdout=writing)
    os.close(writing)
    assert (closed.returncode, closed.stderr) == (141, "")
    full = os.open("/dev/full", os.O_WRONLY)
    found = run("laws", stdout=full)
    os.close(full)
    assert found.returncode == 2
    assert found.stderr == "jaxscale: stdout: No space left on device; print elsewhere\n"


def test_memory_is_the_machine_s() -> None:
    xla = RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 99 bytes")
    for error in (MemoryError(), xla, np.linalg.LinAlgError("no")):
        why = cause(error)
        assert (why is None) == isinstance(error, np.linalg.LinAlgError)
        assert why is None or "fewer draws" in why


def dropped_in_a_finaliser() -> None:
    class Gone:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    Gone()


def dropped_in_the_garbage_collector() -> None:
    def called(*_: object) -> None:
        gc.callbacks.remove(called)
        signal.raise_signal(signal.SIGINT)

    gc.callbacks.append(called)
    gc.collect()


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize("drop", [dropped_in_a_finaliser, dropped_in_the_garbage_collector])
def test_ctrl_c_is_heard_where_python_drops_it(drop: Callable[[], None]) -> None:
    assert threading.current_thread() is threading.main_thread()

    def long() -> None:
        with heard():
            drop()
            time.sleep(5)

    with pytest.raises(KeyboardInterrupt):
        long()


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize("seed", range(2))
def test_ctrl_c_ends_a_command_with_a_word_and_no_file(seed: int, runs_csv: Path, tmp_path: Path) -> None:
    target = tmp_path / "f.json"
    command = [*RUN, "fit", str(runs_csv), *MAPS, "--bootstrap", "20000", "--json", str(target)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(random.Random(seed).uniform(2, 4))
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    # Python itself ends by the signal where it passed through `exec` of a text; a shell calls that 130 too.
    assert process.returncode in (130, -signal.SIGINT), said
    assert said == "jaxscale: interrupted; no file is left half written\n"
    assert list(tmp_path.iterdir()) == []


class Interrupting:
    """Ctrl-C where Python looks for a module."""

    def __init__(self, name: str) -> None:
        self.name = name

    def find_spec(self, name: str, *_: object) -> None:
        if name == self.name:
            raise KeyboardInterrupt


class AsNumPy(Interrupting):
    """Ctrl-C where a module written in C begins, as NumPy's and JAX's tell of it."""

    def find_spec(self, name: str, *more: object) -> None:
        try:
            super().find_spec(name, *more)
        except KeyboardInterrupt as stopped:
            raise ImportError("Encountered an error while initializing the extension.") from stopped


@pytest.mark.parametrize("kind", [Interrupting, AsNumPy])
@pytest.mark.parametrize("module", ["jaxscale.cli.guard", "jaxscale.cli.app", "jaxscale.cli.process"])
def test_ctrl_c_ends_imports_with_a_word(
    module: str,
    kind: type[Interrupting],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["jaxscale", "laws"])
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr(sys, "meta_path", [kind(module), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert capsys.readouterr() == ("", "jaxscale: interrupted; no file is left half written\n")


@pytest.mark.parametrize("kind", [Interrupting, AsNumPy])
def test_ctrl_c_ends_imports_of_a_command_with_a_word(
    kind: type[Interrupting], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "jaxscale.laws")
    monkeypatch.setattr(sys, "meta_path", [kind("jaxscale.laws"), *sys.meta_path])
    result = invoke("laws")
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr == "jaxscale: interrupted; no file is left half written\n"


def test_nothing_that_takes_long_is_imported_before_ctrl_c_is_heard() -> None:
    seen = "import sys, jaxscale.cli; print([m for m in ('typer', 'rich', 'numpy', 'jax') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_fit_whose_every_draw_failed_is_told_without_intervals(
    runs_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = jaxscale.bootstrap

    def failing(*arguments: object, **options: object) -> Ensemble:
        found = made(*arguments, **options)  # type: ignore[arg-type]
        code = jnp.full_like(found.code, int(RESULTS.singular))
        return Ensemble(found.law, found.value, code, found.method, found.remarks)

    monkeypatch.setattr(jaxscale, "bootstrap", failing)
    target = tmp_path / "fit.json"
    result = invoke("fit", runs_csv, "--law", "chinchilla", *MAPS, "--bootstrap", "64", "--json", target)
    assert result.exit_code == 0, result.output
    assert "No intervals: of the refits there converged none of 64. The curvature is singular" in result.stdout
    assert any("No intervals" in remark for remark in json.loads(target.read_text())["warnings"])


@pytest.mark.parametrize("command", ["demo", "versus"])
def test_no_draw_left_is_a_sentence(
    command: str, runs_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where every refit failed, or no pair of them is there, a command that answers with them alone has no answer."""
    made = jaxscale.bootstrap
    codes: list[list[RESULTS]] = [[RESULTS.singular] * 8] * 2

    def failing(*arguments: object, **options: object) -> Ensemble:
        found = made(*arguments, **options)  # type: ignore[arg-type]
        return Ensemble(found.law, found.value, jnp.asarray(codes.pop(0), jnp.int32), found.method, found.remarks)

    monkeypatch.setattr(jaxscale, "bootstrap", failing)
    monkeypatch.setattr(versus, "bootstrap", failing)
    options = {
        "demo": ("--out", tmp_path / "demo", "--bootstrap", "8"),
        "versus": (runs_csv, *MAPS, "--recipe", "corpus", "--bootstrap", "8", "--starts", "4"),
    }[command]
    refused(invoke(command, *options), ["expected draws that converged, got none of 8. The curvature is singular"])
    assert not (tmp_path / "demo").exists()
    if command == "versus":  # each recipe has draws, of which no two are of one resample
        codes += [[RESULTS.converged] * 4 + [RESULTS.singular] * 4, [RESULTS.singular] * 4 + [RESULTS.converged] * 4]
        refused(invoke(command, *options), ["expected draws that converge for both recipes, got 0 of 8"])


def test_refits_of_noise_without_end_are_told_without_a_warning(tmp_path: Path) -> None:
    """Their squares are more than a float holds. Warnings are errors here."""
    draw = np.random.default_rng(3)
    N = np.repeat(np.geomspace(1e7, 1e9, 6), 4)
    loss = np.exp(draw.normal(1, 0.5, 24))
    rows = [f"{n:.6g},{n * r:.6g},{x:.4f}" for n, r, x in zip(N, [5, 10, 20, 40] * 6, loss, strict=True)]
    (tmp_path / "noise.csv").write_text("\n".join(["N,D,loss", *rows]))
    columns = ("--map", "N=N", "--map", "D=D", "--map", "loss=loss[nats]")
    files = ("--json", tmp_path / "f.json", "--plot", tmp_path / "f")
    result = invoke("fit", tmp_path / "noise.csv", *columns, "--bootstrap", "64", *files)
    assert result.exit_code in (0, 1), result.output
    errors = json.loads((tmp_path / "f.json").read_text())["bootstrap"]["standard_errors"]
    largest = max(value for value in errors.values() if value is not None)
    assert largest > np.sqrt(float(jnp.finfo(jnp.zeros(()).dtype).max))


def test_runs_of_noise_alone_are_drawn(tmp_path: Path) -> None:
    """A law without any slope has no contours; the figure is made all the same."""
    draw = np.random.default_rng(7)
    path = tmp_path / "noise.csv"
    N, D = 10 ** draw.uniform(7, 9, 20), 10 ** draw.uniform(9, 11, 20)
    loss = 2.5 * np.exp(0.02 * draw.standard_normal(20))
    rows = [f"{n:.6g},{d:.6g},{x:.4f}" for n, d, x in zip(N, D, loss, strict=True)]
    path.write_text("\n".join(["N,D,loss", *rows]))
    result = invoke("fit", path, "--map", "N=N", "--map", "D=D", "--map", "loss=loss[nats]", "--plot", tmp_path / "f")
    assert result.exit_code in (0, 1), result.output
    assert (tmp_path / "f" / "contours.png").is_file()
