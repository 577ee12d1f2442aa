"""Every measurement in one run: `collect` gives the record that is written, `markdown` the table that is printed."""

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import jax
import numpy as np

from benchmarks import accuracy, peers, recipe
from benchmarks.clocks import clock, interleaved, machine, module
from benchmarks.workload import DRAWS, HOFFMANN, Workload, optimal_params, workload
from jaxscale.infer.fit.fit import Fit, fit
from jaxscale.infer.resample.bootstrap import bootstrap
from jaxscale.laws.loss.hoffmann2022 import Chinchilla

_TWO = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}


def collect(parts: tuple[str, ...], *, sample: int, repeats: int, full: bool) -> Iterator[tuple[str, Any]]:
    """(part, record) for every part asked for. `full` runs all 4,000 SciPy solves and 1e6 draws."""
    data = workload()
    yield "machine", {**machine(), "load": os.getloadavg()[0], "data": data.label}
    fitted = fit(Chinchilla(), data.runs())
    makers: dict[str, Callable[[], Any]] = {
        "fit": lambda: _fit(fitted, data),
        "bootstrap": lambda: _bootstrap(fitted, data, sample, repeats),
        "accuracy": lambda: _accuracy(fitted, data, full),
        "cold": _cold,
        "catalogue": lambda: module("catalogue"),
        "devices": _devices,
        "scaling": lambda: _scaling(full),
        "peers": lambda: _peers(data),
        "posterior": lambda: module("posterior", str(repeats), environment=_TWO),
        "bagged": lambda: module("bagged", "1000", str(repeats), "3", environment=_TWO),
    }
    for part in parts:
        yield part, makers[part]()


PARTS = ("fit", "bootstrap", "accuracy", "cold", "catalogue", "devices", "scaling", "peers", "posterior", "bagged")


def _fit(fitted: Fit, data: Workload) -> dict[str, Any]:
    cost = interleaved(5, fit=lambda _: fit(Chinchilla(), data.runs()))["fit"]
    p = {name: float(value) for name, value in fitted.params.items()}
    return {
        "cost": asdict(cost),
        "value": fitted.value,
        "certified": fitted.certificate.certified,
        "params": p,
        "optimal_params_1e24": optimal_params(p["A"], p["B"], p["alpha"], p["beta"]),
    }


def _bootstrap(fitted: Fit, data: Workload, sample: int, repeats: int) -> dict[str, Any]:
    """jaxscale's 4,000 draws and a sample of each SciPy loop, in turn; loops extrapolated linearly to 4,000."""
    with clock() as first:
        jax.block_until_ready(bootstrap(fitted, DRAWS))
    rows, autograd = recipe.resamples(len(data.loss), sample), []

    def with_autograd(_: int) -> None:
        autograd.append(peers.run("autograd_recipe", data, sample))

    tasks = {
        "jaxscale": lambda r: jax.block_until_ready(bootstrap(fitted, DRAWS, key=r + 1)),
        "analytic": lambda _: recipe.bootstrap(data, HOFFMANN, rows, "analytic"),
        "finite differences": lambda _: recipe.bootstrap(data, HOFFMANN, rows, "finite differences"),
    }
    if peers.available():
        tasks["autograd process"] = with_autograd
    costs = {name: asdict(cost) for name, cost in interleaved(repeats, **tasks).items()}
    costs.pop("autograd process", None)
    if autograd:  # its own clock, without the start of the process
        costs["autograd from Hoffmann's point"] = {
            name: min(found[name] for found in autograd) for name in ("wall", "cpu")
        }
    ours = costs["jaxscale"]
    loops = {}
    for name, cost in costs.items():
        if name != "jaxscale":
            whole = {clock: cost[clock] * DRAWS / sample for clock in ("wall", "cpu")}
            loops[name] = {
                "sample": sample,
                "extrapolated": whole,
                "times_slower": {clock: whole[clock] / ours[clock] for clock in ("wall", "cpu")},
            }
    return {"draws": DRAWS, "first_call": asdict(first), "compiled": ours, "scipy": loops}


def _accuracy(fitted: Fit, data: Workload, full: bool) -> dict[str, Any]:
    drawn = bootstrap(fitted, DRAWS, key=7)
    found = {
        "lanes": accuracy.lanes(fitted, drawn, data, key=7),
        "failed": drawn.failed,
        "standard_errors": accuracy.errors(drawn.ok().params()),
    }
    rows = recipe.resamples(len(data.loss), DRAWS if full else 200)
    points, values = recipe.bootstrap(data, HOFFMANN, rows)
    exact = np.array([_weighted(data, drawn_rows) for drawn_rows in rows[:50]])
    found["recipe"] = {
        "draws": len(rows),
        "standard_errors": accuracy.errors(accuracy.natural(points)),
        "excess": {
            "median": float(np.median(values[:50] / exact - 1)),
            "worst": float(np.max(values[:50] / exact - 1)),
        },
    }
    return found


def _weighted(data: Workload, rows: np.ndarray) -> float:
    """The optimum of one of the recipe's own resamples, by jaxscale, through weights."""
    runs = data.runs()
    weight = np.bincount(rows, minlength=len(data.loss)).astype(float)
    keep = weight > 0
    one = type(runs).of({"N": data.N[keep], "D": data.D[keep]}, data.loss[keep], weight=weight[keep])
    p = {name: float(value) for name, value in fit(Chinchilla(), one).params.items()}
    point = np.array([np.log(p["A"]), np.log(p["B"]), np.log(p["E"]), p["alpha"], p["beta"]])
    return recipe.HuberSum(data, weight).value(point)


def _cold() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        module("cold", str(DRAWS), folder)
        return {"no cache": module("cold", str(DRAWS)), "filled cache": module("cold", str(DRAWS), folder)}


def _devices() -> dict[str, Any]:
    one, two = module("scale", "240", str(DRAWS)), module("scale", "240", str(DRAWS), environment=_TWO)
    speed_up = one["bootstrap"]["wall"] / two["bootstrap"]["wall"]
    return {"one": one, "two": two, "same_bits": one["digest"] == two["digest"], "speed_up": speed_up}


def _scaling(full: bool) -> dict[str, Any]:
    draws = [10**k for k in range(3, 7 if full else 6)]
    return {
        "draws": [module("scale", "240", str(n)) for n in draws],
        "runs": [module("scale", str(10**k), "0") for k in range(2, 7)],
        "runs, 1000 draws": [module("scale", str(10**k), "1000") for k in range(2, 5)],
    }


def _peers(data: Workload) -> dict[str, Any]:
    if not peers.available():
        return {}
    found = {"simple_scaling_laws_fit": DRAWS, "chinchilla_fit": 3}
    return {script: peers.judged(peers.run(script, data, argument), data) for script, argument in found.items()}
