"""simple-scaling-laws: its separable power law with its wild cluster bootstrap. Arguments: table, draws."""

import csv
import json
import sys
import time

wall, cpu = time.perf_counter(), time.process_time()
import numpy as np  # noqa: E402  imports are part of what is timed
import polars as pl  # noqa: E402
from simple_scaling_laws import fit  # noqa: E402

imported = time.perf_counter() - wall
with open(sys.argv[1], newline="") as stream:
    table = list(csv.DictReader(stream))
N, D, loss = (np.array([float(row[name]) for row in table]) for name in ("N", "D", "loss"))
frame = pl.DataFrame(
    {
        "training_run_id": [f"run{i}" for i in range(len(loss))],
        "test_set_id": ["test"] * len(loss),
        "model_size__n_params": N,
        "dataset_size__n_tokens": D,
        "test_loss__cross_entropy": loss,
    }
)
wall, cpu = time.perf_counter(), time.process_time()
model = fit(frame, law="separable-power", n_draws=int(sys.argv[2]), seed=0)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
reference = {column: found["reference"] for column, found in model.observed_domain.items()}
params = {name: float(value) for name, value in model.params("test_loss__cross_entropy").items()}
# It fits inputs divided by a reference; amplitudes of raw inputs follow.
params["A"] *= reference["model_size__n_params"] ** params["alpha"]
params["B"] *= reference["dataset_size__n_tokens"] ** params["beta"]
print(json.dumps({"wall": wall, "cpu": cpu, "import": imported, "params": params}))
