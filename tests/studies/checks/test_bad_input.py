"""Bad input never passes silently: each is refused with one sentence that says where, what and what to do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from jaxscale.core.law import signature
from jaxscale.laws.breaks.caballero2023 import BrokenPowerLaw
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.studies import BadInput, Study, load

NAN, INF = float("nan"), float("inf")
GOOD: dict[str, list[Any]] = {
    "N": [1e8, 2e8, 4e8],
    "D": [2e9, 4e9, 8e9],
    "C": [1.2e18, 4.8e18, 1.92e19],
    "loss": [3.5, 3.1, 2.8],
    "w": [1.0, 2.0, 1.0],
    "run": ["a", "b", "c"],
}
type Make = Callable[[], object]


def good(**changed: list[Any] | None) -> dict[str, list[Any]]:
    return {name: values for name, values in {**GOOD, **changed}.items() if values is not None}


def table(mapping: dict[str, str] | None = None, options: dict[str, Any] | None = None, /, **changed: Any) -> Make:
    return lambda: Study.read(good(**changed), mapping, **(options or {}))


ND = {"N": "N", "D": "D", "loss": "loss"}
CASES: dict[str, tuple[Make, list[str]]] = {
    "nan loss": (table(loss=[3.5, NAN, 2.8]), ["row 2", "'loss'", "NaN", '"loss is not None']),
    "none loss": (table(loss=[3.5, 3.1, None]), ["row 3", "'loss'", "missing value", "filter"]),
    "two nan": (table(loss=[NAN, 3.1, None]), ["row 1 (and 1 more rows)", "fill it in"]),
    "inf loss": (table(loss=[3.5, 3.1, INF]), ["row 3", "'loss'", "got inf", "filter"]),
    "nan N": (table(N=[NAN, 2e8, 4e8]), ["row 1", "'N'", "NaN"]),
    "minus inf D": (table(D=[2e9, -INF, 8e9]), ["row 2", "'D'", "got -inf"]),
    "zero N": (table(N=[1e8, 0, 4e8]), ["row 2", "'N'", "above 0, got 0", '"N > 0"']),
    "negative D": (table(D=[2e9, 4e9, -8e9]), ["row 3", "'D'", "got -8e+09", "correct it"]),
    "zero C": (table(C=[0.0, 4.8e18, 1.92e19]), ["row 1", "'C'", "got 0"]),
    "negative loss": (table(loss=[3.5, -3.1, 2.8]), ["row 2", "'loss'", "got -3.1", '"loss > 0"']),
    "zero loss": (table(loss=[3.5, 3.1, 0.0]), ["row 3", "'loss'", "got 0"]),
    "text loss": (table(loss=[3.5, "diverged", 2.8]), ["row 2", "'loss'", "'diverged'", "filter"]),
    "text column": (table(N=["small", "medium", "large"]), ["row 1", "'N'", "'small'", "plain number"]),
    "a comma read two ways": (
        table(loss=["3,512", "3,101", "2,803"]),
        [
            *("row 1 (and 2 more rows)", "'loss'", "3512 with a comma between thousands", '(`decimal="."`)'),
            *("or 3.512 with a decimal comma", '(`decimal=","`)'),
        ],
    ),
    "a lone unit": (table(loss=["nats", "3.1", "2.8"]), ["row 1", "'loss'", "'nats'", "map loss[unit]"]),
    "suffix on a loss": (table(loss=["3.5B", 3.1, 2.8]), ["row 1", "'loss'", "'3.5B'"]),
    "tokens in billions, with C": (table(D=[2.0, 4.0, 8.0]), ["billions", "write D=D[B]", "row 1", "6 N D"]),
    "tokens in millions, with C": (table(D=[2e3, 4e3, 8e3]), ["millions", "write D=D[M]"]),
    "params in millions, with C": (table(N=[100.0, 200.0, 400.0]), ["params", "millions", "write N=N[M]"]),
    "both in billions": (table(N=[0.1, 0.2, 0.4], D=[2.0, 4.0, 8.0]), ["write N=N[B] and D=D[B]"]),
    "compute in EFLOP": (table(C=[1.2, 4.8, 19.2]), ["write C=C[EFLOP]"]),
    "compute in PF-days": (table(C=[1.2e18 / 8.64e19, 4.8e18 / 8.64e19, 1.92e19 / 8.64e19]), ["write C=C[PF-days]"]),
    "tokens in billions, no C": (table(C=None, D=[2.0, 4.0, 8.0]), ["'D'", "billions", "D=D[B]", "D=D[tokens]"]),
    "params in millions, no C": (table(C=None, N=[100.0, 200.0, 400.0]), ["'N'", "N=N[M]", "N=N[params]"]),
    "unit applied twice": (table({**ND, "D": "D[B]", "N": "N[B]"}), ["'N'", "plain counts already", "N=N[params]"]),
    "C of one row": (table(C=[1.2e18, 4.8e18, 1.92e20]), ["row 3", "'C'", "10 times as much", "leave C out"]),
    "perplexity as nats": (table({**ND, "loss": "loss[nats]"}, loss=[33.0, 22.0, 16.4]), ["perplexity", "loss[ppl]"]),
    "perplexity below one": (table({**ND, "loss": "loss[ppl]"}, loss=[33.0, 0.5, 16.4]), ["row 2", "above 1, got 0.5"]),
    "duplicate rows": (
        table(
            {**ND, "C": "C"},
            {"duplicates": "refuse"},
            N=[1e8, 2e8, 1e8],
            D=[2e9, 4e9, 2e9],
            C=[1.2e18, 4.8e18, 1.2e18],
            loss=[3.5, 3.1, 3.5],
        ),
        ["row 3", "the same N, D, loss, C as in row 1", '`duplicates="keep"`'],
    ),
    "empty table": (lambda: Study.read({"N": [], "loss": []}), ["empty table", "give it rows"]),
    "no columns": (lambda: Study.read({}), ["empty table"]),
    "no rows": (lambda: Study.read([]), ["empty table"]),
    "names twice": (
        lambda: Study.read(pd.DataFrame([[1e8, 3.0, 2.0]], columns=["N", "loss", "loss"])),
        ["'loss' occurs 2"],
    ),
    "bytes": (lambda: Study.read(b"N,loss"), ["expected"]),
    "empty frame": (lambda: Study.read(pd.DataFrame()), ["empty table"]),
    "ragged columns": (lambda: Study.read({"N": [1e8, 2e8], "loss": [3.0]}), ["'loss'", "expected 2 values", "got 1"]),
    "rows of lists": (lambda: Study.read([[1e8, 3.0]]), ["row 1", "expected an object"]),
    "a number": (lambda: Study.read(3.0), ["expected a path", "got float"]),
    "scalar column": (lambda: Study.read({"N": 1e8, "loss": [3.0]}), ["'N'", "one value per row"]),
    "nested cells": (
        lambda: Study.read({"N": [[1e8], [2e8]], "loss": [3.0, 2.0]}),
        ["row 1", "'N'", "'[100000000.0]'"],
    ),
    "unknown column": (table({**ND, "D": "tokenz"}), ["D:", "'tokenz'", "the columns are N, D, C"]),
    "close column": (table({**ND, "loss": "los"}), ["'los'", "did you mean 'loss'?"]),
    "column twice": (table({**ND, "D": "N"}), ["'N' is mapped to N and to D"]),
    "no target": (table({"N": "N", "D": "D"}), ["the mapping lacks loss"]),
    "no loss column": (table(loss=None), ["loss: no column is named so", "the columns are"]),
    "no input column": (lambda: Study.read({"loss": [3.0], "x": [1.0]}), ["N: no column is named so"]),
    "two losses": (
        lambda: Study.read({"N": [1e8], "D": [2e9], "train/loss": [3.0], "val/loss": [3.1]}),
        ["'train/loss'", "'val/loss'", "say which one", "loss=train/loss"],
    ),
    "two counts of N": (
        lambda: Study.read({"params": [1e8], "non_embedding_param_size": [9e7], "D": [2e9], "loss": [3.0]}),
        ["N: the columns 'params', 'non_embedding_param_size'", "say which one"],
    ),
    "wrong unit": (table({**ND, "N": "N[tokens]"}), ["N is measured in params, got tokens"]),
    "unknown unit": (
        lambda: table({**ND, "D": "D[furlongs]"})().runs(signature(Chinchilla())),
        ["the law takes D in tokens", "has it in furlongs", "D=column[tokens]", "[B tokens]"],
    ),
    "no unit": (table({**ND, "D": "D[*]"}), ["[*] is not known", "[B tokens]"]),
    "unit of another law": (
        lambda: table({**ND, "D": "D[points]"})().runs(signature(Chinchilla())),
        ["the law takes D in tokens", "has it in points"],
    ),
    "unit of what another law calls so": (
        lambda: table({**ND, "D": "D[samples]"})().runs(signature(Chinchilla())),
        ["the law takes D in tokens", "has it in samples"],
    ),
    "unknown unit of a pure number": (
        lambda: Study.read({"x": [1.0], "loss": [3.0]}, {"x": "x[bilion]", "loss": "loss"}).runs(
            signature(BrokenPowerLaw())
        ),
        ["the law takes x in plain numbers", "has it in bilion", "x=column without one"],
    ),
    "compute of other data": (
        table({**ND, "D": "D[points]", "C": "6ND"}),
        ["C=6ND is not for D in points", "map a column to C"],
    ),
    "unknown unit of the loss": (table({**ND, "loss": "loss[dB]"}), ["[dB] is not a unit of a loss", "nats, bits"]),
    "scale stated twice": (
        table({**ND, "N": "N[B]"}, N=["0.1B", "0.2B", "0.4B"]),
        ["'N'", "suffixes", "state the scale once"],
    ),
    "formula without its inputs": (table({"C": "6ND", "N": "N", "loss": "loss"}), ["C=6ND needs D"]),
    "a mapping of numbers": (table({**ND, "D": 3}), ["D: expected a column with its unit", "got 3"]),  # type: ignore[dict-item]
    "negative weight": (table(None, {"weight": "w"}, w=[1.0, -2.0, 1.0]), ["row 2", "'w'", "got -2"]),
    "no weight": (table(None, {"weight": "w"}, w=[0.0, 0.0, 0.0]), ["'w'", "every weight is zero"]),
    "missing weight": (table(None, {"weight": "w"}, w=[1.0, None, 1.0]), ["row 2", "'w'", "NaN"]),
    "negative noise": (table(None, {"noise": "w"}, w=[1.0, 2.0, -1.0]), ["row 3", "'w'", "a standard deviation"]),
    "negative noise number": (table(None, {"noise": -0.1}), ["noise", "got -0.1"]),
    "noise in another unit": (
        table({**ND, "loss": "loss[nats]"}, {"noise": "w[bpb]"}),
        ["noise", "bits/byte", "nats", "one unit"],
    ),
    "noise in perplexity": (table({**ND, "loss": "loss[ppl]"}, {"noise": "w"}), ["noise", "w[nats]"]),
    "missing group": (table(None, {"group": "run"}, run=["a", None, "c"]), ["row 2", "'run'", "expected a label"]),
    "unknown group": (table(None, {"group": "corpus"}), ["group: there is no column 'corpus'"]),
    "unknown run id": (table(None, {"run_id": "rum"}), ["run_id", "did you mean 'run'?"]),
    "bad rate": (table({**ND, "loss": "loss[bpb]"}, {"tokens_per_byte": -1.0}), ["tokens_per_byte", "got -1.0"]),
    "unknown convention": (table(None, {"n_convention": "most"}), ["n_convention", "got 'most'"]),
    "mixed conventions": (
        table(None, {"n_convention": "run"}, run=["total", "total", "non_embedding"]),
        ["row 3", "'run'", "counted without embeddings here and with embeddings in row 1", "run == 'total'"],
    ),
    "unknown in the conventions": (
        table(None, {"n_convention": "run"}, run=["total", "?", "total"]),
        ["row 2", "'run'", "got '?'"],
    ),
    "nothing left": (table(None, {"where": "loss > 9"}), ["no row of 3 fulfils 'loss > 9'", "loosen"]),
    "bad filter": (table(None, {"where": "import os"}), ["where", "is not a filter"]),
    "no such set": (lambda: load("chinchila_besiroglu"), ["data set", "did you mean 'chinchilla_besiroglu'?"]),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_tables_are_refused_in_a_sentence(case: str) -> None:
    make, said = CASES[case]
    with pytest.raises(BadInput) as error:
        make()
    sentence = str(error.value)
    assert "\n" not in sentence
    assert len(sentence) < 400
    for part in said:
        assert part in sentence, sentence


FILES: dict[str, tuple[str, bytes, list[str]]] = {
    "empty csv": ("a.csv", b"", ["empty file"]),
    "header only": ("a.csv", b"N,D,loss\n", ["empty table"]),
    "ragged csv": ("a.csv", b"N,D,loss\n1e8,2e9,3\n2e8,4e9\n", ["row 2", "expected 3 values", "got 2", "2e8,4e9"]),
    "long row": ("a.csv", b"N,D,loss\n1e8,2e9,3,9\n", ["row 1", "expected 3 values", "got 4"]),
    "uneven semicolons": ("a.csv", b"N;D;loss\n1e8;2e9;3\n2;3\n", ["'N;D;loss'", "commas, tabs or semicolons"]),
    "no header": ("a.csv", b"1e8,2e9,3\n2e8,4e9,2.9\n", ["expected a header", "1e8, 2e9, 3"]),
    "no name": ("a.csv", b"N,,loss\n1e8,2e9,3\n", ["column 2 of 3", "no name"]),
    "dots beside decimal commas": (
        "a.csv",
        b"N;D;loss\n1.300;12,5;3,25\n2.600;25,5;2,75\n",
        ["'N'", "'1.300' beside decimal commas may be 1300 or 1,300"],
    ),
    "one comma alone": ("a.csv", b'N,D,loss\n"1,300",2e9,3\n"2,600",4e9,2.9\n', ["'N'", "1300", "or 1.300"]),
    "both commas": ("a.csv", b'N,D,loss\n"1,300,000",2e9,3\n"2,6",4e9,2.9\n', ["row 1", "'N'", "'1,300,000'"]),
    "names twice": ("a.csv", b"N,D,loss,loss\n1e8,2e9,3,4\n", ["'loss' occurs 2 times", "rename"]),
    "text in csv": ("a.csv", b"N,D,loss\n1e8,2e9,3\n2e8,4e9,crash\n", ["row 2", "'loss'", "'crash'"]),
    "blank cell": ("a.csv", b"N,D,loss\n1e8,2e9,3\n2e8,,2.9\n", ["row 2", "'D'", "missing value"]),
    "not text": ("a.csv", b"\xff\xfe\x00N,\xd8\n\x00\x01,2\n", ["a.csv"]),
    "broken gzip": ("a.csv.gz", b"\x1f\x8b\x08\x00broken", ["cannot be read as csv", "whole"]),
    "broken parquet": ("a.parquet", b"PAR1 but not really", ["cannot be read as parquet", "whole"]),
    "broken jsonl": ("a.jsonl", b'{"N": 1e8}\n{"N": \n', ["line 2", "JSON object"]),
    "jsonl of numbers": ("a.jsonl", b"1\n2\n", ["row 1", "expected an object"]),
    "jsonl with a hole": ("a.jsonl", b'{"N": 1e8, "D": 2e9, "loss": 3}\n{"N": 2e8, "D": 4e9}\n', ["row 2", "'loss'"]),
    "broken json": ("a.json", b"[1,", ["line 1 is not JSON"]),
    "json of numbers": ("a.json", b"[1, 2]", ["row 1", "expected an object"]),
    "json number": ("a.json", b"3", ["JSON list of objects"]),
    "old spreadsheet": ("a.xls", b"\xd0\xcf", ["expected a file named .csv", "convert"]),
    "broken spreadsheet": ("a.xlsx", b"PK\x03\x04", ["cannot be read as xlsx", "whole"]),
    "spreadsheet as csv": ("a.csv", b"PK\x03\x04...", ["expected csv", "got xlsx", "rename"]),
}


@pytest.mark.parametrize("case", FILES)
def test_bad_files_are_refused_in_a_sentence(case: str, tmp_path: Path) -> None:
    name, content, said = FILES[case]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadInput) as error:
        Study.read(path)
    for part in said:
        assert part in str(error.value), str(error.value)


def test_a_missing_file_and_a_wrong_option() -> None:
    with pytest.raises(BadInput, match=r"nowhere\.csv: there is no such file"):
        Study.read("nowhere.csv")
    with pytest.raises(TypeError, match="has no option"):
        Study.read(GOOD, wheer="loss > 1")


def test_the_good_table_passes() -> None:
    study = Study.read(GOOD, weight="w", run_id="run", where="loss < 9")
    assert len(study) == 3
    assert study.remarks == ()
