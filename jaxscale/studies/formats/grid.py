"""Rows of cells, the first of them names, as columns."""

import math
from collections.abc import Sequence

import numpy as np

from jaxscale.core.errors import BadInput
from jaxscale.studies.columns import Column, Columns, objects
from jaxscale.studies.frames import once

_MISSING = frozenset(
    ["", "NA", "N/A", "n/a", "NULL", "null", "NaN", "nan", "-nan", "-NaN", "<NA>", "#N/A", "#NA", "#N/A N/A"]
)
_TRUTH = {"true": 1.0, "True": 1.0, "TRUE": 1.0, "false": 0.0, "False": 0.0, "FALSE": 0.0}


def columns_of(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Columns:
    """Columns of rows that are as long as the header. Raises `BadInput`."""
    once(names)
    return {name: _column(cells) for name, cells in zip(names, zip(*rows, strict=True), strict=True)}


def even(width: int, rows: Sequence[Sequence[str]], separator: str) -> None:
    """Refuses rows of other lengths than the header's."""
    for number, row in enumerate(rows, start=1):
        if len(row) != width:
            raise BadInput(
                f"row {number}: expected {width} values as in the header, got {len(row)} "
                f"({separator.join(row)[:60]!r}); complete the row or quote values that hold the separator"
            )


def _column(cells: Sequence[str]) -> Column:
    """float64 where every cell is a plain number, a truth value or missing; else the text as it stands."""
    try:
        # float() takes 1_000 too, which is a reading to be said; a number beyond all floats is not infinite.
        values = [math.nan if cell in _MISSING else _plain(cell) for cell in cells]
    except ValueError:
        if any(cell not in _TRUTH and cell not in _MISSING for cell in cells):
            return objects([cell if cell.strip() else None for cell in cells])
        values = [_TRUTH.get(cell, math.nan) for cell in cells]
    return np.array(values, dtype=np.float64)


def _plain(text: str) -> float:
    value = float(text)
    if "_" in text or (math.isinf(value) and any(mark.isdigit() for mark in text)):
        raise ValueError(text)
    return value
