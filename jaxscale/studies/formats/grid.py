"""Rows of cells, the first of them names, as columns; a second row of units under the names is kept apart."""

from collections.abc import Sequence

from jaxscale.core.errors import BadInput
from jaxscale.studies.tables.columns import OwnersTable, objects, retyped
from jaxscale.studies.tables.frames import once
from jaxscale.studies.tables.numerals import is_missing, kind_of, plainly
from jaxscale.studies.units import is_unit

type Rows = Sequence[Sequence[str]]


def table_of(
    header: Sequence[str], rows: Rows, remarks: Sequence[str], *, typed: bool = False, decimal: str | None = None
) -> OwnersTable:
    """A table of rows that are as long as the header. Raises `BadInput`.

    `typed`: numbers were numbers before they were made text; `decimal`: the mark before decimals, where it is stated.
    """
    names = _named(header, rows)
    once(names)
    said = list(remarks)
    if not rows:
        return OwnersTable({})
    units = _units(names, rows)
    if units:
        rows = rows[1:]
        said.append(f"the row under the header was read as units: {', '.join(f'{n} [{u}]' for n, u in units.items())}")
    written = dict(zip(names, zip(*rows, strict=True), strict=True))
    written = {name: cells for name, cells in written.items() if name or any(cell.strip() for cell in cells)}
    columns, more = plainly(
        {name: retyped(objects(c)) for name, c in written.items()}, None if typed else written, decimal
    )
    return OwnersTable(columns, [*said, *more], units)


def even(width: int, rows: Rows, separator: str) -> None:
    """Refuses rows of other lengths than the header's."""
    for number, row in enumerate(rows, start=1):
        if len(row) != width:
            raise BadInput(
                f"row {number}: expected {width} values as in the header, got {len(row)} "
                f"({separator.join(row)[:60]!r}); complete the row or quote values that hold the separator"
            )


def _named(header: Sequence[str], rows: Rows) -> list[str]:
    """Names of the columns. A first one without a name, the index that pandas writes, is called "index"."""
    names = [name.strip() for name in header]
    if len(names) > 1 and not names[0] and "index" not in names:
        names[0] = "index"
    for place, name in enumerate(names, start=1):
        if not name and any(row[place - 1].strip() for row in rows):
            raise BadInput(f"column {place} of {len(names)} has values and no name in the header; name it")
    filled = [place for place, name in enumerate(names) if name]
    if names.count("") > 1 and filled and max(filled) < names.index(""):
        # Empty columns at the end of every row are called by spaces, and left out with their cells.
        names = [name or " " * place for place, name in enumerate(names)]
    if rows and all(_number(name) for name in names) and names != [str(i) for i in range(len(names))]:
        raise BadInput(
            f"expected a header with the names of the columns, got the numbers {', '.join(names[:4])} in the first "
            "line; write the names above them"
        )
    return names


def _units(names: Sequence[str], rows: Rows) -> dict[str, str]:
    """Units by column where the first row holds nothing else, under the names of columns of numbers."""
    if len(rows) < 2 or any(_number(cell) for cell in rows[0]):
        return {}
    cells = {
        name: cell.strip().strip("()[]").strip()
        for name, cell, next_ in zip(names, *rows[:2], strict=True)
        if _number(next_)
    }
    units = {name: cell for name, cell in cells.items() if not is_missing(cell)}
    return units if units and all(map(is_unit, units.values())) else {}


def _number(text: str) -> bool:
    return kind_of(text) is not None
