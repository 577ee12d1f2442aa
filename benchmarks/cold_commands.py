"""The command line with an empty compilation cache: `fit` and `forecast` of the 240 runs, beside other checkouts.

Run as `python -m benchmarks.cold_commands [repeats] [checkout ...]`: each further checkout of the repository, an
earlier commit say, takes its turn on the same machine. Prints one JSON object: of every command the least wall and CPU
seconds of each checkout, and their ratios to the last one's.
"""

import json
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.clocks import ROOT, interleaved
from benchmarks.workload import workload

COMMANDS = {"fit": ("--law", "Chinchilla"), "forecast": ("--at", "N=1e11,D=2e12")}


def run(checkout: Path, command: str, table: Path, _: int) -> None:
    """One command in a process of its own, which compiles all that it needs."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "JAXSCALE_NO_CACHE": "1"}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    arguments = [sys.executable, "-c", "from jaxscale.cli import main; main()", command, str(table), *COMMANDS[command]]
    done = subprocess.run(arguments, env=environment, cwd=checkout, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{checkout}: {command} ended with {done.returncode}: {done.stderr[-2000:]}")


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    checkouts = [ROOT, *(Path(x).resolve() for x in sys.argv[2:])]
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        table = workload().write(Path(folder) / "runs.csv")
        for command in COMMANDS:
            costs = interleaved(repeats, **{str(c): partial(run, c, command, table) for c in checkouts})
            last = costs[str(checkouts[-1])]
            found[command] = {
                checkout: {"wall": c.wall, "cpu": c.cpu, "ratios": (c.wall / last.wall, c.cpu / last.cpu)}
                for checkout, c in costs.items()
            }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
