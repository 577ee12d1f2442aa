"""Tables as an attack, and odd files: stopped by a stated limit, not by the machine, or named in a sentence."""

import contextlib
import gzip
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jaxscale.core.errors import BadInput
from jaxscale.studies import Study
from jaxscale.studies.tables.budget import size_of, told
from jaxscale.studies.tables.tables import open_table, read_table

ROWS = [{"N": 1e8, "D": 2e9, "loss": 3.5}, {"N": 2e8, "D": 4e9, "loss": 3.1}]


def repeated(head: bytes, block: bytes, size: int) -> bytes:
    """gzip of `head` and so many bytes of `block`, in members, so that it is quickly made."""
    piece = gzip.compress(block * (1_000_000 // len(block)), 6)
    return gzip.compress(head) + piece * (size // 1_000_000)


def rows_of(count: int) -> Callable[[Path], object]:
    return lambda path: pq.write_table(pa.table({"N": np.ones(count)}), path)


def long_text(path: Path) -> None:
    # Twenty long texts, 1,000 times each: 4 MB that stand for 4 GB.
    words = pa.array([f"{i:03d}" + "a" * 200_000 for i in range(20)])
    indices = pa.array(np.tile(np.arange(20, dtype=np.int32), 1000))
    frame = pa.table({"N": np.arange(1.0, 20_001.0), "note": pa.DictionaryArray.from_arrays(indices, words)})
    pq.write_table(frame, path, store_schema=False, compression="zstd", dictionary_pagesize_limit=1 << 30)


LIMIT = 16_000_000
BOMBS: dict[str, bytes | Callable[[Path], object]] = {
    "a.csv.gz": repeated(b"N,D,loss\n", b"100000000,500000000,3\n", 500_000_000),
    "b.tsv.gz": repeated(b"N\tD\tloss\n", b"1\t2\t3\n", 300_000_000),
    "blank.csv.gz": repeated(b"N,D,loss\n", b"\n", 300_000_000),
    "c.jsonl.gz": repeated(b"", b'{"N": 1e8}\n', 300_000_000),
    "d.json.gz": repeated(b"[", b"[],", 300_000_000),
    "dense.json": b"[" + b"[]," * 2_000_000 + b"[]]",
    "objects.json": b"[" + b"{}," * 2_000_000 + b"{}]",
    "own keys.jsonl": b"".join(b'{"k%d":1}\n' % i for i in range(4_000)),
    "lines.jsonl.gz": repeated(b"", b"\n", 300_000_000),
    "cells.csv": b"N" + b",N" * 2_000_000,
    "rows.parquet": rows_of(1_000_000),
    "text.parquet": long_text,
    "twice.parquet.gz": lambda path: path.write_bytes(repeated(b"PAR1", b"\0" * 1000, 300_000_000)),
}


def test_bombs_are_stopped_by_the_limit_and_not_by_the_machine(tmp_path: Path) -> None:
    paths = []
    for name, made in BOMBS.items():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(made) if isinstance(made, bytes) else made(paths[-1])
    code = (
        "import resource, sys\nfrom jaxscale.core.errors import BadInput\n"
        "from jaxscale.studies.tables.tables import open_table\n"
        "peak = lambda: 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\nbefore = peak()\n"
        "for path in sys.argv[2:]:\n"
        "    try:\n        open_table(path, float(sys.argv[1]))\n        print('read', path)\n"
        "    except BadInput as error:\n        print(error)\n"
        "print(peak() - before)\n"
    )
    given = [sys.executable, "-c", code, str(LIMIT), *map(str, paths)]
    *said, risen = subprocess.run(given, check=True, capture_output=True, text=True).stdout.splitlines()
    for path, sentence in zip(paths, said, strict=True):
        if path.name == "text.parquet":  # its texts are few: they are shared, and nothing of 4 GB is made
            assert sentence == f"read {path}"
            continue
        assert sentence.startswith(f"{path}: expected a table that takes at most 16MB"), sentence
        assert '`max_table="64MB"`' in sentence
    # The bytes, the text made of them, and what importing a reader takes.
    assert int(risen) < 6 * LIMIT


def test_the_limit_is_raised_by_its_option(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    pd.DataFrame(ROWS).to_csv(path)
    with pytest.raises(BadInput, match=r'at most 100B of memory .* `max_table="400B"`'):
        Study.read(path, max_table=100)
    assert len(Study.read(path, max_table="1MB")) == 2
    with pytest.raises(BadInput, match=r"`max_table=...`: expected a size in bytes, got 'much'; write it like 4GB"):
        Study.read(path, max_table="much")


@pytest.mark.parametrize(("text", "size"), [("4GB", 4e9), ("512 mb", 5.12e8), ("1.5GiB", 1.5e9), ("1e9", 0), (7, 7)])
def test_sizes(text: str | float, size: float) -> None:
    if not size:
        with pytest.raises(BadInput):
            size_of(text)
        return
    assert size_of(text) == size
    assert size_of(told(size)) == size


def lines(*rows: dict[str, object]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


GOOD: dict[str, bytes] = {
    "json gzip.json.gz": gzip.compress(json.dumps(ROWS).encode()),
    "tsv gzip.tsv.gz": gzip.compress(b"N\tD\tloss\n1e8\t2e9\t3.5\n2e8\t4e9\t3.1\n"),
    "members.csv.gz": gzip.compress(b"N,D,loss\n1e8,2e9,") + gzip.compress(b"3.5\n2e8,4e9,3.1\n") + b"\0" * 512,
    "upper.TSV": b"N\tD\tloss\n1e8\t2e9\t3.5\n2e8\t4e9\t3.1\n",
    "upper.CSV.GZ": gzip.compress(b"N,D,loss\n1e8,2e9,3.5\n2e8,4e9,3.1\n"),
    "mark.csv": b"\xef\xbb\xbfN,D,loss\n1e8,2e9,3.5\n2e8,4e9,3.1\n",
    "mark.json": b"\xef\xbb\xbf" + json.dumps(ROWS).encode(),
    "mark.jsonl": b"\xef\xbb\xbf" + lines(*ROWS).encode(),
    "windows.jsonl": lines(*ROWS).replace("\n", "\r\n").encode(),
    "lines.ndjson": lines(*ROWS).encode(),
    "returns.csv": b"N,D,loss\r1e8,2e9,3.5\r2e8,4e9,3.1\r",
    "blank lines.csv": b"\n\nN,D,loss\n\n1e8,2e9,3.5\n  \n2e8,4e9,3.1\n\n",
    "columns.json": json.dumps(pd.DataFrame(ROWS).to_dict("list")).encode(),
    "pandas.json": str(pd.DataFrame(ROWS).to_json()).encode(),
    "split.json": str(pd.DataFrame(ROWS).to_json(orient="split")).encode(),
    "table.json": str(pd.DataFrame(ROWS).to_json(orient="table", index=False)).encode(),
}


@pytest.mark.parametrize("name", GOOD)
def test_odd_files_are_read(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(GOOD[name])
    table = open_table(tmp_path / name)
    assert table.remarks == ()
    assert {symbol: list(column) for symbol, column in table.columns.items()} == {
        "N": [1e8, 2e8],
        "D": [2e9, 4e9],
        "loss": [3.5, 3.1],
    }


@pytest.mark.parametrize("seed", [0, 1])
def test_separators_inside_text_do_not_end_a_line(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    marks = ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "x"]
    notes = ["a" + "".join(rng.choice(marks, 4)) + "b" for _ in range(20)]
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines(*({"N": 1e8, "note": note} for note in notes)).encode())
    assert list(read_table(path)["note"]) == notes
    frame = pl.DataFrame({"N": np.ones(20), "note": notes})
    frame.write_csv(tmp_path / "a.csv", quote_style="always")
    assert list(read_table(tmp_path / "a.csv")["note"]) == notes


def test_mappings_by_row_are_read_by_value_and_not_by_key() -> None:
    frame = pd.DataFrame(ROWS)
    assert list(read_table(frame.to_dict())["loss"]) == [3.5, 3.1]
    with pytest.raises(BadInput, match=r"'D'.*the rows of the first"):
        read_table({"N": {"a": 1e8}, "D": {"b": 1e9}})
    with pytest.raises(BadInput, match="'D': expected a sequence"):
        read_table({"N": [1e8], "D": {"b": 1e9}})


HUGE = '[{"N": %s, "D": 2e9, "loss": 3.5}]'
BAD: dict[str, tuple[str, bytes, list[str]]] = {
    "depth": ("a.json", b"[" * 200_000 + b"]" * 200_000, ["nested too deeply", "a list of objects"]),
    "depth of objects": ("a.json", b'{"a":' * 50_000 + b"1" + b"}" * 50_000, ["nested too deeply"]),
    "depth in a line": (
        "a.jsonl",
        b'{"N": 1}\n{"N": ' + b"[" * 99_999 + b"]" * 99_999 + b"}",
        ["line 2", "too deeply"],
    ),
    "huge integer": ("a.json", (HUGE % ("1" + "0" * 5000)).encode(), ["row 1", "'N'", "1000"]),
    "long integer": ("a.json", (HUGE % ("1" + "0" * 350)).encode(), ["row 1", "'N'", "e+350"]),
    "infinite real": ("a.json", (HUGE % "1e400").encode(), ["row 1", "'N'", "'1e400'"]),
    "infinite real in csv": ("a.csv", b"N,D,loss\n1e8,2e9,3.5\n1e400,2e9,3.5\n", ["row 2", "'N'", "'1e400'"]),
    "Infinity": ("a.json", (HUGE % "Infinity").encode(), ["row 1", "'N'", "got inf"]),
    "NaN": ("a.json", (HUGE % "NaN").encode(), ["row 1", "'N'", "missing value"]),
    "key twice": ("a.json", b'[{"N": 1e8, "loss": 3.5, "N": 2e8}]', ["'N' twice", "each key once"]),
    "key twice in a line": ("a.jsonl", b'{"N": 1}\n{"N": 1e8, "N": 2e8}', ["line 2", "'N' twice"]),
    "NUL": ("a.csv", b"N,D,loss\n1e8,2e9,3.5\n1e8,\0,3.5\n", ["line 3", "NUL byte", "UTF-8"]),
    "16 bits without a mark": ("a.csv", "N,D,loss\n1,2,3\n".encode("utf-16-le"), ["line 1", "NUL byte"]),
    "half of 16 bits": ("a.csv", b"\xff\xfeN\0,\0D", ["utf-16", "UTF-8"]),
    "an open quote": ("a.csv", b'N,D,loss\n1e8,2e9,3.5\n"1e8,2e9,3.5\n1e8,2e9,3.5\n', ["line 3", "quote"]),
    "an open quote, far": ("a.csv", b'N,D,loss\n1,"2,3\n' + b"1,2,3\n" * 99_999, ["line 2", "quote"]),
    "a quote inside": ("a.csv", b'N,D,loss\n"1e8"x,2e9,3.5\n', ["line 2", "quote"]),
    "a lone return": ("a.csv", b"N,D,loss\n1e8,2e\r9,3.5\n", ["row 1", "expected 3 values", "got 2"]),
    "parquet as csv": ("a.csv", b"PAR1....PAR1", ["expected csv", "got parquet", "rename"]),
    "cut gzip": ("a.csv.gz", gzip.compress(os.urandom(5000))[:-900], ["cannot be read as csv", "whole"]),
    "gzip with rest": ("a.csv.gz", gzip.compress(b"N\n1\n") + b"rest", ["cannot be read as csv", "whole"]),
    "many columns": ("a.csv", b",".join(b"c%d" % i for i in range(30_000)) + b"\n" + b"1," * 29_999 + b"1", ["30,000"]),
    "unlike halves": ("a.json", b'{"columns": ["N", "D"], "data": [[1, 2], [1]]}', ["row 2", "expected 2 values"]),
    "text": ("a.json", b'"' + b"a" * 9999 + b'"', ["JSON list of objects", "aaa"]),
}


@pytest.mark.parametrize("case", BAD)
def test_files_that_are_no_table_are_named(case: str, tmp_path: Path) -> None:
    name, content, said = BAD[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput) as error:
        Study.read(tmp_path / name)
    sentence = str(error.value)
    assert len(sentence) < 400 + len(str(tmp_path))
    for part in said:
        assert part in sentence, sentence


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    for name, what in (("pipe.csv", "a pipe"), ("folder.csv", "a folder"), ("zero.csv", "device")):
        with pytest.raises(BadInput, match=f"expected a regular file, got .*{what}"):
            read_table(tmp_path / name)


def test_a_name_that_is_wrong_on_compression_is_a_remark(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(gzip.compress(b"N,D,loss\n1e8,2e9,3.5\n"))
    (tmp_path / "b.csv.gz").write_bytes(b"N,D,loss\n1e8,2e9,3.5\n")
    for name, said in (("a.csv", "is compressed"), ("b.csv.gz", "is not compressed")):
        assert any(said in remark for remark in Study.read(tmp_path / name).remarks)


@pytest.mark.parametrize("name", ["a.csv", "a.json"])
def test_a_repeated_name_among_many_is_found_at_once(name: str, tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(200_000)]
    row = ",".join([*names, names[-1]]) + "\n" + ",".join("1" * 200_001)
    (tmp_path / name).write_text(
        row if name == "a.csv" else "[{" + ",".join(f'"{n}":1' for n in [*names, names[-1]]) + "}]"
    )
    started = time.perf_counter()
    with pytest.raises(BadInput, match="'c199999'"):
        read_table(tmp_path / name)
    assert time.perf_counter() - started < 10  # a look at every pair would take minutes


def whole_files() -> dict[str, bytes]:
    """One table in every format."""
    frame = pd.DataFrame(
        {"N": np.arange(1.0, 40.0) * 1e7, "loss": np.linspace(4.0, 3.0, 39), "run": ["a", "b", "c"] * 13}
    )
    dictionary, plain, book = io.BytesIO(), io.BytesIO(), io.BytesIO()
    pq.write_table(pa.Table.from_pandas(frame), dictionary)
    pq.write_table(pa.Table.from_pandas(frame), plain, use_dictionary=False, compression="zstd")
    frame.to_excel(book, index=False)
    text = frame.to_csv(index=False)
    return {
        "a.csv": text.encode(),
        "b.csv": frame.to_csv(index=False, sep=";", decimal=",").encode(),
        "c.tsv": frame.to_csv(index=False, sep="\t").encode("utf-16"),
        "d.csv.gz": gzip.compress(text.encode()),
        "e.json": str(frame.to_json(orient="records")).encode(),
        "f.jsonl": str(frame.to_json(orient="records", lines=True)).encode(),
        "g.parquet": dictionary.getvalue(),
        "h.parquet": plain.getvalue(),
        "i.xlsx": book.getvalue(),
    }


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_random_damage_ends_in_a_table_or_a_sentence(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    marks = [
        b",",
        b";",
        b'"',
        b"\n",
        b"\r",
        b"#",
        b"\0",
        b"[",
        b"{",
        b"}",
        b"1e400",
        b"1,234",
        b"NaN",
        b"\xff",
        b"sep=;\n",
    ]
    for name, content in whole_files().items():
        for _ in range(40):
            made = bytearray(content)
            for at in rng.integers(0, len(content), rng.integers(1, 4)):
                match rng.integers(3):
                    case 0:
                        made[at] = rng.integers(256)
                    case 1:
                        made[at:at] = marks[rng.integers(len(marks))]
                    case _:
                        del made[at : at + rng.integers(1, 30)]
            (tmp_path / name).write_bytes(made)
            with contextlib.suppress(BadInput):  # anything else is a fault of ours
                assert open_table(tmp_path / name, "64MB").columns
