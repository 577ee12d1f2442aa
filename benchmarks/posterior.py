"""Posteriors in a process of its own: ours, plain NumPyro NUTS and PyMC with nutpie on one model and the same runs.

Run as `python -m benchmarks.posterior <repeats>`, with `XLA_FLAGS=--xla_force_host_platform_device_count=2` for both
cores. Prints one JSON object: seconds once compiled, least bulk effective sample size (ESS) over the parameters,
gradients per draw, moments with their Monte-Carlo errors, and the greatest differences in units of these.
"""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import jax
import numpy as np

from benchmarks import peers
from benchmarks.clocks import Cost, interleaved
from benchmarks.plain import Chains, Plain
from benchmarks.reference import distances, summary
from benchmarks.workload import Workload, workload
from jaxscale.infer.fit.fit import fit
from jaxscale.infer.posterior import convergence
from jaxscale.infer.posterior.posterior import Posterior
from jaxscale.infer.posterior.sample import sample, sample_from
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.objectives.likelihood import student_t

DRAWS, CHAINS, LONG = 1000, 4, 12_500  # of each chain; LONG in all is 50,000


def main(repeats: int) -> None:
    jax.config.update("jax_enable_x64", True)
    print(json.dumps(measured(workload(), repeats)))


def measured(data: Workload, repeats: int, draws: int = DRAWS, long: int = LONG) -> dict[str, Any]:
    """All engines once to compile, then in turn; then `long` draws a chain of ours and of the dense baseline."""
    runs, likelihood = data.runs(), student_t(5)
    mode = fit(Chinchilla(), runs, likelihood, prior=True)
    dense = Plain(Chinchilla(), runs, likelihood, draws=draws, dense_mass=True)
    diagonal = Plain(Chinchilla(), runs, likelihood, draws=draws)
    engines: dict[str, Callable[[int], Chains]] = {
        "jaxscale": lambda r: ours(sample_from(mode, key=r, draws=draws)),
        "jaxscale, with the search for the mode": lambda r: ours(
            sample(Chinchilla(), runs, likelihood, key=r, draws=draws)
        ),
        "numpyro NUTS, dense mass": dense.run,
        "numpyro NUTS, default": diagonal.run,
    }
    for engine in engines.values():
        engine(0)
    found: dict[str, list[Chains]] = {name: [] for name in engines}
    compiling = Compilations()
    costs = interleaved(
        repeats, **{name: lambda r, name=name: found[name].append(engines[name](r + 1)) for name in engines}
    )
    records = {name: judged(found[name], costs[name]) for name in engines}
    answer = {
        "devices": jax.device_count(),
        "draws": CHAINS * draws,
        "compilations": compiling.count,
        "engines": records,
        "long": _long(mode, data, long),
        **_nutpie(data, draws),
    }
    for record in (*records.values(), *answer.get("nutpie", {}).get("engines", {}).values()):
        mine, rate = records["jaxscale"]["ess_per_second"], record["ess_per_second"]
        record["times"] = {by: mine[by] / rate[by] for by in rate}
        record["apart"] = worst(distances(records["jaxscale"]["moments"], record["moments"]))
    return answer


def ours(posterior: Posterior) -> Chains:
    """A posterior's draws as the baselines' are kept."""
    return Chains(posterior.fit.problem.split.names(), posterior.z, posterior.stats)


def judged(found: list[Chains], cost: Cost) -> dict[str, Any]:
    """What repeats of one engine gave: medians over them, and the moments of the last."""
    ess = float(np.median([convergence.ess_bulk(chains.z).min() for chains in found]))
    last = found[-1]
    return {
        "cost": asdict(cost),
        "ess": ess,
        "ess_per_second": {"wall": ess / cost.wall, "cpu": ess / cost.cpu},
        "rhat": float(max(convergence.rhat(chains.z).max() for chains in found)),
        "leapfrogs": float(np.median([chains.stats["steps"].mean() for chains in found])),
        "divergences": [int(chains.stats["diverging"].sum()) for chains in found],
        "moments": _moments(last),
    }


def worst(apart: Mapping[tuple[str, str], float]) -> dict[str, Any]:
    """The greatest distance of a comparison, where it is, and of how many it is the greatest."""
    at = max(apart, key=lambda key: abs(apart[key]))
    return {"mcse": abs(apart[at]), "of": list(at), "comparisons": len(apart)}


def _moments(chains: Chains) -> dict[str, Any]:
    whole = summary(chains.z, chains.names)
    return {name: {key: statistics[key] for key in ("mean", "sd")} for name, statistics in whole.items()}


def _long(mode: Any, data: Workload, draws: int) -> dict[str, Any]:
    """Means, standard deviations and quantiles of ours against the dense baseline's, both of CHAINS * draws."""
    mine = ours(sample_from(mode, key=7, draws=draws))
    plain = Plain(Chinchilla(), data.runs(), student_t(5), draws=draws, dense_mass=True).run(7)
    first, second = (summary(chains.z, chains.names) for chains in (mine, plain))
    return {"draws": CHAINS * draws, "jaxscale": first, "numpyro": second, "apart": worst(distances(first, second))}


def _nutpie(data: Workload, draws: int) -> dict[str, Any]:
    if not peers.available():
        return {"skipped": "uv is needed to make PyMC's environment"}
    try:
        made = peers.run("pymc_nutpie", data, draws)
    except RuntimeError as error:
        return {"skipped": f"PyMC with nutpie could not be run: {error}"}
    records = {}
    for name, run in made["runs"].items():
        names = tuple("objective.noise.sigma" if n == "sigma" else n for n in made["names"])
        stats = {key: np.asarray(run[key]) for key in ("steps", "diverging")}
        cost = Cost(run["wall"], run["cpu"], made["process"]["load"])
        records[f"PyMC, nutpie, {name}"] = judged([Chains(names, np.asarray(run["draws"]), stats)], cost)
    return {"nutpie": {key: made[key] for key in ("package", "import", "compile")} | {"engines": records}}


class Compilations:
    """Programs that XLA compiles from now on: none should fall into a timed run."""

    def __init__(self) -> None:
        self.count = 0
        jax.monitoring.register_event_duration_secs_listener(self._heard)

    def _heard(self, event: str, *_: Any, **__: Any) -> None:
        self.count += event == "/jax/core/compile/backend_compile_duration"


if __name__ == "__main__":
    main(int(sys.argv[1]))
