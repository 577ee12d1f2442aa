"""JSON and JSON lines as columns. What JSON allows and a table cannot hold is named."""

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from jaxscale.core.errors import BadInput
from jaxscale.studies.formats.encodings import text_of
from jaxscale.studies.tables.budget import CELL, Budget
from jaxscale.studies.tables.columns import OwnersTable, brief, from_columns, from_rows

_OBJECT = 3 * CELL  # bytes of a small dict
_DIGITS = 400  # of a whole number; a float ends at 309


def read_json(content: bytes, budget: Budget) -> OwnersTable:
    """A list of objects, or an object of columns; also as pandas writes them. Raises `BadInput`."""
    text, remarks = _weighed(content, budget)
    try:
        found = _parse(text)
    except json.JSONDecodeError as error:
        raise BadInput(f"expected a JSON list of objects; line {error.lineno} is not JSON ({error.msg})") from error
    except _Unfit as error:
        raise BadInput(f"{error}; write a list of objects, one per run") from error
    if not isinstance(found, dict):
        return OwnersTable(from_rows(found, "row", budget), remarks)
    names, data = found.get("columns"), found.get("data")
    if "schema" in found and isinstance(data, list):  # DataFrame.to_json(orient="table")
        return OwnersTable(from_rows(data, "row", budget), remarks)
    if isinstance(names, list) and isinstance(data, list):  # DataFrame.to_json(orient="split")
        return OwnersTable(from_rows(_split(names, data), "row", budget), remarks)
    return OwnersTable(from_columns(found), remarks)


def read_lines(content: bytes, budget: Budget) -> OwnersTable:
    """One object per line. Raises `BadInput`."""
    text, remarks = _weighed(content, budget)
    rows = []
    # Only these end a line: other separators, such as U+2028, stand inside JSON's strings as they are.
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if line.strip():
            try:
                rows.append(_parse(line))
            except json.JSONDecodeError as error:
                raise BadInput(f"line {number}: expected a JSON object, got {line[:60]!r} ({error})") from error
            except _Unfit as error:
                raise BadInput(f"line {number}: {error}; write one object per line") from error
    return OwnersTable(from_rows(rows, "row", budget), remarks)


class _Unfit(Exception):
    """JSON that is no table."""


def _weighed(content: bytes, budget: Budget) -> tuple[str, list[str]]:
    """The text, once what its objects will take is taken from the budget: `[],[],` grows twentyfold."""
    budget.take_cells(content.count(b",") + content.count(b"[") + content.count(b"\n"))
    budget.take(_OBJECT * content.count(b"{"))
    return text_of(content)


def _parse(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_object, parse_int=_whole, parse_float=_real)
    except RecursionError:
        raise _Unfit("expected a table, got JSON that is nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise _Unfit(f"expected each key once in an object, got {brief(twice)} twice")
    return made


def _whole(text: str) -> int | str:
    return int(text) if len(text) <= _DIGITS else _beyond(text)


def _real(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else _beyond(text)


def _beyond(text: str) -> str:
    # A number that no float holds stays text: the check of the column that needs it names row and value.
    return text if len(text) <= 60 else f"{text[:60]}..."


def _split(names: list[Any], data: list[Any]) -> list[Mapping[str, Any]]:
    rows = []
    for number, row in enumerate(data, start=1):
        if not isinstance(row, list) or len(row) != len(names):
            raise BadInput(f"row {number}: expected {len(names)} values, as there are columns, got {brief(row)}")
        rows.append({str(name): cell for name, cell in zip(names, row, strict=True)})
    return rows
