"""Objectives by name: there and back, and what is refused."""

import inspect
import re
import sys

import pytest

from jaxscale.core.errors import BadInput
from jaxscale.laws import catalogue
from jaxscale.objectives import objective_from_name, penalty
from jaxscale.objectives.parse import objective_names


@pytest.mark.parametrize(
    "name",
    [
        "log-huber:0.001",
        "log-huber:0.003",
        "log-lad",
        "log-squares",
        "raw-huber:0.001",
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
    assert len(objective_names()) == 9


def test_every_penalty_that_python_builds_has_a_name_that_builds_it() -> None:
    """Oracle: the functions of the module, as its text defines them."""
    made = [
        build for build in vars(penalty).values() if inspect.isfunction(build) and not build.__name__.startswith("_")
    ]
    own = [build for build in made if build.__module__ == penalty.__name__]
    assert len(own) >= 6
    for build in own:
        assert objective_from_name(build().name).name == build().name


def test_a_law_s_words_name_objectives_that_can_be_asked_for() -> None:
    """In docstrings of laws an objective is written as the command line takes it."""
    words = " ".join(f"{sys.modules[law.__module__].__doc__} {law.__doc__}" for law in catalogue().values())
    named = set(re.findall(r"`((?:log|raw)-[\w:.-]+|(?:log|raw)_\w+\([^)]*\))`", words))
    assert "raw-huber:1e-3" in named
    for name in named:
        objective_from_name(name)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("huber", "expected one of"),
        ("log-huber:wide", "expected log-huber:delta, got 'log-huber:wide'"),
        ("log-huber:1e-3:2", "leave out what does not belong"),
        ("log-lad:3", "leave out what does not belong"),
        ("log-huber:1e-3x", "expected a number, got '1e-3x'"),
        ("log-huber:-1", "delta: expected a number of at least 1e-12, got -1"),
    ],
)
def test_the_rest_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        objective_from_name(text)
