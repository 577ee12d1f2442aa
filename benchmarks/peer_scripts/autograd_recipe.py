"""The published bootstrap with its own gradients (autograd), for `resamples` of the rows of a table N,D,loss.

Arguments: table, number of resamples. Prints one JSON object. Knows nothing of jaxscale.
"""

import csv
import json
import resource
import sys
import time

import autograd.numpy as anp
import numpy as np
from autograd import grad
from scipy.optimize import minimize

HOFFMANN = np.array([6.0073404, 6.0179186, 0.5267228, 0.33917084, 0.2849083])


def objective(p, N, D, loss, delta=1e-3):
    prediction = anp.log(anp.exp(p[0] - p[3] * anp.log(N)) + anp.exp(p[1] - p[4] * anp.log(D)) + anp.exp(p[2]))
    far = anp.log(loss) - prediction
    return anp.sum(anp.where(anp.abs(far) <= delta, 0.5 * far**2, delta * (anp.abs(far) - 0.5 * delta)))


with open(sys.argv[1], newline="") as stream:
    table = list(csv.DictReader(stream))
N, D, loss = (np.array([float(row[name]) for row in table]) for name in ("N", "D", "loss"))
random = np.random.RandomState(42)
count, values = int(sys.argv[2]), []
np.seterr(all="ignore")
gradient = grad(objective)
wall, cpu = time.perf_counter(), time.process_time()
for _ in range(count):
    rows = random.choice(len(loss), size=len(loss), replace=True)
    found = minimize(objective, HOFFMANN, args=(N[rows], D[rows], loss[rows]), jac=gradient, method="BFGS")
    values.append(float(found.fun))
usage = resource.getrusage(resource.RUSAGE_SELF)
print(
    json.dumps(
        {
            "wall": time.perf_counter() - wall,
            "cpu": time.process_time() - cpu,
            "count": count,
            "values": values,
            "peak_mib": usage.ru_maxrss / 1024,
        }
    )
)
