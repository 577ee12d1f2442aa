"""Columns of a table: numbers as float64, text as objects, from Python values, rows or mappings."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np

from jaxscale.core.errors import BadInput
from jaxscale.studies.tables.budget import Budget

type Column = np.ndarray
type Columns = dict[str, Column]


@dataclass(frozen=True)
class OwnersTable:
    """A table as its owner has it, remarks on how it was read where that is not the plain way, units it states."""

    columns: Columns
    remarks: Sequence[str] = ()
    units: Mapping[str, str] = field(default_factory=dict)


MOST_COLUMNS = 20_000
_PLACE = 16  # bytes of a cell that is absent


def column_of(name: str, values: Iterable[Any]) -> Column:
    """One column: float64 where every cell is a number or missing, else objects (numbers and strings)."""
    if hasattr(values, "__array__"):  # jax arrays, and series inside a dict
        values = np.asarray(values)
    if isinstance(values, np.ndarray):
        if values.ndim != 1:
            raise BadInput(f"column {name!r}: expected one number per row, got an array of shape {values.shape}")
        if values.dtype.kind in "iufb":
            return values.astype(np.float64)
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise BadInput(f"column {name!r}: expected a sequence with one value per row, got {brief(values)}")
    cells = [_cell(value) for value in values]
    if all(cell is None or isinstance(cell, float) for cell in cells):
        return np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)
    return objects(cells)


def objects(cells: Sequence[float | str | None]) -> Column:
    """Cells as an array of objects."""
    column = np.empty(len(cells), dtype=object)
    column[:] = cells
    return column


_MISSING = frozenset(
    ["", "NA", "N/A", "n/a", "NULL", "null", "NaN", "nan", "-nan", "-NaN", "<NA>", "#N/A", "#NA", "#N/A N/A"]
)
_TRUTH = {"true": 1.0, "True": 1.0, "TRUE": 1.0, "false": 0.0, "False": 0.0, "FALSE": 0.0}


def retyped(column: Column) -> Column:
    """Cells of a text as float64, where every one is a plain number, a truth value or missing; else as they are."""
    cells = ["" if cell is None else cell for cell in column]
    try:
        values = [math.nan if cell in _MISSING else _plain(cell) for cell in cells]
    except ValueError:
        if any(cell not in _TRUTH and cell not in _MISSING for cell in cells):
            return objects([None if isinstance(cell, str) and not cell.strip() else cell for cell in cells])
        values = [_TRUTH.get(cell, math.nan) for cell in cells]
    return np.array(values, dtype=np.float64)


def _plain(value: str | float) -> float:
    """A number; float() takes 1_000 too, which is a reading to be said, and 1e400 as infinite. Raises `ValueError`."""
    number = float(value)
    if isinstance(value, str) and ("_" in value or (math.isinf(number) and any(mark.isdigit() for mark in value))):
        raise ValueError(value)
    return number


def _cell(value: Any) -> float | str | None:
    if value is None or isinstance(value, str):
        return value
    if type(value).__name__ in ("NAType", "NaTType"):  # pandas' missing cells, met in a dict of its series
        return None
    if isinstance(value, int | float | np.number | np.bool_ | Decimal) and not isinstance(value, complex):
        try:
            number = float(value)
        except OverflowError:  # a whole number beyond the largest float stays text, which the check of numbers names
            return f"{Decimal(int(value)):.6e}"
        return None if number != number else number
    return str(value)


def from_rows(rows: Any, where: str, budget: Budget) -> Columns:
    """Columns of a list of objects. Raises `BadInput`, where `where` names a row."""
    if not isinstance(rows, Sequence) or isinstance(rows, str | bytes):
        raise BadInput(f"{where.removesuffix(': row')}: expected a JSON list of objects, got {brief(rows)}")
    names: dict[str, None] = {}
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            raise BadInput(f"{where} {number}: expected an object with one value per column, got {brief(row)}")
        names.update(dict.fromkeys(row))
    # Rows that share no key are as many columns.
    budget.take(_PLACE * len(names) * len(rows))
    return {str(name): column_of(str(name), [row.get(name) for row in rows]) for name in names}


def from_columns(columns: Mapping[str, Any]) -> Columns:
    """Columns of a mapping from name to values, or to values by row as pandas writes them.

    Raises `BadInput` where they are not equally long, or have other rows.
    """
    if columns and all(isinstance(values, Mapping) for values in columns.values()):
        rows = list(next(iter(columns.values())))
        for name, values in columns.items():
            if list(values) != rows:
                raise BadInput(
                    f"column {name!r}: expected the rows of the first, {brief(rows)}, got {brief(list(values))}; "
                    "give every column the same rows, or a list of objects, one per run"
                )
        columns = {name: list(values.values()) for name, values in columns.items()}
    table = {str(name): column_of(str(name), values) for name, values in columns.items()}
    lengths = {name: len(column) for name, column in table.items()}
    first = next(iter(lengths), "")
    for name, length in lengths.items():
        if length != lengths[first]:
            raise BadInput(
                f"column {name!r}: expected {lengths[first]} values as in {first!r}, got {length}; "
                "give every column the same rows"
            )
    return table


def brief(value: Any) -> str:
    """What came, short enough for a sentence."""
    if isinstance(value, str | bytes):
        return repr(value if len(value) <= 60 else value[:60]) + "..." * (len(value) > 60)
    if isinstance(value, Mapping | Sequence) and len(value) > 8:
        return f"a {type(value).__name__} of {len(value)}"
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:60]}..."
