"""A long table of curves on the command line: fit, figure, saved file, prediction. Oracle: the law they are of."""

import csv
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.schedule import schedule, segments_of
from jaxscale.laws.schedule.tissue2024 import AnnealingS1S2
from jaxscale.report.store.store import load

from .conftest import invoke

PLANS = {
    "constant": "warmup 100 1e-3; constant 3900 1e-3",
    "cosine": "warmup 100 1e-3; cosine 3900 1e-3 1e-4",
    "decay": "warmup 100 1e-3; constant 2000 1e-3; linear 500 1e-3 1e-4",
}
LENGTHS = {"constant": 4000, "cosine": 4000, "decay": 2600}
MAPPING = ["--map", "S=step[steps]", "--map", "schedule=plan[segments]"]
NOISE = 0.001


def losses(name: str, steps: np.ndarray) -> np.ndarray:
    plan = jnp.asarray(schedule(*segments_of(PLANS[name])))
    return np.asarray(AnnealingS1S2()(plan, jnp.asarray(steps, float)), np.float64)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs, every 200 steps, with noise."""
    rng, path = np.random.default_rng(0), tmp_path_factory.mktemp("curves") / "runs.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["run", "step", "plan", "loss"])
        for name, last in LENGTHS.items():
            steps = np.arange(200, last + 1, 200)
            for step, loss in zip(steps, losses(name, steps), strict=True):
                writer.writerow([name, step, PLANS[name], loss * np.exp(NOISE * rng.standard_normal())])
    return path


def test_curves_from_a_table_to_predictions(table: Path, tmp_path: Path) -> None:
    saved, figures = tmp_path / "fit.nc", tmp_path / "figures"
    law = ["--law", "AnnealingS1S2", *MAPPING, "--map", "loss=loss[nats]", "--run-id", "run", "--starts", "4"]
    told = invoke("fit", table, *law, "--bootstrap", "32", "--save", saved, "--plot", figures).stdout
    assert "53 rows of 3 runs" in told
    assert {path.name for path in figures.glob("*.png")} == {"corner.png", "curves.png", "residuals.png"}

    # The file has the arrays in their own axes, and gives back what was fitted.
    again = load(saved)
    runs = again.fit.runs
    assert (runs.inputs["schedule"].shape, runs.inputs["S"].shape, runs.target.shape) == ((3, 3, 4), (3, 20), (60,))
    assert int(np.sum(np.asarray(runs.weight) > 0)) == 53

    points, out = tmp_path / "points.csv", tmp_path / "out.csv"
    plan = "warmup 100 1e-3; constant 3000 1e-3; cosine 800 1e-3 1e-4"
    points.write_text(f'step,plan\n1000,"{plan}"\n3900,"{plan}"\n')
    invoke("predict", saved, "--file", points, *MAPPING, "--csv", out)
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["schedule"] for row in rows] == ["warmup 100 0.001; constant 3000 0.001; cosine 800 0.001 0.0001"] * 2
    truth = AnnealingS1S2()(jnp.asarray(schedule(*segments_of(plan))), jnp.asarray([1000.0, 3900.0]))
    # 53 rows tell four parameters: a prediction is a few times as good as a row.
    np.testing.assert_allclose([float(row["loss"]) for row in rows], truth, rtol=2 * NOISE)
    assert all(float(row["q0.05"]) < float(row["loss"]) < float(row["q0.95"]) for row in rows)
