"""Excel workbooks read back to the numbers of the frame that they were made of; bombs are stopped by the limit."""

import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

from jaxscale.core.errors import BadInput
from jaxscale.studies import Study
from jaxscale.studies.tables.tables import open_table

MAP = {"N": "params", "D": "tokens", "loss": "loss[nats]"}


def ladder(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    # Losses as loggers write them: openpyxl keeps sixteen digits.
    N = np.repeat(10 ** rng.uniform(7, 9, 4), 5).round()
    D = N * np.tile([5.0, 10.0, 20.0, 40.0, 80.0], 4)
    return pd.DataFrame(
        {"run": "m", "params": N, "tokens": D, "loss": (1.7 + 400 * N**-0.34 + 410 * D**-0.28).round(6)}
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_workbook_reads_back_to_the_same_numbers(seed: int, tmp_path: Path) -> None:
    frame, path = ladder(seed), tmp_path / "a.XLSX"
    with pd.ExcelWriter(path, engine="openpyxl") as book:
        frame.to_excel(book, sheet_name="runs", index=False)
    study = Study.read(path, MAP)
    for symbol, name in (("N", "params"), ("D", "tokens"), ("loss", "loss")):
        np.testing.assert_array_equal(study.columns[symbol], frame[name])
    assert study.remarks == Study.read(frame, MAP).remarks

    with pd.ExcelWriter(path, engine="openpyxl") as book:
        frame.to_excel(book, sheet_name="runs", index=False, startrow=3)
        frame.to_excel(book, sheet_name="other")
        book.sheets["runs"]["A1"] = "Ladder of spring"
    again = Study.read(path, MAP)
    np.testing.assert_array_equal(again.columns["loss"], frame["loss"])
    assert any("the first sheet, 'runs', was read; not 'other'" in remark for remark in again.remarks)
    assert any("1 rows above the header" in remark for remark in again.remarks)


def test_a_sheet_is_chosen_by_its_name(tmp_path: Path) -> None:
    ladders, path = (
        {name: ladder(seed) for seed, name in enumerate(["spring", "late summer", "2026"])},
        tmp_path / "a.xlsx",
    )
    with pd.ExcelWriter(path, engine="openpyxl") as book:
        for name, frame in ladders.items():
            frame.to_excel(book, sheet_name=name, index=False)
    for name, frame in ladders.items():
        study = Study.read(path, MAP, sheet=name)
        np.testing.assert_array_equal(study.columns["loss"], frame["loss"])
        assert not any("sheet" in remark for remark in study.remarks)
    (said,) = [remark for remark in Study.read(path, MAP).remarks if "sheet" in remark]
    assert said == ("the first sheet, 'spring', was read; not 'late summer', '2026': name another one, `sheet=...`")
    with pytest.raises(BadInput, match=r"`sheet=\.\.\.`: there is no sheet 'late sumer'; did you mean 'late summer'\?"):
        Study.read(path, MAP, sheet="late sumer")
    with pytest.raises(BadInput, match=r"there is no sheet 'runs'; the sheets are spring, late summer, 2026"):
        Study.read(path, MAP, sheet="runs")
    frame = ladders["2026"]
    frame.to_csv(tmp_path / "a.csv", index=False)
    for other in (tmp_path / "a.csv", frame):
        with pytest.raises(BadInput, match=r"`sheet=\.\.\.` is for Excel files \(\.xlsx\) only"):
            Study.read(other, MAP, sheet="2026")


def test_cells_of_a_workbook_are_what_they_are_in_text(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (
        ["params", "loss", "ok", "note"],
        ["(M)", "nats", None, None],
        ["1,5", 3.25, True, "a"],
        [2, "-", False],
    ):
        book[book.sheetnames[0]].append(row)
    book.save(tmp_path / "a.xlsx")
    table = open_table(tmp_path / "a.xlsx")
    assert {name: list(column) for name, column in table.columns.items()} == {
        "params": [1.5, 2.0],
        "loss": ["3.25", "-"],
        "ok": [1.0, 0.0],
        "note": ["a", None],
    }
    assert table.units == {"params": "M", "loss": "nats"}
    assert [remark.split(" in ")[0] for remark in table.remarks] == [
        "the row under the header was read as units: params [M], loss [nats]",
        "decimal commas were read",
    ]


def bomb(rows: bytes, **parts: bytes) -> bytes:
    """A workbook whose sheet has these rows, and other parts instead of its own."""
    plain, made = io.BytesIO(), io.BytesIO()
    openpyxl.Workbook().save(plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = parts.get(name.rpartition("/")[2].removesuffix(".xml"), old.read(name))
            if "worksheets/" in name:
                content = content.replace(b"<sheetData>", b"<sheetData>" + rows)
                assert rows in content
            new.writestr(name, content)
    return made.getvalue()


BOMBS = {
    "many cells": bomb(b'<row r="1">' + b"<c><v>1</v></c>" * 100_000 + b"</row>"),
    "a far row": bomb(b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'),
    "long text": bomb(b'<row r="1"><c t="str"><v>' + b"a" * 20_000_000 + b"</v></c></row>"),
    "styles": bomb(b"", styles=b"<styleSheet>" + b"<xf />" * 100_000 + b"</styleSheet>"),
}


@pytest.mark.parametrize("case", BOMBS)
def test_bombs_are_stopped_by_the_limit(case: str, tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(BOMBS[case])
    with pytest.raises(BadInput, match=r"a\.xlsx: expected a table that takes at most 16MB of memory"):
        open_table(path, "16MB")


def test_without_openpyxl_the_sentence_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.xlsx"
    openpyxl.Workbook().save(path)
    with pytest.raises(BadInput, match="a header and at least one row in the sheet 'Sheet', got none"):
        open_table(path)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(BadInput, match=r"pip install 'jaxscale\[excel\]'"):
        open_table(path)
