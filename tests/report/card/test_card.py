"""Oracle: the table as NumPy and hashlib read it, closed forms, and the JSON Schema."""

import csv
import dataclasses
import hashlib
import importlib.util
import json
import re
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest
import scipy

from jaxscale.compose import Pooled
from jaxscale.core.errors import BadInput
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.forecast.outlook import Ranked
from jaxscale.infer.search.starts import first_starts
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.objectives import gaussian
from jaxscale.objectives.noise import ConstantNoise
from jaxscale.report.card import law as card_law
from jaxscale.report.card.card import fit_card, forecast_card
from jaxscale.report.card.runs import ASKED
from jaxscale.report.card.schema import SCHEMA
from jaxscale.report.card.text import NOT_STATED, card_markdown, card_rows
from jaxscale.report.store.store import load, save
from jaxscale.studies import Study

OPEN = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def checked(card: dict) -> dict:
    """JSON as it stands, of the schema where that can be checked, with every null told and nothing told besides."""
    text = json.dumps(card, allow_nan=False)
    assert json.loads(text) == card
    if importlib.util.find_spec("jsonschema") is not None:
        import jsonschema

        jsonschema.Draft202012Validator.check_schema(SCHEMA)
        jsonschema.validate(card, SCHEMA)
    for path in card["unanswered"]:
        found = card
        for key, index in OPEN.findall(path):
            found = found[int(index) if index else key]
        assert found is None, path
    assert len(re.findall(r"(?::|\[|,) null", text)) == len(set(card["unanswered"]))
    return card


@pytest.fixture(scope="module")
def table(small_fit: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of the fit as a table under odd names, between two rows that a filter must leave out."""
    path = tmp_path_factory.mktemp("card") / "odd.csv"
    runs = small_fit.runs
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["n|samples", "Model, M", "tok B", "err %", "Peak LR", "LR schedule", "vocab", "ok", "run"])
        writer.writerow([1, 2, 3, 4, 5, "other", 6, 0, "z"])
        for i, (m, y) in enumerate(zip(np.asarray(runs.inputs["m"]), np.asarray(runs.target), strict=True)):
            sizes = (float(m), 10 * 2 ** (i % 3), i + 1, float(y))
            writer.writerow([*sizes, 1e-3 * (1 + i % 2), "cosine" if i % 2 else "wsd", "" if i else 32000, 1, i // 2])
        writer.writerow([2, 2, 3, 4, 5, "other", 6, 0, "z"])
    return path


@pytest.fixture(scope="module")
def study(table: Path) -> Study:
    mapping = {"m": "n|samples", "N": "Model, M[M]", "D": "tok B[B]", "loss": "err %[error]"}
    return Study.read(table, mapping, where="ok == 1", run_id="run", provenance={"tuning": "swept at each size"})


@pytest.fixture(scope="module")
def studied(small_fit: Fit, study: Study) -> Fit:
    return dataclasses.replace(small_fit, provenance=dict(study.provenance), table_remarks=study.remarks)


def test_a_card_is_json_and_every_open_question_is_told(small_fit, small_ensemble):
    card = checked(fit_card(small_fit, small_ensemble))
    assert {"units.parameters_counted", "units.loss_unit", "data.source", "setup.ranges.N"} <= set(card["unanswered"])
    assert {f"setup.{item}" for item in ASKED} <= set(card["unanswered"])
    assert {"seeds.draws", "holdout", "choice"} <= set(card["unanswered"])
    assert "uncertainty" in checked(fit_card(small_fit))["unanswered"]


def test_parameters_come_back_to_the_last_bit(small_fit):
    card = json.loads(json.dumps(fit_card(small_fit)))
    for name, value in small_fit.params.items():
        told = card["parameters"][name]
        assert float.fromhex(told["hex"]) == told["value"] == float(np.float64(value))
    assert float.fromhex(card["objective"]["value_hex"]) == small_fit.value


def test_the_table_answers_what_it_can(studied, study, table):
    card = checked(fit_card(studied, study=study))
    assert card["units"]["columns"] == "m=n|samples, N=Model, M[M], D=tok B[B], loss=err %[error]"
    assert card["units"]["loss_unit"] == "error"
    assert card["units"]["parameters_counted"] is None
    assert card["units"]["compute_counted"].startswith("6 N D")
    ranges, length = card["setup"]["ranges"], np.arange(1, 13) * 1e9
    size = 1e7 * 2.0 ** (np.arange(12) % 3)
    assert card["setup"]["sizes"] == 3
    assert ranges["N"] == {"least": 1e7, "most": 4e7, "distinct": 3}
    assert ranges["D"] == {"least": 1e9, "most": 12e9, "distinct": 12}
    assert ranges["C"]["most"] == pytest.approx((6 * size * length).max(), rel=1e-15)
    assert ranges["D/N"]["least"] == pytest.approx((length / size).min(), rel=1e-15)
    assert card["setup"]["learning_rate"] == {"Peak LR": {"least": 1e-3, "most": 2e-3, "distinct": 2}}
    assert card["setup"]["schedule"] == {"LR schedule": {"values": ["cosine", "wsd"]}}
    assert card["setup"]["tokenizer"] == {"vocab": {"least": 32e3, "most": 32e3, "distinct": 1, "missing": 11}}
    assert card["setup"]["tuning"] == {"tuning": "swept at each size"}
    assert card["setup"]["models"] == 12  # the fit's own clusters lie across its two groups
    assert card["data"]["rows"] == {"read": 14, "left_out": 2, "of_weight_zero": 0, "fitted": 12}
    assert card["data"]["exclusions"] == [{"left_out": 2, "of": 14, "kept_where": "ok == 1"}]
    assert card["data"]["checkpoints"]["told_by"] == "run"
    assert card["hashes"]["source_sha256"] == hashlib.sha256(table.read_bytes()).hexdigest()
    assert not {"setup.tuning", "setup.learning_rate", "data.source"} & set(card["unanswered"])


def test_rows_that_nobody_called_independent_are_an_open_question(small_fit):
    told = {"source": "here", "exclusions": "kept 20 of 24 rows: a > 1; kept 12 of 20 rows: b == 'x; y'"}
    card = checked(fit_card(dataclasses.replace(small_fit, provenance=told)))
    assert "data.checkpoints.told_by" in card["unanswered"]
    assert [(e["left_out"], e["of"], e["kept_where"]) for e in card["data"]["exclusions"]] == [
        (4, 24, "a > 1"),
        (8, 20, "b == 'x; y'"),
    ]
    assert card["data"]["rows"]["read"] == 24


def test_another_study_is_refused(studied, study):
    with pytest.raises(BadInput, match=r"expected the study that was fitted, of 12 runs, got 'odd' of 6"):
        fit_card(studied, study=study.where("vocab is None").select(np.arange(11) < 6, "half"))
    shifted = dataclasses.replace(study, columns={**study.columns, "loss": study.columns["loss"] * 1.01})
    with pytest.raises(BadInput, match="with other losses"):
        fit_card(studied, study=shifted)


def test_hashes_follow_the_runs(small_fit, tmp_path):
    first = fit_card(small_fit)["hashes"]["runs_sha256"]
    assert fit_card(small_fit)["hashes"]["runs_sha256"] == first
    runs = small_fit.problem.runs
    nudged = dataclasses.replace(runs, target=runs.target.at[3].set(np.nextafter(runs.target[3], np.inf)))
    other = dataclasses.replace(small_fit, problem=dataclasses.replace(small_fit.problem, runs=nudged))
    assert fit_card(other)["hashes"]["runs_sha256"] != first
    columns = {name: np.asarray(getattr(small_fit.runs, name)) for name in ("target", "weight", "group", "cluster")}
    columns |= {"noise": np.asarray(small_fit.runs.noise), "m": np.asarray(small_fit.runs.inputs["m"])}
    by_hand = hashlib.sha256(b"".join(name.encode() + columns[name].tobytes() for name in sorted(columns)))
    assert first == by_hand.hexdigest()
    source = Path(importlib.util.find_spec(type(small_fit.law).__module__).origin).read_text("utf-8")
    text = re.search(r"^class PowerLawWithFloor\(.*?(?=^\S)", source + "\nend", re.DOTALL | re.MULTILINE)[0]
    told = fit_card(small_fit)["hashes"]["law_source_sha256"]
    assert told == {"PowerLawWithFloor": hashlib.sha256(text.rstrip("\n").encode() + b"\n").hexdigest()}


def test_versions_are_those_that_run(small_fit):
    told = fit_card(small_fit)["versions"]
    assert (told["jax"], told["numpy"], told["scipy"]) == (jax.__version__, np.__version__, scipy.__version__)
    assert told["precision"] == str(jax.dtypes.canonicalize_dtype(float))


def test_residuals_by_hand(studied, study, eps):
    p = {name: float(value) for name, value in studied.params.items()}
    m, y = (np.asarray(x, np.float64) for x in (studied.runs.inputs["m"], studied.runs.target))
    left = np.abs(np.log(p["alpha"] * m ** -p["beta"] + p["gamma"]) - np.log(y))
    told = fit_card(studied, study=study)["fit"]
    # The law and two logarithms near one, each rounded a few times.
    assert told["mean_absolute"] == pytest.approx(left.mean(), abs=32 * eps)
    assert told["root_mean_square"] == pytest.approx(np.sqrt(np.mean(left**2)), abs=32 * eps)
    assert told["largest"] == pytest.approx(left.max(), abs=32 * eps)
    assert told["largest_at_row"] == np.argmax(left) + 2  # the owner's table has one row before the first that was kept


def test_starts_are_told_as_they_are_made(small_fit):
    told = fit_card(small_fit)["search"]
    assert told["starts"] == 3  # two, and the law's own values
    (points,) = re.findall(r"of (\d+) points", told["how_chosen"])
    assert int(points) == len(first_starts(small_fit.problem, 10**6, 0)) - 1
    assert told["second_optimum"] == "none found"


def test_a_second_optimum_is_told_with_its_place(small_fit):
    found = dataclasses.replace(
        small_fit,
        certificate=dataclasses.replace(small_fit.certificate, distinct=2, second_gap=0.03),
        alternatives=(np.asarray(small_fit.problem.split.vector()),),
    )
    second = checked(fit_card(found))["search"]["second_optimum"]
    assert second["relative_excess"] == 0.03
    # Through coordinates and back: a logarithm and an exponential round.
    eps = float(np.finfo(small_fit.runs.target.dtype).eps)
    assert second["parameters"] == pytest.approx({k: float(x) for k, x in small_fit.params.items()}, rel=64 * eps)
    assert second["parameters"]["alpha"] != float(type(small_fit.law)().alpha)


def test_what_json_cannot_hold_is_an_open_question_and_a_warning(small_fit):
    found = dataclasses.replace(small_fit, certificate=dataclasses.replace(small_fit.certificate, condition=np.inf))
    card = checked(fit_card(found))
    assert "search.hessian_condition" in card["unanswered"]
    assert any("search.hessian_condition is inf" in warning for warning in card["warnings"])


def test_draws_say_what_was_drawn(small_fit, small_ensemble):
    told = fit_card(small_fit, small_ensemble, seed=1)
    assert told["seeds"] == {"starts": 3, "draws": 1}
    told = told["uncertainty"]
    assert (told["kind"], told["draws"], told["failed"]) == ("bootstrap", 16, small_ensemble.failed)
    assert (told["unit"], told["units"]) == ("a row", 12)
    assert "with replacement" in told["scheme"]
    kept = np.asarray(small_ensemble.ok().law.alpha, np.float64)
    # Reported from the draws' own precision.
    assert told["standard_errors"]["alpha"] == pytest.approx(kept.std(ddof=1), rel=1e-5)
    drawn = checked(fit_card(small_fit, dataclasses.replace(small_ensemble, method="nuts:curved")))["uncertainty"]
    assert (drawn["kind"], drawn["unit"], drawn["units"]) == ("posterior", "none", 0)


def test_likelihoods_tell_their_scale_and_priors(good_posterior):
    told = checked(fit_card(good_posterior.fit))["objective"]
    assert told["estimated"]["noise.sigma"]["value"] == float(gaussian(ConstantNoise(0.02)).noise.sigma)
    assert set(told["priors"]) == set(good_posterior.fit.problem.split.free)
    assert told["priors"]["beta"].startswith("LogNormal(")


def test_the_laws_inside_a_joint_law_are_found():
    joint = Pooled(Chinchilla(), ("E",), ("c4", "pile"))
    assert list(card_law.law_classes(joint)) == [Pooled, Chinchilla]


def outlook_of(fit: Fit, ensemble) -> SimpleNamespace:
    """Three laws at two origins: the second lost by 0.01, the third exploded at the last origin."""
    scored = np.array([[False] * 4 + [True] * 8, [False] * 8 + [True] * 4])
    parts = SimpleNamespace(
        labels=("C < 1", "C < 2"), fitted=~scored, scored=scored, decades=np.where(scored, np.arange(12) / 10, 9.0)
    )
    error = np.array([[0.01, 0.01], [0.02, 0.02], [0.5, np.inf]])
    return SimpleNamespace(
        ranking=(Ranked("best", 0.01, 0.003), Ranked("next", 0.02, 0.001), Ranked("wild", np.inf, 0.002, "explodes")),
        origins=SimpleNamespace(labels=("best", "next", "wild"), parts=parts, error=error),
        weights={"best": 0.75, "next": 0.25},
        bands=dataclasses.make_dataclass("Bands", [("noise", float), ("growth", np.ndarray)])(0.1, np.arange(2.0)),
        chosen="best",
        fit=fit,
        ensemble=ensemble,
    )


def test_a_forecast_tells_who_lost_and_by_how_much(studied, small_ensemble, study):
    held = study.select(np.arange(12) > 9, "m > 1e6")
    record = {"test": {"mean_relative_error": 0.02}, "forecasts": None, "warnings": ["far"]}
    found = outlook_of(studied, small_ensemble)
    card = checked(forecast_card(found, study, held, record=record, seed=0))  # type: ignore[arg-type]
    assert card["holdout"] == {"rule": "m > 1e6", "runs": 2, "scores": {"mean_relative_error": 0.02}}
    assert card["choice"]["runner_up_lost_by"] == pytest.approx(0.01, rel=1e-12)
    assert [r["law"] for r in card["forecast"]["ranking"]] == ["best", "next", "wild"]
    assert card["forecast"]["ranking"][2] == {"law": "wild", "in_sample": 0.002, "not_ranked": "explodes"}
    first, last = card["forecast"]["origins"]
    assert (first["fitted"], first["scored"], first["furthest_decades"], first["laws_without_score"]) == (4, 8, 1.1, [])
    assert last["laws_without_score"] == ["wild"]
    assert card["forecast"]["bands"] == {"noise": 0.1, "growth": [0.0, 1.0]}
    assert card["warnings"] == ["far"]
    untested = checked(forecast_card(found, study, held))  # type: ignore[arg-type]
    assert "holdout.scores" in untested["unanswered"]


def test_rows_leave_nothing_out(studied, study, small_ensemble):
    card = fit_card(studied, small_ensemble, study)
    rows = card_rows(card)
    answers = [answer for _, _, answer in rows]
    assert all(told["hex"] in " ".join(answers) for told in card["parameters"].values())
    open_items = [path for path in card["unanswered"] if path not in ("holdout", "choice")]
    assert sum(answer.count(NOT_STATED) for answer in answers) == len(open_items)
    assert ("Hold-out", "", "no runs were held out") in rows
    assert rows[-1] == ("Unanswered", "", ", ".join(card["unanswered"]))
    markdown = card_markdown(card)
    assert r"m=n\|samples" in markdown
    lines = [line for line in markdown.splitlines() if line.startswith("| ")]
    assert len(lines) == len(rows) + len({section for section, _, _ in rows})
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 3 for line in lines)


def test_a_saved_fit_keeps_its_card(tmp_path, studied, study):
    pytest.importorskip("h5py")
    card = fit_card(studied, study=study)
    save(tmp_path / "with.nc", studied, card=card)
    save(tmp_path / "without.nc", studied)
    assert load(tmp_path / "with.nc").card == card
    assert load(tmp_path / "without.nc").card is None
