"""simple-scaling-laws: forecasts of held-out runs. Argument: a JSON file of fitted and held columns and settings.

Every row is a training run of its own: the package takes one size and one amount of data per run.
"""

import json
import sys
import warnings
from pathlib import Path

import polars as pl
from simple_scaling_laws import fit

given = json.loads(Path(sys.argv[1]).read_text())
warnings.simplefilter("ignore")  # it warns of extrapolation, which is what is asked
SIZE, DATA, LOSS = "model_size__n_params", "dataset_size__n_tokens", "test_loss__cross_entropy"
rows = range(len(given["loss"]))
frame = pl.DataFrame(
    {
        "training_run_id": [f"run{i}" for i in rows],
        "test_set_id": ["test" for _ in rows],
        SIZE: given["N"],
        DATA: given["D"],
        LOSS: given["loss"],
    }
)
model = fit(frame, law=given["law"], n_draws=given["draws"], seed=0)
points = {SIZE: given["held_N"], DATA: given["held_D"]}
ends = {}
for level in given["levels"]:
    tails = [0.5 - level / 2, 0.5 + level / 2]
    made = model.predict(points, kind="new-run", quantiles=tails)
    low, high = (name for name in made.columns if name.startswith(LOSS))
    ends[level] = [made[low].to_list(), made[high].to_list()]
middle = model.predict(points, quantiles=[0.5])
point = next(middle[name].to_list() for name in middle.columns if name.startswith(LOSS))
about = {"parameters": model.params(LOSS), "warnings": [note.code for note in model.warnings]}
print(json.dumps({"point": point, "ends": ends, "about": about}))
