"""`jaxscale fit` end to end in process: the answer, its JSON, its exit status, its files."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from jaxscale.core.parametric import values
from jaxscale.infer.resample import bootstrap
from jaxscale.report.store.store import load
from jaxscale.testing.simulated import simulate

from .conftest import MAPS, invoke, refused

KEYS = {"law", "params", "objective", "certificate", "bootstrap", "warnings", "seconds"}


def test_the_answer_is_certified_and_near_the_truth(fitted):
    result, record, _ = fitted
    assert result.exit_code == 0, result.output
    assert record["certificate"]["certified"] is True
    truth = {name: float(value) for name, value in values(simulate().truth).items()}
    for name, error in record["bootstrap"]["standard_errors"].items():
        # The truth is one draw away from the estimate in units of its error: 6 is out of reach by chance.
        assert abs(record["params"][name] - truth[name]) < 6 * error


def test_json_holds_what_is_promised(fitted):
    _, record, _ = fitted
    assert set(record) >= KEYS
    assert record["law"] == "Chinchilla"
    assert set(record["objective"]) == {"name", "value"}
    assert {"n", "failed", "quantiles", "standard_errors"} <= set(record["bootstrap"])
    assert record["bootstrap"]["n"] == 64
    assert set(record["bootstrap"]["quantiles"]) == {"E", "A", "B", "alpha", "beta"}
    assert set(record["seconds"]) == {"compile", "run"}
    assert record["seconds"]["compile"] > 0
    assert record["seconds"]["run"] > 0
    assert all(isinstance(w, str) and w for w in record["warnings"])


def test_people_read_sentence_table_remarks_reach_and_next(fitted):
    text = fitted[0].stdout
    order = ["certified.", "estimate", "Certificate:", "The runs reach", "Next"]
    assert [text.index(word) for word in order] == sorted(text.index(word) for word in order)
    assert text.startswith("Chinchilla fitted to my runs, 120 runs, by log-huber:0.001")


def test_figures_are_written(fitted):
    names = {path.name for path in fitted[2].iterdir()}
    assert names == {f"{n}.png" for n in ("contours", "isoflop", "extrapolation", "residuals", "corner")}


def test_units_and_names_do_not_change_the_fit(fitted, simulated_fit, eps):
    """Millions and billions against plain counts: the same runs up to rounding of the inputs."""
    _, record, _ = fitted
    for name, value in simulated_fit[0].params.items():
        # Parameters are determined to rounding times the condition of the fit (at most 1e5 here), squared scale aside.
        assert record["params"][name] == pytest.approx(float(value), rel=1e5 * eps)


def test_json_on_stdout_is_all_that_is_there(runs_csv):
    result = invoke("fit", runs_csv, *MAPS, "--json", "-")
    record = json.loads(result.stdout)
    assert record["bootstrap"] is None
    assert "Chinchilla fitted" in result.stderr


def test_fixed_parameter_stays_and_says_so(runs_csv):
    result = invoke("fit", runs_csv, *MAPS, "--fix", "alpha=0.35", "--fix", "beta=0.36", "--json", "-")
    record = json.loads(result.stdout)
    assert record["params"]["alpha"] == pytest.approx(0.35, rel=1e-6)
    assert record["fixed"] == ["alpha", "beta"]
    assert "(fixed)" in result.stderr


def test_filter_leaves_rows_out(runs_csv):
    stated = ("--state", "tuning=rate swept = yes", "--state", "parameters_counted=without")
    result = invoke("fit", runs_csv, *MAPS, "--where", "bad == 0", *stated, "--json", "-")
    record = json.loads(result.stdout)
    assert record["runs"] == 117
    assert "kept 117 of 120 rows" in record["provenance"]["exclusions"]
    card = record["card"]
    assert card["data"]["exclusions"] == [{"left_out": 3, "of": 120, "kept_where": "bad == 0"}]
    assert card["hashes"]["source_sha256"] == hashlib.sha256(runs_csv.read_bytes()).hexdigest()
    assert card["setup"]["tuning"] == {"tuning": "rate swept = yes"}
    assert card["setup"]["training_data"] == {"corpus": {"values": ["c4", "pile"]}}
    assert card["units"]["parameters_counted"] == "without embeddings"
    assert {name: told["value"] for name, told in card["parameters"].items()} == record["params"]


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        (("tuned=yes",), ["--state", "no item 'tuned'", "tuning"]),
        (("tuning",), ["--state", "item=text", "'tuning'"]),
        (("tuning=a", "tuning=b"), ["--state", "tuning", "twice", "'a'", "'b'"]),
        (("parameters_counted=some",), ["--state parameters_counted", "'some'"]),
    ],
)
def test_statements_that_answer_nothing_are_refused(runs_csv, stated, words):
    refused(invoke("fit", runs_csv, *MAPS, *(part for text in stated for part in ("--state", text))), words)


def test_one_start_is_no_certificate(tmp_path: Path):
    path = power_csv(tmp_path)
    result = invoke("fit", path, "--law", "PowerLawWithFloor", "--map", "m=m", "--map", "loss=loss", "--starts", "0")
    assert result.exit_code == 1
    assert "NOT certified" in result.stdout
    assert "Do not use these numbers" in result.stdout


def test_joint_fit_names_itself_and_its_groups(tmp_path: Path):
    path = power_csv(tmp_path)
    maps = ("--law", "PowerLawWithFloor", "--map", "m=m", "--map", "loss=loss")
    result = invoke("fit", path, *maps, "--group", "kind", "--split", "alpha", "--starts", "2", "--json", "-")
    record = json.loads(result.stdout)
    assert record["law"] == "Pooled(PowerLawWithFloor, split=alpha, groups=even,odd)"
    assert len(record["params"]["alpha"]) == 2
    assert "alpha[even]" in result.stderr


def power_csv(folder: Path) -> Path:
    """Two power laws with a floor, without noise beyond the fourth digit."""
    path = folder / "power.csv"
    sizes = np.geomspace(1e3, 1e7, 24)
    rows = [f"{m},{(3 + i % 2) * m**-0.3 + 0.1},{'odd' if i % 2 else 'even'}" for i, m in enumerate(sizes)]
    path.write_text("m,loss,kind\n" + "\n".join(rows) + "\n")
    return path


def test_saved_fit_is_read_back(runs_csv, tmp_path, simulated_fit):
    pytest.importorskip("h5py")
    path = tmp_path / "fit.nc"
    first = invoke("fit", runs_csv, *MAPS, "--bootstrap", "64", "--save", path)
    assert first.exit_code == 0
    kept = load(path).card
    assert kept is not None
    assert (kept["uncertainty"]["draws"], kept["setup"]["ranges"]["N"]["distinct"] > 1) == (64, True)
    again = invoke("plan", path, "--flops", "1e22", "--json", "-")
    assert again.exit_code == 0
    assert json.loads(again.stdout)["point"]["N"] > 0


def test_progress_counts_every_draw(simulated_fit):
    seen = []
    bootstrap(simulated_fit[0], 64, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (64, 64)


def test_runs_without_noise_have_a_point_and_no_interval(tmp_path):
    """A likelihood of a table from a formula: no refits, no trace, and predictions that are the formula's."""
    m = np.geomspace(1e3, 1e7, 16)
    table = tmp_path / "exact.csv"
    table.write_text("m,loss\n" + "".join(f"{x:.17g},{1.7 + 9 * x**-0.31:.17g}\n" for x in m))
    saved = tmp_path / "fit.nc"
    result = invoke(
        *("fit", table, "--law", "PowerLawWithFloor", "--map", "m=m", "--map", "loss=loss", "--objective", "gaussian"),
        *("--bootstrap", "50", "--save", saved),
    )
    assert result.exit_code == 1
    assert "The residuals vanish" in result.stdout
    assert "--bootstrap" not in result.stdout
    result = invoke("predict", saved, "--at", "m=1e8", "--json", tmp_path / "at.json")
    assert result.exit_code == 0
    assert "No intervals: the residuals vanish" in result.stdout
    record = json.loads((tmp_path / "at.json").read_text())
    assert record["points"][0]["loss"] == pytest.approx(1.7 + 9 * 1e8**-0.31, rel=1e-4)


def test_a_floor_fixed_at_zero_and_one_above_the_losses(tmp_path):
    """The advice of a certificate on an edge, followed: a parameter less, to `predict` as well."""
    m = np.geomspace(1e3, 1e7, 16)
    table = tmp_path / "runs.csv"
    loss = 9 * m**-0.31 * np.exp(0.01 * np.random.default_rng(5).standard_normal(16))
    table.write_text("m,loss\n" + "".join(f"{x:.9g},{y:.9g}\n" for x, y in zip(m, loss, strict=True)))
    common = ("fit", table, "--law", "PowerLawWithFloor", "--map", "m=m", "--map", "loss=loss")
    saved, target = tmp_path / "fit.nc", tmp_path / "fit.json"
    result = invoke(*common, "--fix", "gamma=0", "--objective", "log-squares", "--save", saved, "--json", target)
    assert result.exit_code == 0, result.output
    record = json.loads(target.read_text())
    # A straight line in the logarithms.
    slope, level = np.polyfit(np.log(m), np.log(loss), 1)
    assert record["params"]["gamma"] == 0
    assert record["params"]["beta"] == pytest.approx(-slope, rel=1e-4)
    assert record["params"]["alpha"] == pytest.approx(np.exp(level), rel=1e-3)
    result = invoke("predict", saved, "--at", "m=1e9", "--json", target)
    assert json.loads(target.read_text())["points"][0]["loss"] == pytest.approx(np.exp(level) * 1e9**slope, rel=1e-3)
    result = invoke(*common, "--fix", "gamma=0.5")
    assert f"Fixed gamma = 0.5: under it no run, however large, has a loss below 0.5, and {sum(loss < 0.5)} of" in (
        result.stdout
    )
    refused(invoke(*common, "--fix", "gamma=-1"), ["--fix: gamma must lie inside its support", "or on its edge"])


def test_columns_of_noise_and_weight(tmp_path):
    """A straight line in the logarithms again: NumPy's weighted one."""
    rng = np.random.default_rng(6)
    m = np.geomspace(1e3, 1e7, 16)
    noise = 0.01 * np.exp(rng.uniform(0, 3, 16))
    weight = rng.integers(1, 4, 16)
    loss = 9 * m**-0.31 * np.exp(noise * rng.standard_normal(16))
    table = tmp_path / "runs.csv"
    rows = zip(m, loss, noise * loss, weight, strict=True)
    table.write_text("m,loss,se,count\n" + "".join(f"{a:.9g},{b:.9g},{c:.9g},{d}\n" for a, b, c, d in rows))
    target = tmp_path / "fit.json"
    common = ("fit", table, "--law", "PowerLawWithFloor", "--map", "m=m", "--map", "loss=loss", "--fix", "gamma=0")
    for given, w in (((), 1 / noise), (("--weight", "count"), np.sqrt(weight) / noise)):
        result = invoke(*common, "--objective", "log-squares", "--noise", "se", *given, "--json", target)
        assert result.exit_code == 0, result.output
        slope = np.polyfit(np.log(m), np.log(loss), 1, w=w)[0]
        assert json.loads(target.read_text())["params"]["beta"] == pytest.approx(-slope, rel=1e-3)
        assert abs(np.polyfit(np.log(m), np.log(loss), 1)[0] / slope - 1) > 2e-3
    refused(invoke(*common, "--noise", "sd"), ["noise: there is no column 'sd'"])


def test_another_solver_finds_the_same_optimum(fitted, runs_csv: Path, tmp_path: Path, eps):
    target = tmp_path / "fit.json"
    result = invoke("fit", runs_csv, *MAPS, "--solver", "lbfgs:10:1000", "--starts", "4", "--json", target)
    assert result.exit_code == 0, result.output
    record, other = json.loads(target.read_text()), fitted[1]
    # Both end in the same exact Newton steps: to rounding of a sum of 120 residuals over a width of 1e-3.
    assert record["objective"]["value"] == pytest.approx(other["objective"]["value"], rel=1e-12 + 120 * eps / 1e-3)
    assert record["card"]["solver"]["name"] == "LBFGS"
    assert record["card"]["solver"]["settings"] == {"memory": 10, "max_steps": 1000}


@pytest.mark.parametrize("command", ["fit", "sample"])
def test_solvers_that_there_are_not_are_refused_before_the_table_is_read(command):
    refused(invoke(command, "no.csv", "--solver", "bfgs"), ["solver: expected one of", "adam:rate:steps", "'bfgs'"])
    refused(
        invoke(command, "no.csv", "--solver", "adam:-1"),
        ["--solver: Adam: learning_rate: expected a number of at least 1e-30, got -1.0"],
    )
