"""Wrong tables do not pass silently, right ones draw no alarm: fresh draws of each kind, read and fitted.

The thresholds were chosen on other seeds than these.
"""

from collections.abc import Iterable

import pytest

from jaxscale import BadInput, fit
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.studies import Study
from jaxscale.testing.faults import FAULTS, wrong
from jaxscale.testing.tables import Drawn, right

# One of these words must stand in the refusal or in a remark.
NAMED = {
    "parameters in millions": ("in millions",),
    "counts in thousands": ("in thousands", "in another unit"),
    "half of the rows in another unit": ("in another unit", "Are units"),
    "N and D swapped": ("swapped",),
    "perplexity without a unit": ("perplexity",),
    "bits stated as nats": ("in bits (",),
    "log10 of the loss": ("a logarithm",),
    "percent": ("percent",),
    "a constant loss": ("in every row",),
    "rows off": ("ow ", "rows "),
    "two tokenisers": ("tokeniser",),
    "checkpoints of four runs": ("give its column as `run_id=...`",),
}


def said(drawn: Drawn) -> tuple[str, ...]:
    """The refusal, or the alarms among the remarks of reading and fitting."""
    try:
        study = Study.read(drawn.table, drawn.mapping, **drawn.options)
    except BadInput as error:
        return (str(error),)
    return tuple(x for x in fit(Chinchilla(), study, starts=8).remarks if x.startswith("Check"))


def silent(seeds: Iterable[int], runs: int | None) -> list[tuple[str, int, tuple[str, ...]]]:
    found = ((fault, seed, said(wrong(fault, seed, runs))) for fault in FAULTS for seed in seeds)
    return [(fault, seed, text) for fault, seed, text in found if not any(w in " ".join(text) for w in NAMED[fault])]


def alarmed(seeds: Iterable[int], runs: int | None) -> list[tuple[int, tuple[str, ...]]]:
    found = ((seed, said(right(seed, runs))) for seed in seeds)
    return [(seed, text) for seed, text in found if text]


def test_most_faults_are_named() -> None:
    assert set(NAMED) == set(FAULTS)
    assert len(missed := silent(range(7000, 7003), 24)) <= 2, missed


def test_right_tables_draw_no_alarm() -> None:
    assert len(false := alarmed(range(7000, 7050), 24)) <= 1, false


@pytest.mark.slow
def test_of_all_sizes() -> None:
    """Ten times as many tables as above; the shares are the same."""
    assert len(missed := silent(range(8000, 8030), None)) <= 20, missed
    assert len(false := alarmed(range(8000, 8500), None)) <= 10, false
