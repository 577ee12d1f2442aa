"""Frames in memory (pandas, polars, Arrow) as columns."""

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import pyarrow as pa

from jaxscale.core.errors import BadInput
from jaxscale.studies.columns import Column, Columns, column_of


def read_frame(source: Any) -> tuple[Columns, list[str]]:
    """Columns of a frame. Raises `BadInput` where it is none, or has a name twice."""
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
    return {str(series.name): _from_series(series) for series in frame.iter_columns()}, []


def once(names: Sequence[Any]) -> None:
    """Refuses a column's name that occurs twice."""
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadInput(f"column {twice!r} occurs {names.count(twice)} times in the header; rename all but one")


def _from_series(series: Any) -> Column:
    missing = series.is_null().to_list()
    return column_of(str(series.name), [None if gone else v for v, gone in zip(series.to_list(), missing, strict=True)])
