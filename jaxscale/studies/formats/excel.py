"""A sheet of an Excel workbook as columns. Needs openpyxl, an extra, and reads row by row."""

import io
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

from jaxscale.core.errors import BadInput
from jaxscale.studies.checks import checks
from jaxscale.studies.formats import grid
from jaxscale.studies.tables.budget import Budget
from jaxscale.studies.tables.columns import OwnersTable

_PIECE = 1 << 20
_SETTING = 16  # cells that a tag of styles and settings, which become objects, weighs as much as


def read_excel(content: bytes, budget: Budget, *, sheet: str | None = None, decimal: str | None = None) -> OwnersTable:
    """Values of a sheet (default: the first), not its formulas; rows above the header are left out with a remark.

    Raises `BadInput`, also where openpyxl is not installed.
    """
    try:
        import openpyxl
    except ImportError as error:
        raise BadInput(
            "an Excel file needs openpyxl: pip install 'jaxscale[excel]', or save the sheet as CSV"
        ) from error
    _weighed(content, budget)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions that are not read
            book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
            names = [one.title for one in book.worksheets]
            read = next(iter(names), "") if sheet is None else checks.known(sheet, names, "`sheet=...`", "sheet")
            rows = list(_rows(book[read], budget)) if names else []
    except BadInput:
        raise
    except Exception as error:  # openpyxl has no exception of its own for what is no workbook
        raise BadInput(
            f"cannot be read as xlsx ({type(error).__name__}: {str(error)[:100]}); check that the file is whole"
        ) from error
    remarks = []
    if sheet is None and len(names) > 1:
        others = ", ".join(map(repr, names[1:6]))
        remarks.append(f"the first sheet, {read!r}, was read; not {others}: name another one, `sheet=...`")
    above = next((i for i, row in enumerate(rows) if sum(map(bool, row)) > 1), 0)
    if above:
        remarks.append(f"{above} rows above the header were left out")
    if not rows:
        raise BadInput(
            f"expected a header and at least one row in the sheet {read!r}, got none; the sheets are {names}"
        )
    width = max(len(row) for row in rows)
    budget.take_cells(width * len(rows))  # short rows are filled up
    header, *rest = [row + [""] * (width - len(row)) for row in rows[above:]]
    return grid.table_of(header, rest, remarks, typed=True, decimal=decimal)


def _weighed(content: bytes, budget: Budget) -> None:
    """Takes what the parts of the workbook will be: their bytes, and an object or several for each of their tags."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            for part in parts.infolist():
                cells = "worksheets/" in part.filename or "sharedStrings" in part.filename
                with parts.open(part) as stream:
                    while piece := stream.read(_PIECE):
                        budget.take(len(piece))
                        budget.take_cells(piece.count(b"<") * (1 if cells else _SETTING))
    # RuntimeError: a part that is encrypted, or compressed in a way that is not known
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError) as error:
        raise BadInput(f"cannot be read as xlsx ({error}); check that the file is whole") from error


def _rows(sheet: Any, budget: Budget) -> Iterator[list[str]]:
    """Rows of cells as text that reads back to the same number, without empty rows and empty ends."""
    sheet.reset_dimensions()  # what a file says of its extent is often wrong, and would cut rows off
    for row in sheet.iter_rows(values_only=True):
        budget.take_cells(len(row) + 1)
        cells = ["" if value is None else str(value) for value in row]
        while cells and not cells[-1].strip():
            cells.pop()
        if cells:
            yield cells
