"""chinchilla: BFGS from a grid of starts on its log-Huber loss. Arguments: table, starts per parameter.

It has no bootstrap; the grid runs in a pool of processes, whose CPU seconds are counted too. The grid is
ours: E 1.1-1.9, a and b 1-10 (logarithms), exponents 0.1-0.7.
"""

import csv
import functools
import json
import resource
import sys
import tempfile
import time

wall = time.perf_counter()
import numpy as np  # noqa: E402  imports are part of what is timed
from chinchilla import Chinchilla  # noqa: E402
from chinchilla._metrics import log_huber  # noqa: E402

imported = time.perf_counter() - wall


def cpu_seconds() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(u.ru_utime + u.ru_stime for u in used)


with open(sys.argv[1], newline="") as stream:
    table = list(csv.DictReader(stream))
steps = int(sys.argv[2])
grid = {
    "E": np.linspace(1.1, 1.9, steps),
    "a": np.linspace(1, 10, steps),
    "b": np.linspace(1, 10, steps),
    "alpha": np.linspace(0.1, 0.7, steps),
    "beta": np.linspace(0.1, 0.7, steps),
}
with tempfile.TemporaryDirectory() as folder:
    toolkit = Chinchilla(folder, param_grid=grid, loss_fn=functools.partial(log_huber, delta=1e-3), log_level=40)
    for row in table:
        toolkit.append(N=float(row["N"]), D=float(row["D"]), loss=float(row["loss"]))
    wall, cpu = time.perf_counter(), cpu_seconds()
    toolkit.fit()
    wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
params = {name: float(value) for name, value in toolkit.params.items()}
print(json.dumps({"wall": wall, "cpu": cpu, "import": imported, "starts": steps**5, "params": params}))
