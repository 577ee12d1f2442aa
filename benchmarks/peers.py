"""Peers run from the package index, each in an environment that uv makes for it."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.clocks import child
from benchmarks.recipe import HuberSum
from benchmarks.workload import Workload, optimal_params

_SCRIPTS = Path(__file__).resolve().parent / "peer_scripts"
PINNED = {
    "simple_scaling_laws_fit": "simple-scaling-laws==0.2.0",
    "chinchilla_fit": "chinchilla==0.2.0",
    "autograd_recipe": "autograd==1.9.1 scipy",
    "pymc_nutpie": "pymc==6.4.0 nutpie==0.16.11",
    "simple_scaling_laws_forecast": "simple-scaling-laws==0.2.0",
    "chinchilla_forecast": "chinchilla==0.2.0",
}


def available() -> bool:
    """Whether uv is there to make environments with."""
    return shutil.which("uv") is not None


def run(script: str, data: Workload, argument: int) -> dict[str, Any]:
    """One peer script on `data`. Its first call downloads; what it times itself does not include that."""
    with tempfile.TemporaryDirectory() as folder:
        return call(script, str(data.write(Path(folder) / "runs.csv")), str(argument))


def call(script: str, *arguments: str) -> dict[str, Any]:
    """What one peer script prints, and its package. Raises `RuntimeError` where it fails."""
    wanted = [flag for package in PINNED[script].split() for flag in ("--with", package)]
    command = ["uv", "run", "--quiet", "--no-project", "--python", sys.executable, *wanted, "python"]
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    return {"package": PINNED[script], **child([*command, str(_SCRIPTS / f"{script}.py"), *arguments], one_thread)}


def judged(found: dict[str, Any], data: Workload) -> dict[str, Any]:
    """A peer's answer with the published objective at its parameters and the N it would train at 1e24 FLOP."""
    p = found["params"]
    point = np.array([np.log(p["A"]), np.log(p["B"]), np.log(p["E"]), p["alpha"], p["beta"]])
    return {
        **found,
        "huber_sum": HuberSum(data).value(point),
        "optimal_params_1e24": optimal_params(p["A"], p["B"], p["alpha"], p["beta"]),
    }
