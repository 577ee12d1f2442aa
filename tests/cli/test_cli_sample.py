"""`jaxscale sample` end to end in process: the answer, its verdict, what it keeps, and what others make of that."""

import functools
import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import jaxscale
from jaxscale.cli import progress
from jaxscale.infer.posterior.batched import PSIS, RESCUE, Lanes
from jaxscale.infer.posterior.diagnosis import Gates
from jaxscale.report.store.store import load

from .conftest import MAPS, invoke, refused

# Enough draws to pass the diagnosis at once; a second stage would have to be compiled.
SHORT = ("--draws", "400", "--starts", "4")
DRAWS = 1000  # of each lane that `twice_as_wide` makes up
POWER = ("--law", "PowerLaw", "--map", "m=m", "--map", "loss=loss")


@pytest.fixture(scope="session")
def power_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 runs of a power law of exponent .3 with 1 % of noise, in three corpora."""
    path = tmp_path_factory.mktemp("power") / "power.csv"
    sizes = np.geomspace(1e3, 1e7, 24)
    loss = 3 * sizes**-0.3 * np.exp(0.01 * np.random.default_rng(0).standard_normal(24))
    rows = [f"{m},{y},{'abc'[i % 3]}" for i, (m, y) in enumerate(zip(sizes, loss, strict=True))]
    path.write_text("m,loss,kind\n" + "\n".join(rows) + "\n")
    return path


def twice_as_wide(
    mode: jaxscale.Fit, n: int, *, key: int, engine: str | None, folder: str | None, progress: object
) -> jaxscale.Bagged:
    """Lanes from a normal of twice the plain one's standard deviation: what takes long is tested beside `bag`.

    The first lane went to NUTS and failed.
    """
    assert key == 0
    assert engine == "importance"
    assert Path(str(folder)).name == "chunks"
    rng, centre = np.random.default_rng(0), np.asarray(mode.problem.split.vector(), float)
    root = np.linalg.inv(np.linalg.cholesky(mode.hessian))
    p = len(centre)

    def lanes(m: int, width: float, failed: bool) -> Lanes:
        bad = (np.arange(m) == 0) & failed
        z = centre + width * rng.standard_normal((m, DRAWS, p)) @ root
        flat, wide = np.zeros(m), np.zeros((m, p))
        return Lanes(z, wide, wide, ~bad, np.where(bad, RESCUE, PSIS), flat, wide, flat, flat.astype(int))

    return jaxscale.Bagged(mode, lanes(n, 2.0, True), lanes(1, 1.0, False), "pairs")


@pytest.fixture(scope="session")
def sampled(power_csv: Path, tmp_path_factory: pytest.TempPathFactory):
    """(result, JSON, saved file) of one `jaxscale sample` with eight bagged posteriors, made up by `twice_as_wide`."""
    pytest.importorskip("h5py")
    folder = tmp_path_factory.mktemp("sampled")
    answer, kept = folder / "answer.json", folder / "posterior.nc"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jaxscale, "bag", twice_as_wide)
        bagged = ("--bagged", "8", "--engine", "importance", "--folder", folder / "chunks")
        result = invoke("sample", power_csv, *POWER, *SHORT, *bagged, "--json", answer, "--save", kept)
    return result, json.loads(answer.read_text()), kept


def test_the_posterior_is_near_the_truth(sampled):
    _, record, _ = sampled
    assert record["verdict"]["passed"] is True
    for name, truth in (("alpha", 3.0), ("beta", 0.3), ("objective.noise.sigma", 0.01)):
        found = record["parameters"][name]
        # The truth is one draw away from the mean in units of its spread: 6 is out of reach by chance.
        assert abs(found["mean"] - truth) < 6 * found["sd"]


def test_the_mismatch_is_shown_for_every_parameter(sampled):
    result, record, _ = sampled
    bagged = record["bagged"]
    assert (bagged["n"], bagged["by_importance"], bagged["by_nuts"], bagged["failed"]) == (8, 7, 1, 1)
    assert set(bagged["parameters"]) == set(record["parameters"])
    for row in bagged["parameters"].values():
        # Twice the width: 1 - 2 / 4, up to five times the Monte-Carlo error of a ratio of variances.
        assert row["mismatch"] == pytest.approx(0.5, abs=5 * 0.5 * (2 / DRAWS + 2 / (7 * DRAWS)) ** 0.5)
    for words in (
        "mismatch",
        "Bagged over 8 resamples (pairs)",
        "7 by importance sampling, 1 by NUTS",
        "the honest one",
    ):
        assert words in result.stdout


def test_the_card_tells_mode_and_draws_and_is_kept(sampled):
    _, record, kept = sampled
    card = record["card"]
    assert card == load(kept).card
    assert card["objective"]["name"] == "student-t:5"
    assert card["objective"]["priors"]["beta"].startswith("LogNormal(")
    assert (card["uncertainty"]["kind"], card["uncertainty"]["method"]) == ("bagged", "bagged:pairs")
    assert card["seeds"]["draws"] == 0


def test_failed_lanes_fail_the_answer(sampled):
    result, record, _ = sampled
    assert result.exit_code == 1
    assert any(w.startswith("Bagged posterior not converged: 1 of 8") for w in record["warnings"])
    assert "Do not use these numbers" in result.stdout


@pytest.mark.parametrize("more", [("predict", "--at", "m=1e5"), ("predict", "--at", "m=1e9")])
def test_the_bagged_draws_are_kept_with_their_doubts(sampled, more):
    _, record, kept = sampled
    answer = json.loads(invoke(more[0], kept, *more[1:], "--json", "-").stdout)
    point = answer["points"][0]
    assert point["quantiles"]["0.05"] < point["loss"] < point["quantiles"]["0.95"]
    assert len(record["bagged"]["warnings"]) == 2
    for remark in record["bagged"]["warnings"]:
        assert remark in answer["warnings"]


def test_people_read_sentence_table_verdict_bagging_remarks_reach_next(sampled):
    text = sampled[0].stdout
    order = ["PowerLaw given power, 24 runs, by student-t:5", "ESS bulk", "Diagnosis:", "Certificate of the mode:"]
    order += ["Bagged over", "The runs reach", "Next"]
    assert [text.index(word) for word in order] == sorted(text.index(word) for word in order)


def test_a_failed_diagnosis_is_said_everywhere(power_csv: Path, monkeypatch: pytest.MonkeyPatch):
    """Of 1600 draws no more than about 1600 are effective: a gate of a million cannot be passed."""
    asked = functools.partial(jaxscale.sample_from, settings=jaxscale.NUTS(), gates=Gates(ess=1e6))
    monkeypatch.setattr(jaxscale, "sample_from", asked)
    result = invoke("sample", power_csv, *POWER, *SHORT, "--json", "-")
    record = json.loads(result.stdout)
    assert result.exit_code == 1
    assert record["verdict"]["passed"] is False
    assert any("effective sample size" in w for w in record["warnings"])
    assert "NOT converged" in result.stderr
    assert "Do not use these numbers" in result.stderr
    assert "Add --bagged 1000" in result.stderr


def test_the_bar_shows_stage_draws_divergences_and_time_left(monkeypatch: pytest.MonkeyPatch):
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, width=120)
    monkeypatch.setattr(progress, "_stderr", lambda: terminal)
    with progress.sampling("Chinchilla") as tell:
        assert tell is not None
        tell("nuts:curved", 100, 1150, 0)
        tell("nuts:curved", 1150, 1150, 3)
        tell("nuts:dense", 100, 2000, 2)
    text = shown.getvalue()
    for words in ("Chinchilla: nuts:dense", "100/2000", "2 diverged", "left"):
        assert words in text


def test_beside_a_terminal_there_is_no_bar(monkeypatch: pytest.MonkeyPatch):
    shown = io.StringIO()
    monkeypatch.setattr(progress, "_stderr", lambda: Console(file=shown, force_terminal=False))
    with progress.sampling("Chinchilla") as tell:
        assert tell is None
    assert shown.getvalue() == ""


SAMPLE = ("sample", "RUNS", *MAPS)
CASES: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "penalty": ((*SAMPLE, "--likelihood", "log-huber:1e-3"), ["--likelihood", "penalty log-huber", "student-t:5"]),
    "unknown likelihood": ((*SAMPLE, "--likelihood", "cauchy"), ["--likelihood", "'cauchy'", "student-t"]),
    "noise of no input": ((*SAMPLE, "--likelihood", "student-t:5:Q"), ["noise", "(D, N)", "'Q'"]),
    "one chain": ((*SAMPLE, "--chains", "1"), ["--chains", "at least 2", "like 4"]),
    "few draws": ((*SAMPLE, "--draws", "5"), ["--draws", "at least 8"]),
    "one resample": ((*SAMPLE, "--bagged", "1"), ["--bagged", "at least 2"]),
    "folder without bagged": ((*SAMPLE, "--folder", "chunks"), ["--folder", "--bagged"]),
    "tree of another kind": ((*SAMPLE, "--tree", "chains.csv"), ["--tree", ".nc or .zarr", "chains.csv"]),
    "tree in no folder": ((*SAMPLE, "--tree", "no/such/chains.nc"), ["--tree", "create"]),
    "partial without group": ((*SAMPLE, "--partial", "E"), ["--partial", "--group", "corpus"]),
    "partial of nothing": ((*SAMPLE, "--group", "corpus", "--partial", ","), ["--partial E,A"]),
    "partial and split": (
        (*SAMPLE, "--group", "corpus", "--partial", "E", "--split", "E"),
        ["split and partial", "'E'", "choose"],
    ),
    "partial unknown": ((*SAMPLE, "--group", "corpus", "--partial", "F"), ["partial", "'F'", "Chinchilla"]),
    "partial in fit": (
        ("fit", "RUNS", *MAPS, "--group", "corpus", "--partial", "E"),
        ["--partial", "jaxscale sample", "priors"],
    ),
    "wrong unit": (
        ("sample", "RUNS", *MAPS[:2], "--map", "D=tokens_seen[furlongs]", *MAPS[4:]),
        ["D", "furlongs"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_to_sample_is_one_sentence(name: str, runs_csv: Path, tmp_path: Path, monkeypatch):
    arguments, words = CASES[name]
    monkeypatch.chdir(tmp_path)
    result = invoke(*({"RUNS": str(runs_csv)}.get(a, a) for a in arguments))
    refused(result, words)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_bagging_the_tree_and_the_figures_as_they_are(power_csv: Path, tmp_path: Path):
    xr = pytest.importorskip("xarray")
    chunks, tree, figures = tmp_path / "chunks", tmp_path / "chains.nc", tmp_path / "figures"
    command = ("sample", power_csv, *POWER, *SHORT, "--bagged", "8", "--folder", chunks, "--json", "-")
    first = invoke(*command, "--tree", tree, "--plot", figures)
    assert first.exit_code == 0, first.output
    with xr.open_datatree(tree, engine="h5netcdf") as found:
        assert found["posterior"].sizes["draw"] == 400
        assert {"sample_stats", "log_likelihood", "posterior_predictive", "observed_data"} <= set(found.children)
    assert {"corner.png", "residuals.png", "rank.png", "loo-pit.png"} <= {path.name for path in figures.iterdir()}
    again = invoke(*command)
    assert json.loads(again.stdout)["bagged"] == json.loads(first.stdout)["bagged"]


@pytest.mark.slow
def test_partial_pooling_names_the_levels(power_csv: Path, monkeypatch: pytest.MonkeyPatch):
    """Three corpora that are one. No second stage: whether the chains converge is not asked here."""
    monkeypatch.setattr(jaxscale, "sample_from", functools.partial(jaxscale.sample_from, settings=jaxscale.NUTS()))
    pooled = ("--group", "kind", "--partial", "alpha", "--json", "-")
    record = json.loads(invoke("sample", power_csv, *POWER, *SHORT, *pooled).stdout)
    assert record["law"] == "Pooled(PowerLaw, partial=alpha, groups=a,b,c)"
    beta = record["parameters"]["beta"]
    assert abs(beta["mean"] - 0.3) < 6 * beta["sd"]
    assert {"spread.alpha", "group.alpha[a]", "group.alpha[c]"} <= set(record["parameters"])


@pytest.mark.slow
def test_more_is_drawn_as_advised(power_csv: Path):
    short = invoke("sample", power_csv, *POWER, "--starts", "4", "--draws", "8")
    assert short.exit_code == 1
    assert "draw more (--draws)" in short.stdout
    followed = invoke("sample", power_csv, *POWER, *SHORT)
    assert followed.exit_code == 0, followed.output
    assert "effective sample size is" not in followed.stdout
