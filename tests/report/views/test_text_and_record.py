"""Sentences, numbers and records: short checks with known answers."""

import dataclasses
import json

import numpy as np
import pytest

from jaxscale.compose import Pooled
from jaxscale.core.errors import BadInput
from jaxscale.core.law import signature
from jaxscale.core.runs import Runs
from jaxscale.infer.fit import fit
from jaxscale.laws.loss.hestness2017 import PowerLaw
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.plan.plan_run import group_index, plan_run
from jaxscale.report.views import numbers, record, text


@pytest.mark.parametrize(
    ("value", "shown"),
    [(97.2e9, "97.2B"), (1.72e12, "1.72T"), (999.9e6, "1B"), (512, "512"), (1500, "1.5k"), (3e17, "3e+17")],
)
def test_counts(value, shown):
    assert numbers.count(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(1e24, "1e24"), (5.84e20, "5.8e20")])
def test_flops(value, shown):
    assert numbers.flops(value) == shown


def test_numbers_that_json_cannot_hold_become_null_and_a_warning():
    made = record.finite({"a": float("nan"), "b": [1.0, np.inf], "warnings": ["first"]})
    json.dumps(made, allow_nan=False)
    assert made["a"] is None
    assert made["b"] == [1.0, None]
    assert made["warnings"][0] == "first"
    assert "a is nan" in made["warnings"][1]
    assert "b[1] is inf" in made["warnings"][1]


def test_a_fit_s_record_is_json(small_fit, small_ensemble):
    made = record.fit_record(small_fit, small_ensemble)
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert made["bootstrap"]["n"] == 16
    assert made["bootstrap"]["failed"] == small_ensemble.failed
    assert any("did not converge" in w for w in made["warnings"])
    assert made["simulated"] is None


def test_a_joint_law_says_so():
    assert record.law_name(Pooled(Chinchilla(), ("E", "A"), ("c4", "pile"))) == (
        "Pooled(Chinchilla, split=E,A, groups=c4,pile)"
    )


def test_the_sentence_names_law_runs_and_verdict(small_fit):
    said = text.fit_sentence(small_fit, "mine")
    assert said.startswith("PowerLawWithFloor fitted to mine, 12 runs, by log-huber:0.001: ")
    assert said.endswith("certified.")


def test_a_unit_that_nobody_stated_is_said_to_be_taken(small_fit):
    """The law's unit is printed beside numbers: where the table stated none, that is said."""
    told = " Unit of the loss not stated, taken as nats."
    undeclared, stated, by_hand = {"loss_unit": "undeclared"}, {"loss_unit": "nats"}, {}
    of_text = dataclasses.replace(small_fit, law=Chinchilla())
    assert text.reach_sentence(dataclasses.replace(of_text, provenance=undeclared)).endswith(told)
    own_unit = (small_fit, undeclared)
    for fitted, provenance in ((of_text, stated), (of_text, by_hand), own_unit):
        assert "not stated" not in text.reach_sentence(dataclasses.replace(fitted, provenance=provenance))


def test_rows_of_few_runs_are_not_called_runs():
    rng = np.random.default_rng(8)
    m, loss = np.geomspace(1e6, 1e9, 12), np.geomspace(4, 3, 12) * np.exp(0.01 * rng.standard_normal(12))
    fitted = fit(PowerLaw(), Runs.of({"m": m}, loss, cluster=np.repeat([0, 1, 2], 4)), starts=0)
    assert "12 rows of 3 runs, by log-huber" in text.fit_sentence(fitted)
    made = record.fit_record(fitted)
    assert (made["runs"], made["independent_runs"]) == (12, 3)
    assert any(w.startswith("12 rows of 3 independent runs carry the intervals") for w in made["warnings"])


def test_a_law_without_size_and_data_is_not_planned(small_fit):
    with pytest.raises(BadInput, match="Chinchilla"):
        plan_run(small_fit, flops=1e20)
    with pytest.raises(BadInput, match="not a joint one"):
        group_index(small_fit, "c4")


def test_records_of_laws_state_units():
    made = record.law_record(Chinchilla)
    assert made["inputs"] == list(signature(Chinchilla()).inputs)
    assert made["units"] == {"N": "params", "D": "tokens", "output": "nats"}
    assert made["cite"] == "hoffmann2022training"


def test_a_standard_error_is_not_made_by_a_few_wild_draws():
    rng = np.random.default_rng(2)
    column = rng.standard_normal(4000)
    assert text._spread(column) == pytest.approx(1, rel=0.05)  # of a Gaussian: its standard deviation
    assert text._spread(np.append(column, 1e80)) == pytest.approx(1, rel=0.05)
