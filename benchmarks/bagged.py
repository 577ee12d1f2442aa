"""Bagged posteriors in a process of its own: `bag` against a loop of plain NumPyro NUTS on some of the resamples.

Run as `python -m benchmarks.bagged <lanes> <repeats> <sample>` with two host devices. Prints one JSON object: seconds
once compiled, the share of lanes with at least 100 effective draws of every parameter, which engine made how many, and
what `sample` resamples cost the loop, extrapolated to all lanes.
"""

import json
import sys
from dataclasses import asdict
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.clocks import clock, least
from benchmarks.plain import Plain
from benchmarks.workload import workload
from jaxscale.infer.fit.fit import fit
from jaxscale.infer.posterior import convergence
from jaxscale.infer.posterior.bag import bag
from jaxscale.infer.resample.bootstrap import resamples
from jaxscale.infer.resample.schemes import Pairs
from jaxscale.infer.search.units import units
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.objectives.likelihood import student_t

ESS = 100  # effective draws asked of every parameter of a lane


def main(lanes: int, repeats: int, sample: int) -> None:
    jax.config.update("jax_enable_x64", True)
    print(json.dumps(measured(lanes, repeats, sample)))


def measured(lanes: int, repeats: int, sample: int, draws: int = 500) -> dict[str, Any]:
    """`bag` once to compile and then `repeats` times; plain NUTS, two chains of `draws`, on `sample` resamples."""
    runs = workload().runs()
    mode = fit(Chinchilla(), runs, student_t(5), prior=True)
    with clock() as cold:
        bag(mode, lanes, key=0)
    costs, found = [], []
    for repeat in range(repeats):
        with clock() as cost:
            found.append(bag(mode, lanes, key=repeat + 1))
        costs.append(cost)
    answer = {
        "lanes": lanes,
        "devices": jax.device_count(),
        "cold": asdict(cold),
        "cost": asdict(least(costs)),
        "enough": [float(np.mean(np.all(b.lanes.ess >= ESS, axis=1))) for b in found],
        "by_nuts": [b.by_nuts for b in found],
        "failed": [b.failed for b in found],
        "mismatch": {name: float(x) for name, x in found[-1].mismatch().items()},
        "share_sd": {"plain": _share_sd(found[-1].plain.z), "bagged": _share_sd(found[-1].lanes.z[found[-1].lanes.ok])},
    }
    weights = resamples(mode.problem, jax.random.key(5), Pairs(), units(mode.problem.runs), jnp.asarray(0), sample)
    assert weights.weight is not None
    seconds, ess, steps = [], [], []
    for weight in weights.weight[:, : runs.size]:
        resampled = eqx.tree_at(lambda r: r.weight, runs, weight)
        plain = Plain(Chinchilla(), resampled, student_t(5), warmup=draws, draws=draws, chains=2)
        plain.run(0)  # compiles
        with clock() as cost:
            chains = plain.run(1)
        seconds.append(cost)
        ess.append(float(convergence.ess_bulk(chains.z).min()))
        steps.append(float(chains.stats["steps"].mean()))
    answer["loop"] = {"seconds": [asdict(c) for c in seconds], "ess": ess, "leapfrogs": steps, "draws": 2 * draws}
    mean_wall, mean_cpu = (float(np.mean([getattr(c, by) for c in seconds])) for by in ("wall", "cpu"))
    cost = least(costs)
    answer["times"] = {"wall": mean_wall * lanes / cost.wall, "cpu": mean_cpu * lanes / cost.cpu}
    return answer


def _share_sd(z: np.ndarray) -> float:
    """Standard deviation of beta / (alpha + beta) over all draws."""
    alpha, beta = np.exp(z[..., 3]), np.exp(z[..., 4])
    return float(np.std(beta / (alpha + beta)))


if __name__ == "__main__":
    main(*(int(x) for x in sys.argv[1:4]))
