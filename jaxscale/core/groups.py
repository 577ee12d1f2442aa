"""Labels of groups are text, whatever a table holds or a person types: one conversion, and one way to an index."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxscale.core.errors import BadInput

EXACT = 2.0**53  # whole numbers beyond are not told apart by a float
_MIDNIGHT = re.compile(r"(?<=^\d{4}-\d\d-\d\d)[ T]00:00:00(\.0+)?$")


def label(cell: Any) -> str:
    """The label of a cell: text as it stands, numbers and dates as people write them (16.0 is `16`)."""
    cell = str(cell) if isinstance(cell, np.datetime64) else cell.item() if isinstance(cell, np.generic) else cell
    if isinstance(cell, bool | float) and float(cell).is_integer() and abs(cell) < EXACT:
        cell = int(cell)
    return _MIDNIGHT.sub("", str(cell))


def index_of(given: Any, labels: Sequence[str], what: str = "group") -> np.ndarray:
    """The index into `labels` of each label given, shape (m,); a whole number that is no label is an index itself.

    Where it could be both, as 1 among the labels 1, 2, 3, it is refused; text is always a label. Without labels there
    are indices alone. Raises `BadInput` with the labels that there are.
    """
    return np.array([_one(cell, list(labels), what) for cell in np.atleast_1d(np.asarray(given))], np.int64)


def _one(cell: Any, labels: list[str], what: str) -> int:
    text = isinstance(cell, str)
    named = label(cell) if label(cell) in labels or not text else _as_number(cell)
    by_label = labels.index(named) if named in labels else None
    number = None if text or not named.isdecimal() else int(named)
    by_index = number if number is not None and (not labels or number < len(labels)) else None
    if by_label is not None and by_index is not None and by_label != by_index:
        raise BadInput(
            f"{what}: {named} is a label and also the index of {labels[by_index]!r}; give the label as text, {named!r}"
        )
    found = by_index if by_label is None else by_label
    if found is None:
        known = f"one of {', '.join(labels)}" if labels else "an index, 0 or more"
        raise BadInput(f"{what}: expected {known}, got {label(cell)!r}; name one that there is")
    return found


def _as_number(text: str) -> str:
    """The label of a number that was typed in another format, such as `016` or `16.0`."""
    try:
        return label(float(text))
    except ValueError:
        return label(text)
