"""chinchilla: forecasts of held-out runs, without a band. Argument: a JSON file of fitted and held columns.

BFGS from a grid of starts on its log-Huber loss; the ranges are its readme's, but for the floor: its logarithm e goes
from -1 to 1, as losses here have several units.
"""

import functools
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from chinchilla import Chinchilla
from chinchilla._metrics import log_huber

given = json.loads(Path(sys.argv[1]).read_text())
starts = given["starts"]
grid = {
    "e": np.linspace(-1, 1, starts),
    "a": np.linspace(1, 10, starts),
    "b": np.linspace(1, 10, starts),
    "alpha": np.linspace(0.1, 0.7, starts),
    "beta": np.linspace(0.1, 0.7, starts),
}
with tempfile.TemporaryDirectory() as folder:
    toolkit = Chinchilla(folder, param_grid=grid, loss_fn=functools.partial(log_huber, delta=1e-3), log_level=40)
    for N, D, loss in zip(given["N"], given["D"], given["loss"], strict=True):
        toolkit.append(N=N, D=D, loss=loss)
    toolkit.fit()
point = toolkit.predict_loss(np.array(given["held_N"]), np.array(given["held_D"]))
params = {name: float(value) for name, value in toolkit.params.items()}
print(json.dumps({"point": np.asarray(point, float).tolist(), "about": {"parameters": params}}))
