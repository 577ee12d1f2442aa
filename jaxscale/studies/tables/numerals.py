"""Numbers as people write them: `1.3B`, `1 300 000`, `5,07`; and cells that say that a value is missing.

Suffixes and missing cells are read where a number is asked for: the same cells stay text to a filter or a label.
What commas, dots and spaces inside numbers mean is settled once for a table, by cells that can be read one way only.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxscale.core.errors import BadInput
from jaxscale.studies.tables.columns import objects, retyped
from jaxscale.studies.units import cell

_MISSING = frozenset(
    ["", "-", "--", "–", "—", ".", "?", "na", "n/a", "#n/a", "#na", "<na>", "nan", "none", "null", "missing"]
)
_TAIL = r"(?:[eE][+-]?\d+)?\s*[kKmMbBgGtT]?"
_GAP = "[ \u00a0\u2009\u202f_'’]"
# How a number with marks inside can be read, the first that matches. `one comma` and `one dot` can be read two ways.
_KINDS = {
    "whole": re.compile(rf"[+-]?\d+{_TAIL}"),
    "one dot": re.compile(rf"[+-]?[1-9]\d{{0,2}}\.\d{{3}}{_TAIL}"),
    "dot": re.compile(rf"[+-]?(?:\d+\.\d*|\.\d+){_TAIL}"),
    "one comma": re.compile(rf"[+-]?[1-9]\d{{0,2}},\d{{3}}{_TAIL}"),
    "comma decimal": re.compile(rf"[+-]?\d*,\d+{_TAIL}"),
    "comma thousands": re.compile(rf"[+-]?\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?{_TAIL}"),
    "dot thousands": re.compile(rf"[+-]?\d{{1,3}}(?:\.\d{{3}})+(?:,\d+)?{_TAIL}"),
    "gaps": re.compile(rf"[+-]?\d{{1,3}}(?:({_GAP})\d{{3}})(?:\1\d{{3}})*(?:[.,]\d+)?{_TAIL}"),
}


COMMAS = {",": "decimal", ".": "thousands"}  # what a comma is, by the mark before decimals


@dataclass(frozen=True)
class Numerals:
    """A column as numbers: NaN where missing; which cells are `unread`, and which carry a suffix."""

    values: np.ndarray
    unread: np.ndarray
    suffixed: np.ndarray

    @property
    def complete(self) -> bool:
        """Whether the column is one of numbers."""
        return not self.unread.any() and not np.isnan(self.values).all()

    def of(self, rows: np.ndarray) -> "Numerals":
        """Some rows of them."""
        return Numerals(self.values[rows], self.unread[rows], self.suffixed[rows])


def numerals(column: np.ndarray) -> Numerals:
    """Numbers of a column of numbers, text, or both."""
    none = np.zeros(len(column), dtype=bool)
    if column.dtype == np.float64:
        return Numerals(column, none, none)
    values, unread, suffixed = np.full(len(column), np.nan), none, none.copy()
    for i, found in enumerate(column):
        if not isinstance(found, str):
            values[i] = np.nan if found is None else found
        elif not is_missing(found):
            read = cell(found)
            unread[i] = read is None
            if read is not None:
                values[i], suffixed[i] = read[0], bool(read[1])
    return Numerals(values, unread, suffixed)


def is_missing(text: str) -> bool:
    """Whether a cell of a column of numbers says that there is none."""
    return text.strip().casefold() in _MISSING


def kind_of(text: str) -> str | None:
    """How a number is written; None where it is no number."""
    text = text.strip()
    return next((kind for kind, form in _KINDS.items() if form.fullmatch(text)), None)


def both_readings(text: str) -> str:
    """What a cell such as `1,234` may mean, for a sentence; empty where that is no question."""
    if kind_of(text) != "one comma":
        return ""
    return (
        f'{text.replace(",", "")} with a comma between thousands (`decimal="."`), or {text.replace(",", ".")} with a '
        'decimal comma (`decimal=","`)'
    )


def undecided(column: np.ndarray) -> bool:
    """Whether it is a column of numbers such as `1,234`, which no cell of it tells how to read."""
    return column.dtype == object and "one comma" in (found := _kinds(column)) and _comma(found) is None


def plainly(
    columns: Mapping[str, np.ndarray],
    written: Mapping[str, Sequence[str]] | None = None,
    decimal: str | None = None,
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Columns of numbers whose marks can be read one way only, with plain numbers instead, and remarks.

    `written`: their cells as they stand in a text. `decimal`: the mark before decimals, where it is stated; a column
    whose cells contradict it stays text. Raises `BadInput` on dots between thousands that look like decimals.
    """
    kinds = {name: _kinds(column) for name, column in columns.items() if column.dtype == object}
    kinds = {name: found for name, found in kinds.items() if found - {"whole", "dot", "one dot"}}
    stated = None if decimal is None else COMMAS[decimal]
    commas = {
        name: comma if (comma := _comma(found)) in (None, stated) or not stated else "both"
        for name, found in kinds.items()
    }
    settled = {stated} if stated else {comma for comma in commas.values() if comma}
    one = next(iter(settled)) if len(settled) == 1 else None
    if one == "decimal" and written is not None:
        _undotted(written, columns)
    made, said = dict(columns), dict[str, list[str]]()
    for name, found in kinds.items():
        comma = commas[name] or one
        grouped = "dot thousands" in found
        # Where its cells contradict each other, or nothing tells, it stays text and is refused where it is needed.
        if comma == "both" or (comma is None and "one comma" in found) or (grouped and "dot" in found):
            continue
        if comma == "decimal" and not grouped and found & {"dot", "one dot"}:
            continue
        made[name] = retyped(objects([_plain(value, comma, grouped) for value in columns[name]]))
        for words in _words(found, comma):
            said.setdefault(words, []).append(name)
    return made, [f"{words} in {_listed(names)}" for words, names in said.items()]


def _undotted(columns: Mapping[str, Sequence[str]], plain: Mapping[str, np.ndarray]) -> None:
    """Refuses dots that may stand between thousands, in columns `plain` enough, of a table with decimal commas."""
    for name, cells in columns.items():
        dotted = [text for text in cells if "." in text]
        if plain[name].dtype == np.float64 and dotted and all(kind_of(text) == "one dot" for text in dotted):
            raise BadInput(
                f"column {name!r}: {dotted[0]!r} beside decimal commas may be {dotted[0].replace('.', '')} or "
                f"{dotted[0].replace('.', ',')}; write the numbers of this column without dots"
            )


def _kinds(column: np.ndarray) -> set[str]:
    """How the cells of a column are written; empty where not all are numbers or missing."""
    found = set()
    for value in column:
        if isinstance(value, str) and not is_missing(value):
            kind = kind_of(value)
            if kind is None and cell(value) is None:
                return set()
            found.add(kind or "whole")
    return found


def _comma(found: Iterable[str]) -> str | None:
    """What commas of a column mean by its own cells: decimal, thousands, both, or None where nothing tells."""
    meant = {"comma decimal": "decimal", "dot thousands": "decimal", "comma thousands": "thousands"}
    told = {meant[kind] for kind in found if kind in meant}
    return "both" if len(told) > 1 else next(iter(told), None)


def _plain(value: Any, comma: str | None, grouped: bool) -> Any:
    if not isinstance(value, str) or is_missing(value) or kind_of(value) in (None, "whole"):
        return value
    text = value.strip()
    if kind_of(value) == "gaps":
        return re.sub(_GAP + r"(?=\d{3})", "", text).replace(",", ".")
    if grouped:
        text = text.replace(".", "")
    return text.replace(",", "." if comma == "decimal" else "")


def _words(found: set[str], comma: str | None) -> list[str]:
    words = []
    if found & {"one comma", "comma decimal", "comma thousands"}:
        words.append("decimal commas were read" if comma == "decimal" else "commas between thousands were left out")
    if "dot thousands" in found:
        words.append("dots between thousands were left out")
    if "gaps" in found:
        words.append("marks between thousands, as in 1 300 000, were left out")
    return words


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:5]))
    return f"column {shown}" if len(names) == 1 else f"columns {shown}" + ", ..." * (len(names) > 5)
