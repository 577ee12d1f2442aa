"""Objectives by name: there and back, and what is refused."""

import pytest

from jaxscale.core.errors import BadInput
from jaxscale.objectives import objective_from_name
from jaxscale.objectives.parse import objective_names


@pytest.mark.parametrize(
    "name",
    [
        "log-huber:0.001",
        "log-huber:0.003",
        "log-lad",
        "log-squares",
        "raw-squares",
        "lower-envelope:0.001:0.1",
        "gaussian",
        "gaussian:N",
        "student-t:5",
        "student-t:4:N:D",
        "huber-density:1",
        "huber-density:0.5:D",
    ],
)
def test_there_and_back(name: str) -> None:
    assert objective_from_name(name).name == name


def test_defaults() -> None:
    assert objective_from_name("log-huber").name == "log-huber:0.001"
    assert objective_from_name("student-t:N").name == "student-t:5:N"
    assert len(objective_names()) == 8


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("huber", "expected one of"),
        ("log-huber:wide", "expected log-huber:delta, got 'log-huber:wide'"),
        ("log-huber:1e-3:2", "leave out what does not belong"),
        ("log-lad:3", "leave out what does not belong"),
        ("log-huber:1e-3x", "expected a number, got '1e-3x'"),
        ("log-huber:-1", "delta: expected a positive number"),
    ],
)
def test_the_rest_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        objective_from_name(text)
