"""Parquet as columns: sizes first, then one column after the other."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as kinds

from jaxscale.studies.tables.budget import Budget
from jaxscale.studies.tables.columns import OwnersTable, column_of
from jaxscale.studies.tables.frames import once

_ROWS = 65_536  # decoded at a time


def read_parquet(content: bytes, budget: Budget) -> OwnersTable:
    """Columns of numbers, text, dates and truth values; nested and binary ones are left out with a remark.

    Raises `BadInput`, `pyarrow.ArrowInvalid`.
    """
    schema = pq.read_schema(pa.BufferReader(content))
    once(schema.names)
    text = [f.name for f in schema if _text(f.type)]
    # Text stays a dictionary: a page of one long string and a count of repeats is a few bytes in the file.
    file = pq.ParquetFile(pa.BufferReader(content), read_dictionary=text)
    read = [f.name for f in schema if f.name in text or _plain(f.type)]
    about = file.metadata
    budget.take_cells(max(about.num_rows, 0) * len(read))
    # Not asked of each column: pyarrow ends the process where the statistics of one are damaged.
    budget.take(sum(max(about.row_group(i).total_byte_size, 0) for i in range(about.num_row_groups)))
    columns = {name: column_of(name, list(_cells(file, name, budget))) for name in read}
    left = [f"{f.name} ({str(f.type)[:30]})" for f in schema if f.name not in columns]
    said = [f"columns that hold no single values were left out: {', '.join(left)}"] if left else []
    return OwnersTable(columns, said)


def _text(kind: pa.DataType) -> bool:
    return kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind)


def _plain(kind: pa.DataType) -> bool:
    """Whether a cell is one value of a few bytes."""
    if kinds.is_dictionary(kind):
        return _text(kind.value_type) or _plain(kind.value_type)
    return kinds.is_primitive(kind) or kinds.is_null(kind) or kinds.is_decimal(kind)


def _cells(file: pq.ParquetFile, name: str, budget: Budget) -> Iterator[Any]:
    words, distinct, count = [], None, 0
    for batch in file.iter_batches(batch_size=_ROWS, columns=[name], use_threads=False):
        count += len(batch)
        if count > file.metadata.num_rows:  # then what was taken from the budget was too little
            raise pa.ArrowInvalid(f"column {name!r} has more rows than the {file.metadata.num_rows} it says")
        batch.validate(full=True)  # a damaged index would find another text, or none
        array = batch.column(0)
        if not isinstance(array, pa.DictionaryArray):
            yield from array.to_pylist()
            continue
        if distinct is None or not array.dictionary.equals(distinct):
            distinct = array.dictionary
            budget.take(distinct.nbytes)
            words = distinct.to_pylist()
        yield from (None if i is None else words[i] for i in array.indices.to_pylist())
