"""Frames in memory (pandas, polars, Arrow) as columns."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import narwhals as nw
import pyarrow as pa

from jaxscale.core.errors import BadInput
from jaxscale.studies.tables.columns import Column, OwnersTable, column_of


def read_frame(source: Any) -> OwnersTable:
    """Columns of a frame. Raises `BadInput` where it is none, or has a name twice."""
    source, remarks = _indexed(source)
    # Only pandas and Arrow allow one name twice, and narwhals refuses it in other words.
    if not hasattr(source, "collect"):
        once(list(source.column_names if isinstance(source, pa.Table) else getattr(source, "columns", [])))
    try:
        frame = nw.from_native(source)
    except TypeError as error:
        raise BadInput(
            f"expected a path, a pandas, polars or Arrow table, a dict of columns or a list of dicts, "
            f"got {type(source).__name__}"
        ) from error
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    return OwnersTable({str(series.name): _from_series(series) for series in frame.iter_columns()}, remarks)


def _indexed(source: Any) -> tuple[Any, list[str]]:
    """A pandas frame (or named series) with the levels of its index that have names as columns."""
    if not hasattr(source, "reset_index"):
        return source, []
    frame = source.to_frame() if hasattr(source, "to_frame") and getattr(source, "name", None) is not None else source
    if getattr(getattr(frame, "columns", None), "nlevels", 1) > 1:
        raise BadInput(
            f"expected one name per column, got {frame.columns.nlevels} levels of names; join them, as in "
            "df.columns = ['_'.join(map(str, name)) for name in df.columns]"
        )
    names = [name for name in frame.index.names if name is not None]
    twice = [name for name in names if name in getattr(frame, "columns", ()) or names.count(name) > 1]
    if twice:
        raise BadInput(f"{twice[0]!r} names a level of the index and another one or a column; rename one")
    unnamed = frame.index.nlevels - len(names)
    remarks = [f"levels of the index were read as columns: {', '.join(map(str, names))}"] if names else []
    if unnamed and frame.index.nlevels > 1:
        remarks.append(f"{unnamed} levels of the index have no names and were left out")
    return (frame.reset_index(level=names) if names else frame), remarks


def once(names: Sequence[Any]) -> None:
    """Refuses a column's name that occurs twice."""
    if len(set(names)) < len(names):
        twice, times = Counter(names).most_common(1)[0]
        raise BadInput(f"column {twice!r} occurs {times} times in the header; rename all but one")


def _from_series(series: Any) -> Column:
    missing = series.is_null().to_list()
    return column_of(str(series.name), [None if gone else v for v, gone in zip(series.to_list(), missing, strict=True)])
