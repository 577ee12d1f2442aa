"""Rows that occur more than once: copies of a whole row, and rows that are equal in what is mapped of them.

A row that equals another in every column of the table is a copy: it adds no run, and counted twice it would make
intervals too narrow. A row that differs in a column that is not mapped, such as a seed, is a run of its own, whose
loss agrees after rounding. Where the table has no column that could differ the two look alike; then it is counted
once, which at worst leaves out a run, and said.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from jaxscale.core.errors import BadInput
from jaxscale.studies.sheet import Sheet

WAYS = ("once", "keep", "refuse")
_SHOWN = 3  # pairs of rows that a sentence names


def check_way(way: str) -> None:
    """Refuses what is no way to read rows that occur more than once."""
    if way not in WAYS:
        raise BadInput(f"duplicates: expected one of {', '.join(WAYS)}, got {way!r}; choose one")


def count_once(sheet: Sheet) -> None:
    """Leave out every copy of a whole row, and say so."""
    copies, of = _again(sheet.table.values())
    if not len(copies):
        return
    what = "is a copy" if len(copies) == 1 else "are copies"
    sheet.remarks.append(
        f"Counted once: {_rows(copies)} {what} of one before in all {len(sheet.table)} columns of the table "
        f"({_pairs(copies, of, sheet.rows)}). If they are runs of their own, such as seeds whose losses agree after "
        'rounding, keep them: `duplicates="keep"`.'
    )
    kept = np.ones(len(sheet.rows), dtype=bool)
    kept[copies] = False
    sheet.keep(kept, "no copy of a whole row")


def equal_rows(sheet: Sheet, keys: Sequence[np.ndarray], names: Sequence[str], *, refuse: bool) -> None:
    """Say which rows agree in every key, or refuse them. Raises `BadInput`."""
    again, of = _again(keys)
    if not len(again):
        return
    if refuse:
        raise BadInput(
            f"row {sheet.rows[again[0]]}: expected different runs, got the same {', '.join(names)} as in row "
            f'{sheet.rows[of[0]]}; drop one of the two, or keep both: `duplicates="keep"`'
        )
    equal = "equals" if len(again) == 1 else "equal"
    sheet.remarks.append(
        f"Equal rows: {_rows(again)} {equal} one before in {', '.join(names)} ({_pairs(again, of, sheet.rows)}). Each "
        "is kept and counts as a run of its own; of a run that was written down twice, keep one row with a filter: "
        "`where=...`."
    )


def _again(keys: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Positions of rows that agree in every key with one before them, and of the first such."""
    seen: dict[tuple[object, ...], int] = {}
    first = np.array(
        [
            # NaN, a missing cell, equals itself in a copy
            seen.setdefault(tuple(cell if cell == cell else None for cell in row), i)
            for i, row in enumerate(zip(*keys, strict=True))
        ]
    )
    again = np.flatnonzero(first != np.arange(len(first)))
    return again, first[again]


def _rows(rows: np.ndarray) -> str:
    return f"{len(rows)} row{'s' if len(rows) > 1 else ''}"


def _pairs(again: np.ndarray, of: np.ndarray, rows: np.ndarray) -> str:
    pairs = [f"row {rows[i]} as {rows[j]}" for i, j in zip(again[:_SHOWN], of[:_SHOWN], strict=True)]
    return ", ".join([*pairs, "..."] if len(again) > _SHOWN else pairs)
