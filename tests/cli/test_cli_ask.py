"""`plan`, `predict`, `laws`, `data`, `cite`, `demo`: answers, JSON, exit status."""

import csv
import json
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from benchmarks.measure.corpus import zipf_entropy
from jaxscale.core.law import signature
from jaxscale.infer.fit import fit
from jaxscale.laws import catalogue
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.objectives.likelihood import student_t
from jaxscale.plan import allocate
from jaxscale.studies import datasets, load

from .conftest import invoke, refused


def test_plan_is_the_law_s_closed_form(fit_file, simulated_fit, eps):
    result = invoke("plan", fit_file, "--flops", "1e23", "--json", "-")
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    law = simulated_fit[0].law
    N, D = law.compute_optimal(np.asarray(1e23, law.E.dtype))
    # Newton on the slope resolves log N to eps over the curvature of log L, about 0.02.
    assert record["point"]["N"] == pytest.approx(float(N), rel=3e3 * eps)
    assert record["point"]["D"] == pytest.approx(float(D), rel=3e3 * eps)
    q = record["quantiles"]["N"]
    assert q["0.05"] < q["0.25"] < q["0.5"] < q["0.75"] < q["0.95"]
    assert record["decades_beyond"] == pytest.approx(np.log10(1e23 / _reach(simulated_fit)), rel=1e-3)
    assert any("Extrapolation" in w for w in record["warnings"])
    assert record["simulated"]


def _reach(simulated_fit):
    runs = simulated_fit[0].runs
    return float(np.max(6 * np.asarray(runs.inputs["N"], float) * np.asarray(runs.inputs["D"], float)))


def test_plan_for_people(fit_file):
    text = invoke("plan", fit_file, "--flops", "1e22").stdout
    assert text.startswith("SIMULATED: For 1e22 FLOP train ")
    assert "D/N (tokens per parameter)" in text
    assert "90 % interval" in text
    assert "At the same compute" in text


def test_plan_by_loss_inverts_plan_by_budget(fit_file, simulated_fit, eps):
    loss = float(allocate(simulated_fit[0].law, 1e22).loss)
    record = json.loads(invoke("plan", fit_file, "--loss", f"{loss:.17g}", "--json", "-").stdout)
    # d ln C / d ln L is about 40 here: the loss's rounding is magnified as much, over the range of the bisection.
    assert record["flops"] == pytest.approx(1e22, rel=1e4 * eps)
    assert record["target_loss"] == pytest.approx(loss)
    assert set(record["quantiles"]) == {"N", "D", "loss", "tokens_per_param", "flops"}


def test_plan_on_a_bound_says_so(fit_file):
    record = json.loads(invoke("plan", fit_file, "--flops", "1e22", "--max-size", "1B", "--json", "-").stdout)
    assert record["on_bound"] is True
    assert record["point"]["N"] == pytest.approx(1e9, rel=1e-4)
    assert any(w.startswith("On a bound") for w in record["warnings"])


def test_predict_agrees_with_the_law_and_tells_the_distance(fit_file, simulated_fit, eps):
    result = invoke("predict", fit_file, "--at", "N=70e9,D=1.4T", "--at", "N=1B,D=2e10", "--json", "-")
    record = json.loads(result.stdout)
    law = simulated_fit[0].law
    for point in record["points"]:
        inputs = {k: np.asarray(v, law.E.dtype) for k, v in point["inputs"].items()}
        assert point["loss"] == pytest.approx(float(law(**inputs)), rel=8 * eps)
        assert point["quantiles"]["0.05"] <= point["quantiles"]["0.95"]
    assert record["points"][0]["decades_beyond"] > 1
    assert record["points"][1]["decades_beyond"] == 0


def test_predict_from_a_table_to_a_table(fit_file, tmp_path):
    (tmp_path / "ask.csv").write_text("model,toks\n1B,20\n7B,140\n")
    result = invoke(
        *("predict", fit_file, "--file", tmp_path / "ask.csv", "--map", "N=model", "--map", "D=toks[B]"),
        *("--csv", tmp_path / "answer.csv"),
    )
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader((tmp_path / "answer.csv").read_text().splitlines()))
    assert [float(row["D"]) for row in rows] == [2e10, 1.4e11]
    assert all(row["simulated"] == "yes" for row in rows)
    assert "SIMULATED" in result.stdout


def test_laws_json_lists_the_catalogue():
    record = json.loads(invoke("laws", "--json").stdout)
    assert [law["name"] for law in record] == list(catalogue())
    assert all({"name", "module", "cite", "inputs", "output", "units"} <= set(law) for law in record)


def test_laws_json_says_what_a_law_is():
    (record,) = json.loads(invoke("laws", "chinchilla", "--json").stdout)
    assert record["about"] == "loss"
    assert record["formula"].startswith("L(N, D) = E + ")
    assert record["published"]["besiroglu2024"]["values"]["E"] == pytest.approx(1.8169, abs=5e-5)
    assert record["domain"]["N"] == [1e6, 1e13]


def test_laws_are_filtered_by_question_and_by_inputs():
    names = {law["name"] for law in json.loads(invoke("laws", "--given", "N,D", "--json").stdout)}
    # Oracle: the signatures of the classes themselves.
    inputs = {name: set(signature(cls()).inputs) for name, cls in catalogue().items()}
    assert names == {name for name, needs in inputs.items() if needs <= {"N", "D"}}
    of_data = json.loads(invoke("laws", "--about", "data", "--json").stdout)
    assert {law["module"].split(".")[2] for law in of_data} == {"data"}
    assert {law["name"] for law in of_data} == {n for n, c in catalogue().items() if ".laws.data." in c.__module__}


def test_laws_as_a_page(tmp_path):
    invoke("laws", "Chinchilla", "--gallery", tmp_path / "laws.html")
    page = (tmp_path / "laws.html").read_text()
    elements = ElementTree.fromstring(re.sub("<meta [^>]*>", "", page.partition("\n")[2]))
    assert elements.find(".//h4[@id='Chinchilla']") is not None
    assert len(elements.findall(".//{http://www.w3.org/1998/Math/MathML}math")) > 1
    assert len(elements.findall(".//{http://www.w3.org/2000/svg}svg")) == 1
    text = "".join(elements.itertext())
    for said in ("besiroglu2024", "E = 1.81686", "Training Compute-Optimal Large Language Models", "size exponent"):
        assert said in text
    # Nothing is loaded from elsewhere: addresses are names of namespaces only.
    assert set(re.findall(r'(?:src|href)="(?!#)([^"]*)"', page)) == set()


def test_laws_for_people():
    shown = invoke("laws").stdout
    assert "Chinchilla" in shown
    assert "hoffmann2022training" in shown
    shown = invoke("laws", "chinchilla").stdout
    assert "besiroglu2024" in shown
    assert "size exponent" in shown


def test_data_lists_every_set_with_licence():
    record = json.loads(invoke("data", "--json").stdout)
    assert [d["name"] for d in record] == list(datasets())
    assert all(d["licence"] and d["citation"] for d in record)
    assert "chinchilla_besiroglu" in invoke("data").stdout


def test_data_by_name_shows_ranges(data_dir):
    shown = invoke("data", "chinchilla_besiroglu").stdout
    assert "runs: 245" in shown


@pytest.mark.parametrize(
    ("what", "expected"),
    [("Chinchilla", "hoffmann2022training"), ("data:chinchilla_besiroglu", "2404.10102"), (None, "@software{jaxscale")],
)
def test_cite(what, expected):
    shown = invoke("cite", *([what] if what else [])).stdout
    assert expected in shown
    assert "@software{jaxscale" in shown


def test_cite_a_fit_names_law_method_and_data(fit_file):
    shown = invoke("cite", fit_file).stdout
    assert "hoffmann2022training" in shown
    assert "besiroglu2024chinchilla" in shown
    assert "% data: simulated from besiroglu2024 coefficients" in shown


def test_demo_holds_its_forecast_against_training(tmp_path):
    """The shipped runs, forecast by the law that `fit` finds, and nothing called simulated."""
    result = invoke("demo", "--out", tmp_path / "demo", "--bootstrap", "64", "--json", tmp_path / "demo.json")
    assert result.exit_code == 0, result.output
    assert "SIMULATED" not in result.stdout
    record = json.loads((tmp_path / "demo.json").read_text())
    assert record["simulated"] is None
    study = load("pocket_grid", where="corpus == 'zipf'")
    alone = fit(Chinchilla(), study, student_t())
    for name, value in alone.params.items():
        assert record["params"][name] == pytest.approx(float(value), rel=1e-6)
    trained = load("pocket_larger", where="corpus == 'zipf'").columns["loss"]
    assert record["heldout_loss"] == trained.tolist()
    for point, loss in zip(record["forecast"], trained, strict=True):
        assert f"{point['loss']:.4f}" in result.stdout
        assert f"{loss / point['loss'] - 1:+.2%}" in result.stdout
    assert record["plan"]["flops"] == pytest.approx(30 * (6 * study.columns["N"] * study.columns["D"]).max())
    assert f"{zipf_entropy():.4f} nats. The 90 % interval holds it" in result.stdout
    assert {p.name for p in (tmp_path / "demo").glob("*.png")} >= {"contours.png", "corner.png"}


def test_version_and_help_answer():
    assert invoke("--version").stdout.startswith("jaxscale ")
    assert "demo" in invoke("--help").stdout


def test_a_plan_at_another_cost_of_a_token(fit_file, tmp_path):
    """18 FLOP per parameter and token: three times the budget buys the same run, whatever the law."""
    records = []
    for arguments in (("--flops", "1e21"), ("--flops", "3e21", "--per-token", "18")):
        invoke("plan", fit_file, *arguments, "--json", tmp_path / "plan.json")
        records.append(json.loads((tmp_path / "plan.json").read_text()))
    dense, tripled = records
    assert tripled["point"] == pytest.approx(dense["point"], rel=1e-3)
    assert tripled["quantiles"]["N"] == pytest.approx(dense["quantiles"]["N"], rel=1e-3)
    assert (dense["flop_per_param_token"], tripled["flop_per_param_token"]) == (6, 18)
    for alternative, same in zip(dense["alternatives"], tripled["alternatives"], strict=True):
        assert alternative == pytest.approx(same, rel=1e-2)
    refused(invoke("plan", fit_file, "--flops", "1e21", "--per-token", "0"), ["--per-token", "positive"])


def test_points_are_read_as_people_write_them_and_it_is_told(fit_file, tmp_path):
    (tmp_path / "ask.csv").write_text("model;toks\nM;B\n1300,5;20,25\n7000;140,5\n")
    asked = ("predict", fit_file, "--file", tmp_path / "ask.csv", "--map", "N=model", "--map", "D=toks")
    result = invoke(*asked, "--json", "-")
    record = json.loads(result.stdout)
    assert [point["inputs"]["D"] for point in record["points"]] == [20.25e9, 140.5e9]
    assert [point["inputs"]["N"] for point in record["points"]] == [1300.5e6, 7000e6]
    for said in ("separated by semicolons", "decimal commas were read", "units: model [M], toks [B]"):
        assert any(said in warning for warning in record["warnings"]), record["warnings"]
    refused(invoke(*asked, "--max-table", "20B"), ["at most 20B", "--max-table 80B"])


def test_points_are_read_from_the_sheet_that_is_named_and_commas_as_stated(fit_file, tmp_path):
    with pd.ExcelWriter(tmp_path / "ask.xlsx", engine="openpyxl") as book:
        for name, sizes in (("small", ["1,300", "2,600"]), ("large", ["7,125", "9,250"])):
            pd.DataFrame({"model": sizes, "toks": [2e11, 4e11]}).to_excel(book, sheet_name=name, index=False)
    asked = ("predict", fit_file, "--file", tmp_path / "ask.xlsx", "--map", "N=model[B]", "--map", "D=toks")
    refused(invoke(*asked), ["'1,300'", "1300 with a comma between thousands (--decimal .)", "say which"])
    record = json.loads(invoke(*asked, "--decimal", ",", "--json", "-").stdout)
    assert [point["inputs"]["N"] for point in record["points"]] == [1.3e9, 2.6e9]
    assert any("not 'large': name another one, --sheet" in warning for warning in record["warnings"])
    record = json.loads(invoke(*asked, "--decimal", ",", "--sheet", "large", "--json", "-").stdout)
    assert [point["inputs"]["N"] for point in record["points"]] == [7.125e9, 9.25e9]
    refused(invoke(*asked, "--sheet", "larg"), ["--sheet: there is no sheet 'larg'", "'large'"])


@pytest.mark.parametrize("option", ["--map", "--where", "--group", "--sheet", "--decimal"])
def test_what_belongs_to_a_table_of_points_is_refused_without_one(fit_file, option):
    result = invoke("predict", fit_file, "--at", "N=1e9,D=1e10", option, "N=x")
    refused(result, [option, "--file only"])


def test_an_input_that_the_law_does_not_take_is_told(fit_file):
    result = invoke("predict", fit_file, "--at", "N=1e9,D=1e10,C=6e19")
    assert "Not used: C: no input of Chinchilla." in result.stdout
