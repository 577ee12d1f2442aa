"""One table, every source: pandas, polars, Arrow, CSV, gzip, TSV, Parquet, JSONL, dicts give the same columns."""

import gzip
import json
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jaxscale.studies.tables.tables import read_table, sha256_of

DATA: dict[str, list[Any]] = {
    "params": [100_000_000, 200_000_000, 400_000_000],
    "loss": [3.5, None, 2.75],
    "model": ["a", "b", None],
    "size": ["1.3B", "70e9", "300M"],
    "ok": [True, False, True],
}


def rows() -> list[dict[str, Any]]:
    return [dict(zip(DATA, values, strict=True)) for values in zip(*DATA.values(), strict=True)]


def source(kind: str, folder: Path) -> Any:
    frame = pa.table(DATA)
    text = pd.DataFrame(DATA).to_csv(index=False)
    lines = "\n".join(json.dumps(row) for row in rows())
    path = folder / f"runs.{kind}"
    match kind:
        case "pandas":
            return pd.DataFrame(DATA)
        case "pandas-nullable":
            return pd.DataFrame(DATA).convert_dtypes()
        case "pandas-categorical":
            return pd.DataFrame(DATA).astype({"model": "category"})
        case "polars":
            return pl.DataFrame(DATA)
        case "polars-lazy":
            return pl.LazyFrame(DATA)
        case "arrow":
            return frame
        case "dict":
            return DATA
        case "numpy":
            return DATA | {"params": np.array(DATA["params"])}
        case "rows":
            return rows()
        case "csv":
            path.write_text(text)
        case "csv.gz":
            path.write_bytes(gzip.compress(text.encode()))
        case "tsv":
            path.write_text(text.replace(",", "\t"))
        case "parquet":
            pq.write_table(frame, path)
        case "jsonl":
            path.write_text(lines)
        case "jsonl.gz":
            path.write_bytes(gzip.compress(lines.encode()))
        case "json":
            path.write_text(json.dumps(rows()))
    return path


KINDS = ["pandas", "pandas-nullable", "pandas-categorical", "polars", "polars-lazy", "arrow", "dict", "numpy", "rows"]
KINDS += ["csv", "csv.gz", "tsv", "parquet", "jsonl", "jsonl.gz", "json"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_source_gives_the_same_table(kind: str, tmp_path: Path) -> None:
    table = read_table(source(kind, tmp_path))
    assert list(table) == list(DATA)
    np.testing.assert_array_equal(table["params"], np.array(DATA["params"], dtype=np.float64))
    np.testing.assert_array_equal(table["loss"], [3.5, np.nan, 2.75])
    np.testing.assert_array_equal(table["ok"], [1.0, 0.0, 1.0])
    assert table["params"].dtype == np.float64
    assert list(table["size"]) == DATA["size"]
    # A CSV cannot tell an empty string from a missing one.
    assert [cell or None for cell in table["model"]] == DATA["model"]


def test_columns_may_be_arrays_and_series() -> None:
    table = read_table(
        {"jax": jnp.array([1.0, 2.0]), "pandas": pd.Series([1, None], dtype="Int64"), "polars": pl.Series(["a", None])}
    )
    np.testing.assert_array_equal(table["jax"], [1.0, 2.0])
    np.testing.assert_array_equal(table["pandas"], [1.0, np.nan])
    assert list(table["polars"]) == ["a", None]


def test_the_checksum_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"abc")
    # FIPS 180-2, appendix B.1.
    assert sha256_of(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
