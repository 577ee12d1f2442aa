"""Text in rows: values separated by commas, tabs or semicolons, perhaps below lines of comments."""

import csv
import io
import re

from jaxscale.core.errors import BadInput
from jaxscale.studies.formats import grid
from jaxscale.studies.formats.encodings import text_of
from jaxscale.studies.tables.budget import Budget
from jaxscale.studies.tables.columns import OwnersTable
from jaxscale.studies.tables.numerals import kind_of

_SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons"}


def read_csv(content: bytes, budget: Budget, *, decimal: str | None = None) -> OwnersTable:
    """Values separated by commas, or by what separates every row alike. Raises `BadInput`."""
    return _read(content, budget, ",", decimal)


def read_tsv(content: bytes, budget: Budget, *, decimal: str | None = None) -> OwnersTable:
    """Values separated by tabs, or by what separates every row alike. Raises `BadInput`."""
    return _read(content, budget, "\t", decimal)


def _read(content: bytes, budget: Budget, usual: str, decimal: str | None) -> OwnersTable:
    budget.take_cells(sum(content.count(mark) for mark in (b",", b";", b"\t", b"\n", b"\r")))
    text, remarks = text_of(content)
    text, stated, comments = _begun(text)
    separator, lines = _split(text, stated or usual)
    if not lines:
        raise BadInput("expected a header and at least one row, got an empty file")
    if separator != usual:
        remarks.append(f"values are separated by {_SEPARATORS[separator]}")
    if comments and (header := _header(comments[-1], separator, lines[0])):
        lines = [header, *lines]
        comments = comments[:-1]
        remarks.append(f"the line that begins with # was read as the header: {', '.join(header)[:100]}")
    if comments:
        remarks.append(f"{len(comments)} leading line{'s' * (len(comments) > 1)} that begin with # were left out")
    grid.even(len(lines[0]), lines[1:], separator)
    return grid.table_of(lines[0], lines[1:], remarks, decimal=decimal)


def _begun(text: str) -> tuple[str, str | None, list[str]]:
    """The text below leading comments, the separator that Excel states in a line `sep=;`, and the comments."""
    comments: list[str] = []
    stated, at = None, 0
    for found in re.finditer(r"[^\r\n]*(?:\r\n|\r|\n|$)", text):
        line = found[0].strip("\r\n")
        if line[:4].lower() == "sep=" and line[4:] in _SEPARATORS:
            stated = line[4:]
        elif line.lstrip().startswith("#"):
            comments.append(line.lstrip())
        elif line.strip():
            break
        at = found.end()
    return text[at:], stated, comments


def _header(comment: str, separator: str, first: list[str]) -> list[str] | None:
    """Names in the last comment, where the first row below has as many values and is not itself of names."""
    bare = comment if comment[1:].startswith(separator) else comment[1:].lstrip()
    names = next(csv.reader([bare], delimiter=separator), [])
    return names if len(names) == len(first) and any(kind_of(cell) for cell in first) else None


def _split(text: str, usual: str) -> tuple[str, list[list[str]]]:
    """Rows by the usual separator, or by the one that splits all rows alike where the usual one does not."""
    lines: list[list[str]] | BadInput = []
    for separator in (usual, *(other for other in _SEPARATORS if other != usual and other in text)):
        found = _tried(text, separator)
        if not isinstance(found, BadInput) and (not found or _alike(found)):
            return separator, found
        lines = found if separator == usual else lines
    if isinstance(lines, BadInput):
        raise lines
    if len(lines[0]) == 1 and any(mark in lines[0][0] for mark in _SEPARATORS):
        raise BadInput(
            f"expected as many values in every row, separated by commas, tabs or semicolons, got the header "
            f"{lines[0][0][:60]!r}, and no separator that splits all rows like it; make the rows alike"
        )
    return usual, lines


def _tried(text: str, separator: str) -> list[list[str]] | BadInput:
    # By another separator the same quotes may be closed in the middle of a value.
    try:
        return _rows(text, separator)
    except BadInput as error:
        return error


def _alike(lines: list[list[str]]) -> bool:
    width = len(lines[0])
    return width > 1 and all(len(line) == width for line in lines)


def _rows(text: str, separator: str) -> list[list[str]]:
    """Rows of cells; blank lines are none. Raises `BadInput` on quotes that do not close."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[list[str]] = []
    line = 1
    try:
        for row in reader:
            line = reader.line_num + 1
            if any(cell.strip() for cell in row):
                rows.append(row)
    except csv.Error as error:
        raise BadInput(
            f"line {line}: a quote is not closed where its value ends, or the value is too long ({error}); close the "
            "quote, or write two for one that is meant"
        ) from error
    return rows
