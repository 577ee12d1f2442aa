"""Precision by environment, strict promotion, data where it lies.

`JAXSCALE_X64=0` runs the suite in float32; the default is float64. `JAXSCALE_DATA_DIR` names the folder
of public measurements; tests that need it skip, saying so, where it is not set. Nearly all of a first run is JAX
tracing and XLA compiling programs that then run for milliseconds. So LLVM optimises none of them, unless `XLA_FLAGS`
says otherwise (`.ci/run` does for solver and laws in float32, and for slow reproductions), and both
workers, and the next run, share what is compiled through a folder in `.pytest_cache`.
"""

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.monitoring
import pytest

gc.set_threshold(50_000, 20, 20)  # tracing makes many short-lived objects: Python's own settings cost 3 % of a run

FLAGS = os.environ.get("XLA_FLAGS", "")
if "xla_backend_optimization_level" not in FLAGS:  # read when jax first looks for a device
    os.environ["XLA_FLAGS"] = f"{FLAGS} --xla_backend_optimization_level=0".strip()

X64 = os.environ.get("JAXSCALE_X64", "1") != "0"
jax.config.update("jax_enable_x64", X64)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
# An entry is named by its program, the flags and the versions, so an old one is never taken for a new one.
jax.config.update("jax_compilation_cache_dir", str(Path(__file__).parents[1] / ".pytest_cache" / "xla"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


MAPS, ALLOWED = Path("/proc/self/maps"), Path("/proc/sys/vm/max_map_count")  # of Linux alone


@pytest.fixture(scope="module", autouse=True)
def few_programs() -> Iterator[None]:
    """Every compiled program maps memory, and a process may hold so many maps: one worker for all tests crashed."""
    yield
    if MAPS.is_file() and 2 * MAPS.read_bytes().count(b"\n") > int(ALLOWED.read_text()):
        jax.clear_caches()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    slow_asked = "slow" in (config.option.markexpr or "")
    for item in items:
        if "slow" in item.keywords and not slow_asked:
            item.add_marker(pytest.mark.skip(reason="slow reproduction: run with -m slow"))
        if "x64" in item.keywords and not X64:
            item.add_marker(pytest.mark.skip(reason="needs float64: run with JAXSCALE_X64=1"))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of public measurements, or a skip that says how to get it."""
    folder = os.environ.get("JAXSCALE_DATA_DIR")
    if not folder or not Path(folder).is_dir():
        pytest.skip("JAXSCALE_DATA_DIR is not set to a folder of public measurements")
    return Path(folder)


@pytest.fixture
def beside(request: pytest.FixtureRequest) -> Callable[[str, object, object], None]:
    """`beside(what, ours, published)`: a line of the table that ends the run, which shows both numbers."""

    def note(what: str, ours: object, published: object) -> None:
        # Reports carry user properties from the workers to the terminal.
        request.node.user_properties.append(("beside", (request.node.path.stem, what, f"{ours}", f"{published}")))

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [r for category in ("passed", "failed") for r in terminalreporter.stats.get(category, [])]
    lines = [tuple(row) for r in reports if r.when == "call" for key, row in r.user_properties if key == "beside"]
    if lines:
        terminalreporter.section("reproductions: ours | published")
        for where, what, ours, published in sorted(dict.fromkeys(lines)):
            terminalreporter.write_line(f"{where.removeprefix('test_')}: {what}: {ours} | {published}")


@pytest.fixture
def eps() -> float:
    """Rounding unit of the precision under test; tolerances are multiples of it."""
    return float(jax.numpy.finfo(jax.dtypes.canonicalize_dtype(float)).eps)


@pytest.fixture
def compiles_counted() -> Callable[[], AbstractContextManager[list[str]]]:
    """A context that gives the names of the compilation events inside its block."""

    @contextmanager
    def counted() -> Iterator[list[str]]:
        seen: list[str] = []

        def listen(event: str, seconds: float, **_: Any) -> None:
            if event.endswith("backend_compile_duration"):
                seen.append(event)

        jax.monitoring.register_event_duration_secs_listener(listen)
        try:
            yield seen
        finally:
            jax.monitoring.unregister_event_duration_listener(listen)

    return counted
