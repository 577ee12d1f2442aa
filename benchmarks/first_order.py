"""Where first order is the better one: a joint surface of many groups, by solver and number of parameters.

`python -m benchmarks.first_order` writes `results/first_order.md`, one process per size; with a number of groups it is
that process and prints one JSON object. Every group is a Chinchilla surface with E, A and B of its own and ten runs;
exponents are shared, so that there are 3 G + 2 parameters. All solvers begin at the same five starts, in the same
whitened coordinates; SciPy takes them one by one.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize

from benchmarks.clocks import clock, least, machine, module
from jaxscale.compose.pooled import Pooled
from jaxscale.core.runs import Runs
from jaxscale.infer.search.problem import FitProblem
from jaxscale.infer.search.search import curvature, search
from jaxscale.infer.search.starts import first_starts
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.objectives.model import Model
from jaxscale.objectives.penalty import log_huber
from jaxscale.solve.chart import Charted, chart_at
from jaxscale.solve.first_order import LBFGS, Adam
from jaxscale.solve.gauss_newton import GaussNewton
from jaxscale.solve.problem import split

GROUPS = (3, 10, 20, 50, 100, 200)
STARTS, RUNS, NOISE = 4, 10, 0.005
_PATH = Path(__file__).resolve().parent / "results" / "first_order.md"
_SAID = (
    "Joint Chinchilla surfaces (`Pooled`): E, A and B of every group's own, exponents shared, ten runs a group, noise "
    ".5 %, log-huber:1e-3. All solvers begin at the same five starts in the same whitened coordinates, and ours end in "
    "the same Newton steps, whose time is counted; SciPy takes starts one by one, with gradients compiled by JAX."
)
_SOLVERS = {
    "Gauss-Newton": GaussNewton(max_steps=500),
    "L-BFGS": LBFGS(max_steps=3000),
    "Adam, cosine decay over 5,000 steps": Adam(),
}


def joint(groups: int, seed: int = 0) -> FitProblem:
    """`groups` surfaces with shared exponents, ten noisy runs each."""
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(groups), RUNS)
    N, D = 10 ** rng.uniform(7, 10, of.size), 10 ** rng.uniform(9, 11.5, of.size)
    E, A, B = (c * np.exp(w * rng.standard_normal(groups)) for c, w in ((1.7, 0.2), (400, 0.3), (2000, 0.3)))
    loss = (E[of] + A[of] * N**-0.34 + B[of] * D**-0.36) * np.exp(NOISE * rng.standard_normal(of.size))
    law = Pooled(Chinchilla(), ("E", "A", "B"), tuple(f"g{i}" for i in range(groups)))
    return FitProblem.of(split(Model(law, log_huber())), Runs.of({"N": N, "D": D}, loss, group=of).padded())


def scipy_solves(problem: FitProblem, z: np.ndarray) -> Callable[[], tuple[list[float], list[int]]]:
    """SciPy's L-BFGS-B from every start, with gradients by JAX, tight, in the same whitened coordinates."""
    at = jnp.asarray(z[1])
    chart = chart_at(at, curvature(problem, at, jnp.asarray(1.0)))
    seen = Charted(problem, chart)
    both = jax.jit(lambda y: jax.value_and_grad(seen.value)(y))
    options = {"maxiter": 10**4, "maxfun": 10**5, "ftol": 1e-15, "gtol": 1e-7}

    def value(y: np.ndarray) -> tuple[float, np.ndarray]:
        f, g = both(jnp.asarray(y))
        return float(f), np.asarray(g)

    def run() -> tuple[list[float], list[int]]:
        ends = [minimize(value, y, jac=True, method="L-BFGS-B", options=options) for y in chart.inverse(z)]
        return [float(e.fun) for e in ends], [int(e.nit) for e in ends]

    return run


def one(groups: int) -> dict[str, Any]:
    """All solvers on one size: seconds of the first call and of a later one, and the values reached."""
    problem = joint(groups)
    found: dict[str, Any] = {"groups": groups, "parameters": len(problem.split.names()), "runs": groups * RUNS}
    with clock() as first:
        z = first_starts(problem, STARTS, 0)
    found["starts"] = asdict(first)
    tasks: dict[str, Callable[[], tuple[list[float], list[int]]]] = {}
    for name, solver in _SOLVERS.items():

        def ours(solver: Any = solver) -> tuple[list[float], list[int]]:
            ends, best = search(problem, z, solver)
            jax.block_until_ready(best.polished.value)
            return list(map(float, ends.value)), list(map(int, ends.steps))

        tasks[name] = ours
    tasks["SciPy L-BFGS-B"] = scipy_solves(problem, z)
    rows: dict[str, dict[str, Any]] = {}
    for name, task in tasks.items():
        with clock() as cold:
            values, steps = task()
        rows[name] = {"first": asdict(cold), "values": values, "steps": steps, "later": []}
    for _ in range(3 if groups < 100 else 1):  # in turn, so that the machine's other work falls on all alike
        for name, task in tasks.items():
            with clock() as cost:
                task()
            rows[name]["later"].append(cost)
    best = min(min(row["values"]) for row in rows.values())
    for row in rows.values():
        row["later"] = asdict(least(row["later"]))
        row["excess"] = min(row["values"]) / best - 1
        row["reached"] = int(np.sum(np.asarray(row["values"]) <= best * (1 + 1e-6)))
    return found | {"solvers": rows}


def markdown(sizes: list[dict[str, Any]], on: dict[str, Any]) -> str:
    """The table, with the ratio of CPU seconds to Gauss-Newton's."""
    loads = [row["later"]["load"] for size in sizes for row in size["solvers"].values()]
    packages = ", ".join(f"{name} {version}" for name, version in on["packages"].items())
    lines = [
        "# First order against Gauss-Newton, by number of parameters",
        "",
        f"`python -m benchmarks.first_order`; {on['cpu']}, {on['cores']} cores shared with other work, float64; "
        f"load average {min(loads):.0f} to {max(loads):.0f}; {packages}. {_SAID}",
        "",
        "| parameters (runs) | solver | first call, wall s (compiling) | later, wall s | later, CPU s | "
        "of Gauss-Newton's CPU | relative excess of the best | starts at the optimum | steps, median |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for size in sizes:
        unit = size["solvers"]["Gauss-Newton"]["later"]["cpu"]
        for name, row in size["solvers"].items():
            later, first = row["later"], row["first"]["wall"]
            lines.append(
                f"| {size['parameters']} ({size['runs']}) | {name} | {first:.2g} | {later['wall']:.2g} | "
                f"{later['cpu']:.2g} | {later['cpu'] / unit:.2g} | {max(row['excess'], 0):.1e} | {row['reached']} of "
                f"{STARTS + 1} | {int(np.median(row['steps']))} |"
            )
    starts = ", ".join(f"{s['starts']['wall']:.2g} s for {s['parameters']}" for s in sizes)
    lines += ["", f"Finding the starts, once and compiling, is apart from these: {starts}."]
    return "\n".join(lines) + "\n"


def main() -> None:
    """One size, or all of them and the page."""
    jax.config.update("jax_enable_x64", True)
    if len(sys.argv) > 1:
        print(json.dumps(one(int(sys.argv[1]))))
        return
    sizes: list[dict[str, Any]] = []
    for groups in GROUPS:
        sizes.append(module("first_order", str(groups)))
        _PATH.write_text(markdown(sizes, machine()))
        print(f"{groups} groups: done", file=sys.stderr, flush=True)
    print(markdown(sizes, machine()))


if __name__ == "__main__":
    main()
