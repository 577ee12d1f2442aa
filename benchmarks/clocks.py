"""Clocks: wall and CPU seconds, peak memory, load, the machine's name for a file."""

import json
import os
import platform
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Cost:
    """Seconds by the clock, CPU seconds of this process and of its ended children, and the load average before."""

    wall: float = 0.0
    cpu: float = 0.0
    load: float = 0.0


def _cpu() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(u.ru_utime + u.ru_stime for u in used)


@contextmanager
def clock() -> Iterator[Cost]:
    """`with clock() as cost: ...` fills in `cost` at the end."""
    cost, cpu = Cost(load=os.getloadavg()[0]), _cpu()
    wall = time.perf_counter()
    yield cost
    cost.wall, cost.cpu = time.perf_counter() - wall, _cpu() - cpu


def least(costs: Sequence[Cost]) -> Cost:
    """The least wall and the least CPU seconds of repeats (each on its own), at the greatest load seen."""
    return Cost(min(c.wall for c in costs), min(c.cpu for c in costs), max(c.load for c in costs))


def interleaved(repeats: int, **tasks: Callable[[int], Any]) -> dict[str, Cost]:
    """Every task once per repeat, in turn, so that the machine's other work falls on all alike."""
    costs: dict[str, list[Cost]] = {name: [] for name in tasks}
    for repeat in range(repeats):
        for name, task in tasks.items():
            with clock() as cost:
                task(repeat)
            costs[name].append(cost)
    return {name: least(found) for name, found in costs.items()}


def child(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A process of its own that prints one JSON object last; its cost is added as `process`.

    Raises `RuntimeError` with the end of its error output when it fails.
    """
    with clock() as cost:
        done = subprocess.run(
            arguments, cwd=ROOT, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments[1:])}: exit status {done.returncode}: {done.stderr[-800:]}")
    return {**json.loads(done.stdout.strip().splitlines()[-1]), "process": asdict(cost)}


def module(name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """`child` for a module of this package, in this interpreter, with float64."""
    return child(
        [sys.executable, "-m", f"benchmarks.{name}", *arguments], {"JAX_ENABLE_X64": "1", **(environment or {})}
    )


def peak_mebibytes() -> float:
    """Greatest resident memory of this process so far, in MiB."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / 2**20 if sys.platform == "darwin" else size / 2**10


def machine() -> dict[str, Any]:
    """CPU model, core count and software versions; no host name, no path."""
    from importlib.metadata import version

    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = re.findall(r"model name\s*:\s*(.+)", cpuinfo.read_text())
        model = names[0] if names else model
    packages = {name: version(name) for name in ("jax", "jaxlib", "equinox", "numpy", "scipy")}
    return {"cpu": model, "cores": os.cpu_count(), "python": platform.python_version(), "packages": packages}


def slug(found: Mapping[str, Any]) -> str:
    """A file name from CPU model and core count."""
    plain = re.sub(r"\((r|tm)\)", "", f"{found['cpu']}", flags=re.IGNORECASE)
    return re.sub(r"[^a-z0-9]+", "-", f"{plain} {found['cores']} cores".lower()).strip("-")
