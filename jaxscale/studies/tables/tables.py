"""Any source as a table: a dict of equally long columns, numbers as float64, text as objects.

Missing cells are NaN in a column of numbers and None in a column with text. Nothing is dropped here.
"""

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from jaxscale.core.errors import BadInput
from jaxscale.studies.formats.content import content_of, kind_of
from jaxscale.studies.formats.delimited import read_csv, read_tsv
from jaxscale.studies.formats.excel import read_excel
from jaxscale.studies.formats.objects import read_json, read_lines
from jaxscale.studies.formats.parquet import read_parquet
from jaxscale.studies.tables.budget import USUAL, Budget
from jaxscale.studies.tables.columns import MOST_COLUMNS, Columns, OwnersTable, from_columns, from_rows
from jaxscale.studies.tables.frames import read_frame
from jaxscale.studies.tables.numerals import COMMAS, plainly

_READERS = {
    "csv": read_csv,
    "tsv": read_tsv,
    "parquet": read_parquet,
    "jsonl": read_lines,
    "json": read_json,
    "xlsx": read_excel,
}
_LAID_OUT = ("csv", "tsv", "xlsx")  # where a person may have to say how cells are meant before they are read


def read_table(source: Any) -> Columns:
    """The columns of `open_table`."""
    return open_table(source).columns


def open_table(
    source: Any, most: str | float = USUAL, *, sheet: str | None = None, decimal: str | None = None
) -> OwnersTable:
    """A path (csv, tsv, parquet, jsonl, json, xlsx, each also as .gz), a frame, a dict of columns or a list of dicts.

    A file may take at most `most` bytes of memory ("4GB"), counted while it is decompressed; `sheet`: of an Excel file
    (default: the first); `decimal`: the mark before decimals, where its cells do not tell. Raises `BadInput` where the
    source is missing, empty, ragged, larger, or not one of these.
    """
    label = str(source) if isinstance(source, str | Path) else f"the {type(source).__name__} given"
    budget = Budget(most, label)
    if sheet is not None and not (isinstance(source, str | Path) and kind_of(Path(source)) == "xlsx"):
        raise BadInput(f"{label}: `sheet=...` is for Excel files (.xlsx) only, which this is not; leave it out")
    if decimal not in (None, *COMMAS):
        raise BadInput(f"`decimal=...`: expected a comma or a dot, which stands before decimals, got {decimal!r}")
    if isinstance(source, str | Path):
        stated = {"sheet": sheet, "decimal": decimal}
        table = _from_path(Path(source), budget, {name: said for name, said in stated.items() if said is not None})
    elif isinstance(source, Mapping):
        table = OwnersTable(from_columns(source))
    elif isinstance(source, Sequence):
        table = OwnersTable(from_rows(source, "row", budget))
    else:
        table = read_frame(source)
    columns, remarks = plainly(table.columns, decimal=decimal)
    if not columns or not len(next(iter(columns.values()))):
        raise BadInput(f"{label}: expected at least one row of runs, got an empty table; give it rows")
    if len(columns) > MOST_COLUMNS:
        raise BadInput(
            f"{label}: expected at most {MOST_COLUMNS:,} columns, got {len(columns):,}; write one row per run, and a "
            "column for each of its quantities"
        )
    return OwnersTable(columns, (*table.remarks, *remarks), table.units)


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _from_path(path: Path, budget: Budget, stated: Mapping[str, str]) -> OwnersTable:
    kind = kind_of(path)
    stated = stated if kind in _LAID_OUT else {}
    try:
        content, remarks = content_of(path, kind, budget)
        table = _READERS[kind](content, budget, **stated)
    except BadInput as error:
        said = str(error)
        raise BadInput(said if said.startswith(str(path)) else f"{path}: {said}") from error
    except (OSError, EOFError, UnicodeDecodeError, OverflowError, zlib.error, pa.ArrowException) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(f"{path}: cannot be read as {kind} ({said}); check that the file is whole") from error
    return replace(table, remarks=(*remarks, *table.remarks))
