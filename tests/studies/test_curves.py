"""Quantities with axes from long tables. Oracle: the arrays that the tables were written from."""

from typing import Any

import numpy as np
import pytest

from jaxscale.core import quantities as q
from jaxscale.core import schedule as sch
from jaxscale.core.errors import BadInput
from jaxscale.core.law import Signature
from jaxscale.studies import Study

WANTED = Signature(
    {"schedule": q.quantity_of(q.Schedule), "S": q.quantity_of(q.CurveSteps)}, q.quantity_of(q.LossCurve)
)
MAPPING = {"S": "step[steps]", "schedule": "plan[segments]", "loss": "loss[nats]"}
# Rows of the runs stand mixed, and one curve is shorter.
TABLE: dict[str, Any] = {
    "run": ["a", "b", "a", "b", "a"],
    "step": [100, 200, 300, 400, 500],
    "plan": [
        "constant 500 1e-3",
        "warmup 100 1e-3; cosine 400 1e-3 1e-4",
        "constant 500 1e-3",
        "warmup 100 1e-3; cosine 400 1e-3 1e-4",
        "constant 500 1e-3",
    ],
    "loss": [5.0, 4.5, 4.0, 3.5, 3.0],
}


def test_rows_of_a_run_become_its_curve() -> None:
    study = Study.read(TABLE, MAPPING, run_id="run")
    runs = study.runs(WANTED)
    np.testing.assert_array_equal(runs.inputs["S"], [[100, 300, 500], [200, 400, 400]])
    np.testing.assert_array_equal(runs.target, [[5, 4, 3], [4.5, 3.5, 3.5]])
    np.testing.assert_array_equal(runs.weight, [[1, 1, 1], [1, 1, 0]])
    np.testing.assert_array_equal(runs.cluster, [0, 1])
    expected = sch.schedules([[sch.constant(500, 1e-3)], [sch.warmup(100, 1e-3), sch.cosine(400, 1e-3, 1e-4)]])
    np.testing.assert_allclose(runs.inputs["schedule"], expected, rtol=1e-6)


def test_a_filter_keeps_the_texts() -> None:
    runs = Study.read(TABLE, MAPPING, run_id="run").where("run == 'b'").runs(WANTED)
    assert runs.inputs["schedule"].shape == (1, 2, 4)
    np.testing.assert_array_equal(runs.inputs["S"], [[200, 400]])


def test_an_input_that_changes_within_a_run_is_refused() -> None:
    other = {**TABLE, "plan": [*TABLE["plan"][:4], "constant 500 2e-3"]}
    with pytest.raises(BadInput, match="row 5: expected schedule as in row 1, which is of the same run"):
        Study.read(other, MAPPING, run_id="run").runs(WANTED)


def test_a_text_that_is_no_schedule_is_refused() -> None:
    other = {**TABLE, "plan": [*TABLE["plan"][:4], "constant 500"]}
    with pytest.raises(BadInput, match=r"expected segments such as .*, got 'constant 500'"):
        Study.read(other, MAPPING, run_id="run").runs(WANTED)


def test_a_mixture_is_read_from_columns_of_shares() -> None:
    wanted = Signature({"h": q.quantity_of(q.Mixture)}, q.NATS)
    table = {"web": [0.5, 1.0, 0.0], "code": [0.5, 0.0, 1.0], "loss": [3.0, 2.0, 4.0]}
    mapping = {"h.web": "web", "h.code": "code", "loss": "loss[nats]"}
    runs = Study.read(table, mapping).runs(wanted)
    np.testing.assert_array_equal(runs.inputs["h"], [[0.5, 0.5], [1, 0], [0, 1]])
    assert runs.target.shape == (3,)
    with pytest.raises(BadInput, match=r"row 2: expected h as shares of zero or more that sum to one, got .* 0.8"):
        Study.read({**table, "web": [0.5, 0.8, 0.0]}, mapping).runs(wanted)
