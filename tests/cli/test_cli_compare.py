"""`jaxscale compare` end to end in process: the table, the weights, the forecasts, and what it refuses."""

import importlib
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import jaxscale
from jaxscale.infer.posterior.predictive import log_likelihood

from .conftest import MAPS, invoke, refused

pytestmark = pytest.mark.slow  # compiling the programs of several laws takes a minute

LAWS = ("--laws", "PowerLaw,powerlawwithfloor", "--map", "m=m", "--map", "loss=loss", "--group", "kind")


@pytest.fixture(scope="session")
def floor_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 runs of a power law with a floor of .1, with 1 % of noise, in two corpora."""
    path = tmp_path_factory.mktemp("compared") / "floor.csv"
    sizes = np.geomspace(1e3, 1e7, 24)
    loss = (3 * sizes**-0.3 + 0.1) * np.exp(0.01 * np.random.default_rng(1).standard_normal(24))
    rows = [f"{m},{y},{'ab'[i % 2]}" for i, (m, y) in enumerate(zip(sizes, loss, strict=True))]
    path.write_text("m,loss,kind\n" + "\n".join(rows) + "\n")
    return path


def within_sample(mode: jaxscale.Fit, masks: np.ndarray, key: Any) -> np.ndarray:
    """The density of runs at the mode that has seen them, in place of a refit: the arithmetic is the same."""
    density = log_likelihood(jax.tree.map(lambda x: x[None], mode.problem.template), mode.runs)[0]
    return np.where(masks, density, np.nan)


@pytest.fixture(scope="session")
def compared(floor_csv: Path):
    """(result, JSON) of two laws; what refits would say is made up by `within_sample`."""
    target = floor_csv.with_name("answer.json")
    with pytest.MonkeyPatch.context() as patch:
        for module in ("compare", "leave_out"):
            patch.setattr(importlib.import_module(f"jaxscale.infer.compare.{module}"), "score_left_out", within_sample)
        result = invoke(
            *("compare", floor_csv, *LAWS, "--draws", "400", "--starts", "4"), "--at", "m=1e8", "--json", target
        )
    return result, json.loads(target.read_text())


def test_the_law_that_made_the_runs_wins(compared):
    """The floor is ten times the noise of the last runs: a law without it misses them by many sigma."""
    _, record = compared
    best, other = record["laws"]["PowerLawWithFloor"], record["laws"]["PowerLaw"]
    assert list(record["laws"]) == [record["best"], "PowerLaw"]
    assert best["difference"] == 0
    assert other["difference"] == pytest.approx(other["elpd"] - best["elpd"])
    assert other["difference"] < -2 * other["se"]
    assert best["data_set_out"] > other["data_set_out"]


@pytest.mark.slow
def test_refits_as_they_are(floor_csv: Path):
    record = json.loads(invoke("compare", floor_csv, *LAWS, "--draws", "400", "--starts", "4", "--json", "-").stdout)
    best, other = record["laws"]["PowerLawWithFloor"], record["laws"]["PowerLaw"]
    assert best["data_set_out"] > other["data_set_out"]
    assert best["beyond"] is None  # no compute in this table, so no cut in scale


@pytest.mark.parametrize("kind", ["stacking", "pseudo_bma"])
def test_weights_are_shares(compared, kind, eps):
    weights = [row[kind] for row in compared[1]["laws"].values()]
    assert min(weights) >= 0
    assert sum(weights) == pytest.approx(1, abs=8 * eps)
    assert weights[0] > 0.5


def test_every_law_and_their_average_forecast(compared):
    forecasts = compared[1]["forecasts"]
    assert set(forecasts) == {"PowerLaw", "PowerLawWithFloor", "averaged"}
    losses = {label: points[0]["loss"] for label, points in forecasts.items()}
    weight = {label: row["stacking"] for label, row in compared[1]["laws"].items()}
    mean = sum(weight[label] * losses[label] for label in weight)
    # Written by the same law in float32 or float64, summed in another order.
    assert losses["averaged"] == pytest.approx(mean, rel=1e-5)
    q = forecasts["averaged"][0]["quantiles"]
    assert q["0.05"] < q["0.95"]


def test_people_read_densities_held_out_forecasts_remarks(compared):
    text = compared[0].stdout
    order = ["PowerLaw, PowerLawWithFloor given floor, 24 runs", "difference", "its data set left out", "averaged"]
    order += ["Remarks", "Leave-one-out is interpolation", "The runs reach"]
    assert [text.index(word) for word in order] == sorted(text.index(word) for word in order)


COMPARE = ("compare", "RUNS", *MAPS)
CASES: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "one law": ((*COMPARE, "--laws", "Chinchilla"), ["--laws", "at least two", "'Chinchilla'"]),
    "no law": ((*COMPARE, "--laws", ","), ["--laws", "at least two"]),
    "a law twice": ((*COMPARE, "--laws", "Chinchilla,chinchilla"), ["--laws", "twice"]),
    "unknown law": ((*COMPARE, "--laws", "Chinchilla,Kaplen"), ["'Kaplen'", "Kaplan", "jaxscale laws"]),
    "a law the table cannot feed": (
        (*COMPARE, "--laws", "Chinchilla,DataConstrained"),
        ["DataConstrained", "needs U", "map a column"],
    ),
    "laws of two quantities": ((*COMPARE, "--laws", "Chinchilla,PowerLaw"), ["Chinchilla [nats]", "PowerLaw [error]"]),
    "a penalty": ((*COMPARE, "--laws", "Chinchilla,KaplanND", "--likelihood", "log-lad"), ["--likelihood", "penalty"]),
    "a point without D": ((*COMPARE, "--laws", "Chinchilla,KaplanND", "--at", "N=1e9"), ["--at", "give D as well"]),
    "no such file": (("compare", "gone.csv", "--laws", "Chinchilla,KaplanND"), ["gone.csv"]),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_to_compare_is_one_sentence(name: str, runs_csv: Path):
    arguments, words = CASES[name]
    result = invoke(*({"RUNS": str(runs_csv)}.get(a, a) for a in arguments))
    refused(result, words)
