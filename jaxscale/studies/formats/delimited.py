"""Text in rows: values separated by commas, tabs or semicolons."""

import csv
import io

from jaxscale.core.errors import BadInput
from jaxscale.studies.budget import Budget
from jaxscale.studies.columns import Columns
from jaxscale.studies.formats import grid
from jaxscale.studies.formats.encodings import text_of


def read_csv(content: bytes, budget: Budget) -> tuple[Columns, list[str]]:
    """Columns of values separated by commas. Raises `BadInput`."""
    return _read(content, budget, ",")


def read_tsv(content: bytes, budget: Budget) -> tuple[Columns, list[str]]:
    """Columns of values separated by tabs. Raises `BadInput`."""
    return _read(content, budget, "\t")


def _read(content: bytes, budget: Budget, usual: str) -> tuple[Columns, list[str]]:
    budget.take_cells(sum(content.count(mark) for mark in (b",", b";", b"\t", b"\n", b"\r")))
    text, remarks = text_of(content)
    lines = _rows(text, usual)
    if not lines:
        raise BadInput("expected a header and at least one row, got an empty file")
    names, rows = [name.strip() for name in lines[0]], lines[1:]
    if len(names) == 1 and any(mark in names[0] for mark in ",;\t"):
        raise BadInput(
            f"expected values separated by commas, got the one column {names[0]!r}; "
            "save it with commas, or name a file with tabs .tsv"
        )
    grid.even(len(names), rows, usual)
    return grid.columns_of(names, rows) if rows else {}, remarks


def _rows(text: str, separator: str) -> list[list[str]]:
    """Rows of cells; blank lines are none. Raises `BadInput` on quotes that do not close."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[list[str]] = []
    line = 1
    try:
        for row in reader:
            line = reader.line_num + 1
            if row and any(cell.strip() for cell in row):
                rows.append(row)
    except csv.Error as error:
        raise BadInput(
            f"line {line}: a quote is not closed where its value ends, or the value is too long ({error}); close the "
            "quote, or write two for one that is meant"
        ) from error
    return rows
