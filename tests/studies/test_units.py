"""Units at the edge, against their definitions and round trips."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxscale.core.errors import BadInput
from jaxscale.studies import Study
from jaxscale.studies.units import cell, count_unit, loss_unit, split_unit

EPS = float(np.finfo(np.float64).eps)


@pytest.mark.parametrize(
    ("symbol", "unit", "scale", "word"),
    [
        ("N", "M", 1e6, ""),
        ("N", "params", 1.0, "params"),
        ("N", "B params", 1e9, "params"),
        ("N", "millions", 1e6, ""),
        ("D", "tokens", 1.0, "tokens"),
        ("D", "T", 1e12, ""),
        ("D", "Gtokens", 1e9, "tokens"),
        ("D", "1e9", 1e9, ""),
        ("D", "samples", 1.0, "samples"),
        ("C", "FLOPs", 1.0, "FLOP"),
        ("C", "EFLOP", 1e18, "FLOP"),
        ("C", "ZFLOP", 1e21, "FLOP"),
        ("C", "PF-days", 8.64e19, "FLOP"),
        ("C", "PFd", 8.64e19, "FLOP"),
        ("S", "k steps", 1e3, "steps"),
        ("E", "experts", 1.0, "experts"),
        ("V", "k entries", 1e3, "entries"),
        ("lr", "1e-3", 1e-3, ""),
    ],
)
def test_count_units(symbol: str, unit: str, scale: float, word: str) -> None:
    found = count_unit(unit, symbol)
    assert (found.scale, found.word, found.stated) == (scale, word, True)


def test_brackets_part_column_and_unit() -> None:
    assert split_unit("val loss[nats]") == ("val loss", "nats")
    assert split_unit("tokens [B]") == ("tokens", "B")
    assert split_unit("loss") == ("loss", None)


@settings(deadline=None)
@given(st.floats(1e-3, 1e4), st.sampled_from(["K", "M", "B", "T", "k", "m", "b", "t", ""]))
def test_suffixed_cells_round_trip(value: float, suffix: str) -> None:
    factor = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12, "": 1.0}[suffix.lower()]
    found = cell(f" {value!r}{suffix} ")
    assert found is not None
    assert found == (value * factor, suffix)


@pytest.mark.parametrize("text", ["", "n/a", "1,3", "1.3X", "1.3BB", "B", "0x10", "1_000", "diverged"])
def test_what_is_no_number_is_not_read_as_one(text: str) -> None:
    assert cell(text) is None


def read_loss(loss: list[float], unit: str, **options: float) -> np.ndarray:
    table = {"N": [1e8] * len(loss), "D": [1e9 * (i + 1) for i in range(len(loss))], "loss": loss}
    return Study.read(table, {"N": "N", "D": "D", "loss": f"loss[{unit}]"}, **options).columns["loss"]


@settings(deadline=None)
@given(st.lists(st.floats(0.1, 14.0), min_size=1, max_size=5, unique=True), st.floats(0.05, 1.0))
def test_losses_round_trip(nats: list[float], tokens_per_byte: float) -> None:
    # Each step of a conversion rounds once: a handful of eps, amplified in ppl by the size of the loss itself.
    loss = np.array(nats)
    for unit, values in {
        "bits": loss / math.log(2),
        "bpb": loss / math.log(2) * tokens_per_byte,
        "nats/byte": loss * tokens_per_byte,
    }.items():
        got = read_loss(list(values), unit, tokens_per_byte=tokens_per_byte)
        np.testing.assert_allclose(got, loss, rtol=4 * EPS)
    np.testing.assert_allclose(read_loss(list(np.exp(loss)), "ppl"), loss, rtol=4 * EPS, atol=4 * EPS)


def test_a_known_rate_per_row() -> None:
    table = {"N": [1e8, 2e8], "D": [1e9, 1e9], "loss": [1.0, 1.0], "rate": [0.25, 0.5]}
    study = Study.read(table, {"N": "N", "D": "D", "loss": "loss[bpb]"}, tokens_per_byte="rate")
    np.testing.assert_allclose(study.columns["loss"], np.log(2) / np.array([0.25, 0.5]), rtol=2 * EPS)
    assert study.unit == "nats"


def test_a_loss_per_byte_stays_one_without_a_rate() -> None:
    study = Study.read({"N": [1e8], "D": [1e9], "loss": [0.7]}, {"N": "N", "D": "D", "loss": "loss[bpb]"})
    assert study.unit == "bits/byte"
    assert study.columns["loss"][0] == 0.7


@pytest.mark.parametrize(
    ("unit", "scale", "word"),
    [
        ("B furlongs", 1e9, "furlongs"),
        ("parsecs", 1.0, "parsecs"),
        ("Q", 1.0, "Q"),
        ("pixels", 1.0, "pixels"),
        ("", 1.0, ""),
    ],
)
def test_words_that_only_a_law_can_know_stand_as_written(unit: str, scale: float, word: str) -> None:
    """A prefix without a space is one before a known word only: pixels are not peta-ixels."""
    found = count_unit(unit, "D")
    assert (found.scale, found.word) == (scale, word)


@pytest.mark.parametrize("unit", ["*", "B tokens each", "10 %"])
def test_what_reads_as_no_unit_is_refused(unit: str) -> None:
    with pytest.raises(BadInput, match="is not known"):
        count_unit(unit, "D")


def test_units_of_another_symbol_are_refused() -> None:
    with pytest.raises(BadInput, match=r"N is measured in params, got tokens"):
        count_unit("tokens", "N")
    with pytest.raises(BadInput, match=r"\[furlongs\] is not a unit of a loss"):
        loss_unit("furlongs", "loss")
