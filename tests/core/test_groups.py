"""Labels of groups: one conversion for strings, counts, seeds and dates, and no answer for another group."""

import datetime
from typing import Any

import numpy as np
import pytest

from jaxscale.core.errors import BadInput
from jaxscale.core.groups import index_of, label


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("c4", "c4"),
        ("016", "016"),
        (16, "16"),
        (16.0, "16"),
        (np.float64(16), "16"),
        (np.int32(-3), "-3"),
        (np.float32(0.5), "0.5"),
        (1234567890123.0, "1234567890123"),
        (1234567890123, "1234567890123"),
        (0.1 + 0.2, "0.30000000000000004"),
        (True, "1"),
        (datetime.date(2024, 1, 31), "2024-01-31"),
        (datetime.datetime(2024, 1, 31), "2024-01-31"),
        ("2024-01-31 00:00:00", "2024-01-31"),
        (np.datetime64("2024-01-31T00:00:00.000000000"), "2024-01-31"),
        ("2024-01-31 12:30:00", "2024-01-31 12:30:00"),
    ],
)
def test_a_label_is_what_people_write(cell: object, expected: str) -> None:
    assert label(cell) == expected


COUNTS = ("4", "16", "64")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (16, 1),
        ("16", 1),
        (16.0, 1),
        ("16.0", 1),
        ("016", 1),
        (np.array([64.0, 4.0]), [2, 0]),
        (["4", "64"], [0, 2]),
        (0, 0),
        (2, 2),
        (4, 0),
    ],
)
def test_counts_are_found_by_their_label(given: Any, expected: Any) -> None:
    np.testing.assert_array_equal(index_of(given, COUNTS), np.atleast_1d(expected))


@pytest.mark.parametrize("given", [-1, 3, 5, "17", "c4", 1e9, "", np.nan, -16])
def test_a_wrong_label_is_a_sentence_with_the_labels(given: object) -> None:
    with pytest.raises(BadInput, match="group: expected one of 4, 16, 64, got"):
        index_of(given, COUNTS)


def test_what_could_be_a_label_or_an_index_is_refused() -> None:
    seeds = ("1", "2", "3")
    with pytest.raises(BadInput, match="1 is a label and also the index of '2'; give the label as text, '1'"):
        index_of(1, seeds)
    np.testing.assert_array_equal(index_of("1", seeds), [0])
    np.testing.assert_array_equal(index_of(3, seeds), [2])
    np.testing.assert_array_equal(index_of(np.array([0, 1, 2]), ("0", "1", "2")), [0, 1, 2])


def test_without_labels_there_are_indices() -> None:
    np.testing.assert_array_equal(index_of([0, 7], ()), [0, 7])
    with pytest.raises(BadInput, match="an index, 0 or more, got '-1'"):
        index_of(-1, ())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_label_is_found_again(seed: int) -> None:
    """Labels of any kind, in any order: text always, numbers where they are not an index too."""
    rng = np.random.default_rng(seed)
    cells = [*rng.choice(10**12, 5, replace=False).tolist(), *rng.normal(size=5).tolist(), "a", "b/c", "2020-02-01"]
    cells = [cells[i] for i in rng.permutation(len(cells))]
    labels = [label(cell) for cell in cells]
    for i, cell in enumerate(cells):
        assert index_of(str(labels[i]), labels) == [i]
        assert index_of(cell, labels) == [i]
