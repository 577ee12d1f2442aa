"""One ladder, written as people write tables: every form reads back to the numbers of the plain CSV, and says how."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from jaxscale.core.errors import BadInput
from jaxscale.studies import Study, sheet
from jaxscale.studies.tables.numerals import Numerals, numerals

SEEDS = [0, 1, 2]
MAP = {"N": "params", "D": "tokens", "loss": "loss[nats]"}
type Ladder = dict[str, list[Any]]


def ladder(seed: int) -> Ladder:
    """Sizes and data in whole numbers, and losses of four decimals, of a Chinchilla-like law with noise."""
    rng = np.random.default_rng(seed)
    N = np.repeat(np.unique(rng.integers(10_000, 900_000, 5)) * 1000, 4)
    D = N * np.tile([8, 20, 50, 120], len(N) // 4) + 1000 * rng.integers(1, 99, len(N))
    loss = 1.7 + 400 * N**-0.34 + 410 * D**-0.28 + rng.normal(0, 0.01, len(N))
    return {
        "run": [f"m{i}" for i in range(len(N))],
        "params": N.tolist(),
        "tokens": D.tolist(),
        "loss": np.round(loss, 4).tolist(),
    }


def text_of(data: Ladder, separator: str = ",", number: Callable[[float], str] = repr) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    writer.writerow(data)
    writer.writerows(
        [[x if isinstance(x, str) else number(x) for x in row] for row in zip(*data.values(), strict=True)]
    )
    return out.getvalue()


def decimal(value: float) -> str:
    return repr(value).replace(".", ",")


def thousands(mark: str) -> Callable[[float], str]:
    return lambda value: f"{value:,}".replace(",", mark) if isinstance(value, int) else repr(value)


def german(value: float) -> str:
    return f"{value:,}".replace(",", ".") if isinstance(value, int) else decimal(value)


def suffixed(value: float) -> str:
    return f"{value // 1000}K" if isinstance(value, int) and value % 1000 == 0 else repr(value)


def scaled(data: Ladder) -> Ladder:
    # Written in decimal, so that the unit gives back the same float.
    return data | {"params": [n / 1000 for n in data["params"]]}


def three(data: Ladder) -> Ladder:
    """Nothing but the semicolons tells that 3,412 is no three thousand."""
    data["loss"] = [round(x + 0.0004, 3) for x in data["loss"]]
    data["loss"] = [x if len(repr(x)) == 5 else round(x + 0.001, 3) for x in data["loss"]]
    return data


WAYS: dict[str, tuple[str, Callable[[Ladder], bytes], list[str]]] = {
    "plain": ("csv", lambda d: text_of(d).encode(), []),
    "tabs": ("tsv", lambda d: text_of(d, "\t").encode(), []),
    "tabs in csv": ("csv", lambda d: text_of(d, "\t").encode(), ["separated by tabs"]),
    "commas in tsv": ("tsv", lambda d: text_of(d).encode(), ["separated by commas"]),
    "semicolons": ("csv", lambda d: text_of(d, ";").encode(), ["separated by semicolons"]),
    "european": (
        "csv",
        lambda d: text_of(d, ";", decimal).encode(),
        ["semicolons", "decimal commas were read in column"],
    ),
    "european tabs": ("tsv", lambda d: text_of(d, "\t", decimal).encode(), ["decimal commas"]),
    "quoted decimal commas": ("csv", lambda d: text_of(d, ",", decimal).encode(), ["decimal commas"]),
    "german": (
        "csv",
        lambda d: text_of(d, ";", german).encode(),
        ["decimal commas", "dots between thousands were left"],
    ),
    "english": ("csv", lambda d: text_of(d, ",", thousands(",")).encode(), ["commas between thousands were left out"]),
    "spaces": ("csv", lambda d: text_of(d, ",", thousands(" ")).encode(), ["marks between thousands"]),
    "narrow spaces": ("csv", lambda d: text_of(d, ",", thousands("\u202f")).encode(), ["marks between thousands"]),
    "underscores": ("csv", lambda d: text_of(d, ",", thousands("_")).encode(), ["marks between thousands"]),
    "suffixes": ("csv", lambda d: text_of(d, ",", suffixed).encode(), ["suffixes such as 1.3B were read"]),
    "three decimals": ("csv", lambda d: text_of(three(d), ";", decimal).encode(), ["decimal commas"]),
    "quoted": ("csv", lambda d: pd.DataFrame(d).to_csv(sep=";", quoting=csv.QUOTE_ALL).encode(), ["semicolons"]),
    "quoted tabs": ("csv", lambda d: pd.DataFrame(d).to_csv(sep="\t", quoting=csv.QUOTE_ALL).encode(), ["tabs"]),
    "excel's first line": ("csv", lambda d: ("sep=;\r\n" + text_of(d, ";")).encode(), ["semicolons"]),
    "utf-16": ("csv", lambda d: text_of(d).encode("utf-16"), ["UTF-16"]),
    "utf-16 le, tabs": ("tsv", lambda d: b"\xff\xfe" + text_of(d, "\t").encode("utf-16-le"), ["UTF-16"]),
    "utf-16 be": ("csv", lambda d: b"\xfe\xff" + text_of(d).encode("utf-16-be"), ["UTF-16"]),
    "utf-8 mark": ("csv", lambda d: text_of(d).encode("utf-8-sig"), []),
    "latin-1": ("csv", lambda d: text_of(d | {"größe": ["é"] * len(d["run"])}).encode("latin-1"), ["Windows-1252"]),
    "comments": ("csv", lambda d: ("# by ladder.py\n#loss, in nats\n\n" + text_of(d)).encode(), ["2 leading lines"]),
    "a header in a comment": ("csv", lambda d: ("# " + text_of(d)).encode(), ["read as the header: run, params"]),
    "comments and header": (
        "csv",
        lambda d: ("# by ladder.py\n# " + text_of(d)).encode(),
        ["header", "1 leading line that"],
    ),
    "a number sign": (
        "csv",
        lambda d: text_of({"#": list(range(len(d["run"]))), **d}).encode(),
        ["read as the header: #"],
    ),
    "windows": ("csv", lambda d: text_of(d).replace("\n", "\r\n").encode(), []),
    "pandas": ("csv", lambda d: pd.DataFrame(d).to_csv().encode(), []),
    "spaces in the header": ("csv", lambda d: text_of({f" {n} ": v for n, v in d.items()}).encode(), []),
    "units": ("csv", lambda d: _under(d, ["", "params", "tokens", "nats"]), ["read as units: params [params]"]),
    "scaled units": ("csv", lambda d: _under(scaled(d), ["name", "(K)", "-", "[nats]"]), ["params [K], loss [nats]"]),
    "json": ("json", lambda d: json.dumps(pd.DataFrame(d).to_dict("records")).encode(), []),
    "json of text": ("json", lambda d: pd.DataFrame(d).astype(str).to_json(orient="records").encode(), []),
    "split": ("json", lambda d: pd.DataFrame(d).to_json(orient="split").encode(), []),
}


def _under(data: Ladder, units: list[str]) -> bytes:
    names, rest = text_of(data).split("\n", 1)
    return f"{names}\n{','.join(units)}\n{rest}".encode()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_writing_reads_back_to_the_same_numbers(way: str, seed: int, tmp_path: Path) -> None:
    kind, write, said = WAYS[way]
    data = ladder(seed)
    path = tmp_path / f"a.{kind}"
    path.write_bytes(write(data))
    study = Study.read(path, MAP)
    for symbol, name in (("N", "params"), ("D", "tokens"), ("loss", "loss")):
        np.testing.assert_array_equal(study.columns[symbol], np.array(data[name], dtype=np.float64))
    plain = Study.read(pd.DataFrame(data), MAP).remarks
    told = [remark for remark in study.remarks if remark not in plain]
    for part in said:
        assert any(part in remark for remark in told), study.remarks
    assert bool(told) == bool(said), told


@pytest.mark.parametrize("seed", SEEDS)
def test_frames_with_an_index_read_back_to_the_same_numbers(seed: int) -> None:
    data = ladder(seed)
    frame = pd.DataFrame(data)
    made: dict[str, Any] = {
        "multiindex": frame.set_index(["params", "tokens"]),
        "grouped": frame.groupby(["params", "tokens"], sort=False)["loss"].mean(),
        "one level": frame.set_index("params"),
    }
    for name, source in made.items():
        study = Study.read(source, MAP)
        for symbol, column in (("N", "params"), ("D", "tokens"), ("loss", "loss")):
            np.testing.assert_array_equal(study.columns[symbol], np.array(data[column], dtype=np.float64), name)
        assert any("levels of the index were read as columns: params" in remark for remark in study.remarks)
    wide = frame.groupby("params").agg({"loss": ["mean", "std"]})
    with pytest.raises(BadInput, match="2 levels of names; join them"):
        Study.read(wide, MAP)
    with pytest.raises(BadInput, match="'params' names a level of the index and another one or a column"):
        Study.read(frame.set_index("params", drop=False), MAP)
    assert len(Study.read(pl.DataFrame(data), MAP)) == len(frame)


MISSING = ["-", "–", "n/a", "NA", "None", "null", ".", "", "NaN", "#N/A"]


@pytest.mark.parametrize("mark", MISSING)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_missing_value_is_named_and_left_out_by_the_filter_it_advises(seed: int, mark: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    data = ladder(seed)
    lost, short = (sorted(rng.choice(len(data["run"]), 3, replace=False)) for _ in range(2))
    for name, rows in (("loss", lost), ("tokens", short)):
        for row in rows:
            data[name][row] = mark
    path = tmp_path / "a.csv"
    path.write_text(text_of(data))
    with pytest.raises(BadInput, match="a missing value") as error:
        Study.read(path, MAP)
    assert f"row {short[0] + 1} (and 2 more rows), column 'tokens'" in str(error.value)
    kept = [i for i in range(len(data["run"])) if i not in {*lost, *short}]
    study = Study.read(path, MAP, where=str(error.value).split('"')[1])
    np.testing.assert_array_equal(study.rows, np.array(kept) + 1)
    if mark:
        by_text = Study.read(path, MAP, where=f"loss != '{mark}' and tokens != '{mark}' and loss < 1e300")
        np.testing.assert_array_equal(by_text.rows, study.rows)


@pytest.mark.parametrize("text", ["Infinity", "-inf", "inf"])
def test_infinite_cells_are_named(text: str, tmp_path: Path) -> None:
    data = ladder(0)
    data["loss"][4] = text
    for name, content in (("a.csv", text_of(data)), ("a.json", json.dumps(pd.DataFrame(data).to_dict("records")))):
        (tmp_path / name).write_text(content)
        with pytest.raises(BadInput, match=r"row 5, column 'loss': expected a finite number, got -?inf"):
            Study.read(tmp_path / name, MAP)
        assert len(Study.read(tmp_path / name, MAP, where="loss < 1e300 and loss > 0")) == len(data["run"]) - 1


@pytest.mark.parametrize("seed", SEEDS)
def test_filters_see_the_numbers_that_the_mapping_sees(seed: int) -> None:
    data = ladder(seed)
    cut = float(np.median(data["params"]))
    written = data | {"params": [suffixed(n) for n in data["params"]]}
    written["loss"] = [repr(x) for x in data["loss"][:-1]] + ["-"]
    study = Study.read(written, MAP, where=f"loss != '-' and params < {cut} and loss < 9")
    expected = [i + 1 for i, n in enumerate(data["params"][:-1]) if n < cut]
    np.testing.assert_array_equal(study.rows, expected)
    np.testing.assert_array_equal(study.where(f"params == {data['params'][0]}").rows, [1, 2, 3, 4])
    # As text they are still what they were.
    first = written["params"][0]
    assert len(Study.read(written, MAP, where=f"loss is not None and params == '{first}'")) == 4
    assert Study.read(written, MAP, where="loss is not None", group="params").groups[0] == first
    with pytest.raises(BadInput, match=r"'run'.*holds text, as 'm0', not numbers only"):
        Study.read(data, MAP, where="run < 3")


def test_a_column_of_text_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many questions are asked of it: whether it has gaps, suffixes, numbers, also after rows were left out."""
    data, parsed = ladder(0), []

    def counted(column: np.ndarray) -> Numerals:
        parsed.append(len(column))
        return numerals(column)

    monkeypatch.setattr(sheet, "numerals", counted)
    written = data | {"params": [suffixed(n) for n in data["params"]], "loss": [f" {x} " for x in data["loss"]]}
    twice = {name: [*column, column[0]] for name, column in written.items()}
    assert len(Study.read(twice, MAP)) == len(data["run"])
    assert len(parsed) == len(MAP)


@pytest.mark.parametrize("seed", SEEDS)
def test_charts_and_histories_of_wandb_are_named(seed: int) -> None:
    rng = np.random.default_rng(seed)
    steps = np.arange(0, 1000, 100)
    runs = [f"llama-{n}M" for n in (22, 54, 130)]
    chart: dict[str, Any] = {"Step": steps}
    for run in runs:
        values = 3 + rng.random(10)
        chart |= {f"{run} - val/loss{end}": values for end in ("", "__MIN", "__MAX")}
    for mapping in (None, MAP):
        with pytest.raises(BadInput, match=r"a W&B chart, a column of 'val/loss' for each of 3 runs .* df\.filter"):
            Study.read(chart, mapping)
    loss = np.where(steps % 200 == 0, 3 + rng.random(10), np.nan)
    history = {"_step": steps, "_runtime": steps * 1.5, "tokens": np.where(np.isnan(loss), 1e9 + steps, np.nan)}
    with pytest.raises(BadInput, match=r"a W&B history, a row per step: add the run's parameters"):
        Study.read(history | {"loss": loss}, MAP)
    # Metrics that are logged at other steps: the filter names every column that has gaps.
    sparse = history | {
        "loss": loss,
        "params": np.full(10, 1e8),
        "tokens": np.where(steps > 200, 1e9 + steps * 1e6, np.nan),
    }
    with pytest.raises(BadInput, match="a missing value") as error:
        Study.read(sparse, MAP)
    kept = Study.read(sparse, MAP, where=str(error.value).split('"')[1])
    np.testing.assert_array_equal(kept.table["_step"], [s for s in steps if s % 200 == 0 and s > 200])


def test_compute_in_gflop_is_guessed() -> None:
    data = ladder(0)
    flops = [6 * n * d for n, d in zip(data["params"], data["tokens"], strict=True)]
    for size, unit in ((1e9, "GFLOP"), (1e12, "TFLOP"), (1e15, "PFLOP"), (1e18, "EFLOP"), (1e21, "ZFLOP")):
        table = data | {"flops": [1.2 * c / size for c in flops]}
        with pytest.raises(BadInput, match=rf"write C=flops\[{unit}\]"):
            Study.read(table, MAP | {"C": "flops"})
        right = Study.read(table, MAP | {"C": f"flops[{unit}]"})
        np.testing.assert_allclose(right.columns["C"], 1.2 * np.array(flops, dtype=np.float64), rtol=4e-16)
        # Without N and D only sizes that no run has are doubted.
        if max(table["flops"]) < 1e12:
            with pytest.raises(BadInput, match=rf"write .*C=flops\[{unit}\]"):
                Study.read(table, {"C": "flops", "loss": "loss"})


def test_a_unit_of_the_mapping_goes_before_the_one_under_the_header(tmp_path: Path) -> None:
    data = ladder(0)
    (tmp_path / "a.csv").write_bytes(_under(scaled(data), ["", "M", "tokens", "nats"]))
    study = Study.read(tmp_path / "a.csv", MAP | {"N": "params[K]"})
    np.testing.assert_array_equal(study.columns["N"], data["params"])
    assert "column 'params': taken in [K], not in the [M] under its header" in study.remarks
    (tmp_path / "b.csv").write_bytes(_under(scaled(data), ["", "K", "tokens", "nats"]))
    noisy = Study.read(tmp_path / "b.csv", MAP, noise="loss")
    np.testing.assert_array_equal(noisy.noise, data["loss"])


def test_columns_that_are_not_used_are_never_refused(tmp_path: Path) -> None:
    data = ladder(0)
    odd = {"note": ["1,234", "1.5,6", "3,5", "a"] * 5, "two": ["1,234"] * 20, "both": ["1,234,567", "3,5"] * 10}
    (tmp_path / "a.csv").write_text(text_of({**data, **odd}))
    study = Study.read(tmp_path / "a.csv", MAP)
    np.testing.assert_array_equal(study.columns["loss"], data["loss"])
    assert list(study.table["two"]) == odd["two"]
    assert study.remarks == Study.read(pd.DataFrame(data), MAP).remarks
