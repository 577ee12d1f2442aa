"""Any source as a table: a dict of equally long columns, numbers as float64, text as objects.

Missing cells are NaN in a column of numbers and None in a column with text. Nothing is dropped here.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from jaxscale.core.errors import BadInput

type Column = np.ndarray
type Columns = dict[str, Column]


def read_table(source: Any) -> Columns:
    """Columns of a path (csv, csv.gz, tsv, parquet, jsonl, json), a frame, a dict of columns or a list of dicts.

    Raises `BadInput` where the source is missing, empty, ragged, or not one of these.
    """
    if isinstance(source, str | Path):
        table = _from_path(Path(source))
    elif isinstance(source, Mapping):
        table = _from_columns(source)
    elif isinstance(source, Sequence):
        table = _from_rows(source, "row")
    else:
        table = _from_frame(source)
    if not table or not len(next(iter(table.values()))):
        raise BadInput(f"{_label(source)}: expected at least one row of runs, got an empty table; give it rows")
    return table


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def column_of(name: str, values: Iterable[Any]) -> Column:
    """One column: float64 where every cell is a number or missing, else objects (numbers and strings)."""
    if hasattr(values, "__array__"):  # jax arrays, and series inside a dict
        values = np.asarray(values)
    if isinstance(values, np.ndarray):
        if values.ndim != 1:
            raise BadInput(f"column {name!r}: expected one number per row, got an array of shape {values.shape}")
        if values.dtype.kind in "iufb":
            return values.astype(np.float64)
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise BadInput(f"column {name!r}: expected a sequence with one value per row, got {values!r}")
    cells = [_cell(value) for value in values]
    if all(cell is None or isinstance(cell, float) for cell in cells):
        return np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)
    column = np.empty(len(cells), dtype=object)
    column[:] = cells
    return column


def _cell(value: Any) -> float | str | None:
    if value is None or isinstance(value, str):
        return value
    if type(value).__name__ in ("NAType", "NaTType"):  # pandas' missing cells, met in a dict of its series
        return None
    if isinstance(value, int | float | np.number | np.bool_ | Decimal) and not isinstance(value, complex):
        number = float(value)
        return None if number != number else number
    return str(value)


def _label(source: Any) -> str:
    return str(source) if isinstance(source, str | Path) else f"the {type(source).__name__} given"


def _from_path(path: Path) -> Columns:
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file; check the path")
    kind = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    readers = {"csv": _from_csv, "tsv": _from_csv, "parquet": _from_parquet, "jsonl": _from_jsonl, "json": _from_json}
    if kind not in readers:
        raise BadInput(f"{path}: expected a file named {', '.join('.' + k for k in readers)}; convert or rename it")
    try:
        return readers[kind](path)
    except (OSError, EOFError, UnicodeDecodeError, pa.ArrowInvalid) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(f"{path}: cannot be read as {kind} ({said}); check that the file is whole") from error


def _from_csv(path: Path) -> Columns:
    ragged: list[Any] = []

    def keep(row: Any) -> str:
        ragged.append(row)
        return "error"

    tab = ".tsv" in path.suffixes
    try:
        table = pyarrow.csv.read_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(use_threads=False),
            parse_options=pyarrow.csv.ParseOptions(delimiter="\t" if tab else ",", invalid_row_handler=keep),
        )
    except pa.ArrowInvalid as error:
        if ragged:
            row = ragged[0]
            raise BadInput(
                f"{path}: row {row.number - 1}: expected {row.expected_columns} values as in the header, "
                f"got {row.actual_columns} ({row.text[:60]!r}); complete the row or quote values that hold a comma"
            ) from error
        if "Empty CSV" in str(error):
            raise BadInput(f"{path}: expected a header and at least one row, got an empty file") from error
        raise
    if table.num_columns == 1 and any(mark in table.column_names[0] for mark in ";\t"):
        raise BadInput(
            f"{path}: expected values separated by commas, got the one column {table.column_names[0]!r}; "
            "save it with commas, or name a file with tabs .tsv"
        )
    return _from_frame(table)


def _from_parquet(path: Path) -> Columns:
    return _from_frame(pyarrow.parquet.read_table(path))


def _from_jsonl(path: Path) -> Columns:
    with pa.input_stream(path, compression="detect") as stream:
        lines = stream.read().decode("utf-8").splitlines()
    rows = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise BadInput(f"{path}: line {number}: expected a JSON object, got {line[:60]!r} ({error})") from error
    return _from_rows(rows, f"{path}: row")


def _from_json(path: Path) -> Columns:
    try:
        found = json.loads(path.read_text("utf-8"))
    except json.JSONDecodeError as error:
        raise BadInput(
            f"{path}: expected a JSON list of objects; line {error.lineno} is not JSON ({error.msg})"
        ) from error
    return _from_columns(found) if isinstance(found, dict) else _from_rows(found, f"{path}: row")


def _from_rows(rows: Any, where: str) -> Columns:
    if not isinstance(rows, Sequence) or isinstance(rows, str | bytes):
        raise BadInput(f"{where.removesuffix(': row')}: expected a JSON list of objects, got {rows!r}")
    names: dict[str, None] = {}
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            raise BadInput(f"{where} {number}: expected an object with one value per column, got {row!r}")
        names.update(dict.fromkeys(row))
    return {name: column_of(name, [row.get(name) for row in rows]) for name in names}


def _from_columns(columns: Mapping[str, Any]) -> Columns:
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


def _from_frame(source: Any) -> Columns:
    # Only pandas and Arrow allow one name twice, and narwhals refuses it in other words.
    lazy = hasattr(source, "collect")
    names = (
        list(source.column_names if isinstance(source, pa.Table) else getattr(source, "columns", []))
        if not lazy
        else []
    )
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise BadInput(f"column {twice[0]!r} occurs {names.count(twice[0])} times in the header; rename all but one")
    try:
        frame = nw.from_native(source)
    except TypeError as error:
        raise BadInput(
            f"expected a path, a pandas, polars or Arrow table, a dict of columns or a list of dicts, "
            f"got {type(source).__name__}"
        ) from error
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    return {str(series.name): _from_series(series) for series in frame.iter_columns()}


def _from_series(series: Any) -> Column:
    missing = series.is_null().to_list()
    return column_of(str(series.name), [None if gone else v for v, gone in zip(series.to_list(), missing, strict=True)])
