"""PyMC's model of the Chinchilla law, sampled by nutpie. Arguments: table, draws per chain.

The priors and the Student-t of log residuals are those of jaxscale's `Chinchilla` and `student_t(5)`. Four chains
on two cores, 1,000 tuning steps, nutpie's default mass matrix and its low-rank one; each compiled, then the faster
of two runs. Prints one JSON object with the logarithms of all draws, (chain, draw, parameter).
"""

import csv
import json
import resource
import sys
import time

wall = time.perf_counter()
import numpy as np  # noqa: E402  imports are part of what is timed
import nutpie  # noqa: E402  timed too
import pymc as pm  # noqa: E402  timed too

imported = time.perf_counter() - wall
NAMES = ("E", "A", "B", "alpha", "beta", "sigma")
PRIORS = {"E": (1.7, 0.5), "A": (400.0, 2.0), "B": (1000.0, 2.5)}  # median, standard deviation of the logarithm
PRIORS |= {"alpha": (0.35, 0.5), "beta": (0.35, 0.5), "sigma": (0.005, 1.0)}

with open(sys.argv[1], newline="") as stream:
    table = list(csv.DictReader(stream))
N, D, loss = (np.array([float(row[name]) for row in table]) for name in ("N", "D", "loss"))
with pm.Model() as model:
    p = {name: pm.LogNormal(name, np.log(median), spread) for name, (median, spread) in PRIORS.items()}
    law = p["E"] + p["A"] * pm.math.exp(-p["alpha"] * np.log(N)) + p["B"] * pm.math.exp(-p["beta"] * np.log(D))
    pm.StudentT("log_loss", nu=5, mu=pm.math.log(law), sigma=p["sigma"], observed=np.log(loss))
wall = time.perf_counter()
compiled = nutpie.compile_pymc_model(model)
compile_seconds = time.perf_counter() - wall


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def sampled(**settings):
    walls, cpus = [], []
    for seed in range(2):
        wall, cpu = time.perf_counter(), cpu_seconds()
        trace = nutpie.sample(
            compiled, draws=int(sys.argv[2]), tune=1000, chains=4, cores=2, seed=seed, progress_bar=False, **settings
        )
        walls.append(time.perf_counter() - wall)
        cpus.append(cpu_seconds() - cpu)
    posterior, stats = trace["posterior"], trace["sample_stats"]
    draws = np.log(np.stack([np.asarray(posterior[name]) for name in NAMES], axis=-1))
    return {
        "wall": min(walls),
        "cpu": min(cpus),
        "steps": np.asarray(stats["n_steps"]).tolist(),
        "diverging": np.asarray(stats["diverging"]).tolist(),
        "draws": draws.tolist(),
    }


found = {"diagonal": sampled(), "low rank": sampled(adaptation="low_rank")}
print(json.dumps({"import": imported, "compile": compile_seconds, "names": NAMES, "runs": found}))
