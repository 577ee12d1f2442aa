"""Bad input at the command line: exit status 2, one sentence on stderr, no trace, no file."""

from pathlib import Path

import pytest

from .conftest import MAPS, invoke

FIT = ("fit", "RUNS", *MAPS)
CASES: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "no such file": (("fit", "nowhere.csv"), ["nowhere.csv", "no file", "data:NAME"]),
    "a folder": (("fit", "."), ["FILE", "folder"]),
    "no such data set": (("fit", "data:chinchila_besiroglu"), ["chinchila_besiroglu", "did you mean"]),
    "unknown law": ((*FIT, "--law", "Chinchila"), ["Chinchila", "did you mean Chinchilla", "jaxscale laws"]),
    "unknown objective": ((*FIT, "--objective", "huber"), ["objective", "log-huber", "'huber'"]),
    "objective without number": ((*FIT, "--objective", "log-huber:wide"), ["objective", "wide"]),
    "map without equals": (("fit", "RUNS", "--map", "N"), ["--map", "'N'", "N=params[M]"]),
    "map without column": (("fit", "RUNS", "--map", "N="), ["--map", "symbol=column[unit]"]),
    "map twice": (("fit", "RUNS", "--map", "N=bad", "--map", "N=corpus"), ["--map", "twice", "'corpus'"]),
    "map of no column": (("fit", "RUNS", "--map", "N=params", "--map", "loss=val/loss"), ["N", "'params'"]),
    "map lacks loss": (("fit", "RUNS", "--map", "N=size (M)[M]"), ["loss", "say which column"]),
    "map lacks an input": (
        ("fit", "RUNS", "--map", "N=size (M)[M]", "--map", "loss=val/loss[nats]"),
        ["needs D", "map a column"],
    ),
    "unknown unit": (("fit", "RUNS", *MAPS[:2], "--map", "D=tokens_seen[furlongs]", *MAPS[4:]), ["furlongs"]),
    "tokens unscaled": (("fit", "RUNS", *MAPS[:2], "--map", "D=tokens_seen", *MAPS[4:]), ["tokens_seen", "billions"]),
    "text as input": (("fit", "RUNS", *MAPS[:2], "--map", "D=corpus", *MAPS[4:]), ["row 1", "'corpus'", "'pile'"]),
    "larger than allowed": ((*FIT, "--max-table", "1KB"), ["at most 1KB", "--max-table 4KB"]),
    "a limit in words": ((*FIT, "--max-table", "lots"), ["--max-table: expected", "'lots'", "4GB"]),
    "where of no column": ((*FIT, "--where", "excluded == 0"), ["where", "'excluded'"]),
    "where that calls": ((*FIT, "--where", "__import__('os')"), ["where", "not allowed"]),
    "where keeps nothing": ((*FIT, "--where", "bad > 5"), ["where", "no row of 120"]),
    "where keeps too few": ((*FIT, "--where", "tokens_seen > 80"), ["at least", "runs"]),
    "fix unknown": ((*FIT, "--fix", "alhpa=0.5"), ["--fix", "'alhpa'", "alpha", "E, A, B"]),
    "fix without value": ((*FIT, "--fix", "alpha"), ["--fix", "alpha=0.5"]),
    "fix text": ((*FIT, "--fix", "alpha=half"), ["--fix alpha", "'half'"]),
    "fix nan": ((*FIT, "--fix", "alpha=nan"), ["--fix alpha", "finite", "'nan'"]),
    "fix outside its support": ((*FIT, "--fix", "alpha=-0.5"), ["--fix", "alpha", "positive", "-0.5"]),
    "fix twice": ((*FIT, "--fix", "alpha=1", "--fix", "alpha=2"), ["alpha", "twice"]),
    "fix two values": ((*FIT, "--fix", "alpha=1,2"), ["alpha", "1 values", "got 2"]),
    "negative bootstrap": ((*FIT, "--bootstrap", "-5"), ["--bootstrap", "at least 0", "-5"]),
    "bootstrap in words": ((*FIT, "--bootstrap", "many"), ["--bootstrap", "whole number", "many"]),
    "negative starts": ((*FIT, "--starts", "-1"), ["--starts", "at least 0"]),
    "negative seed": ((*FIT, "--seed", "-1"), ["--seed", "at least 0"]),
    "split without group": ((*FIT, "--split", "E"), ["--split", "--group", "corpus"]),
    "split of nothing": ((*FIT, "--group", "corpus", "--split", ","), ["--split", "--split E,A"]),
    "split unknown": ((*FIT, "--group", "corpus", "--split", "F"), ["split", "'F'", "Chinchilla"]),
    "group of no column": ((*FIT, "--group", "corpora", "--split", "E"), ["group", "'corpora'", "'corpus'"]),
    "json into no folder": ((*FIT, "--json", "no/such/x.json"), ["--json", "folder", "create"]),
    "json onto a folder": ((*FIT, "--json", "."), ["--json", "file name"]),
    "save into no folder": ((*FIT, "--save", "no/such/x.nc"), ["--save", "create"]),
    "plot onto a file": ((*FIT, "--plot", "RUNS"), ["--plot", "folder"]),
    "plot in no folder": ((*FIT, "--plot", "no/such/figures"), ["--plot", "create no/such"]),
    "plan of no file": (("plan", "gone.nc", "--flops", "1e24"), ["gone.nc", "--save"]),
    "plan without a budget": (("plan", "FIT"), ["--flops", "--loss", "neither"]),
    "plan with both": (("plan", "FIT", "--flops", "1e24", "--loss", "2"), ["both"]),
    "plan for text": (("plan", "FIT", "--flops", "lots"), ["--flops", "'lots'"]),
    "plan for nothing": (("plan", "FIT", "--flops", "0"), ["--flops", "positive", "1e24"]),
    "plan for minus": (("plan", "FIT", "--flops=-1e24"), ["--flops", "positive"]),
    "plan for infinity": (("plan", "FIT", "--flops", "inf"), ["--flops", "finite"]),
    "plan below the floor": (("plan", "FIT", "--loss", "1.5"), ["1.5 nats", "floor E", "larger loss"]),
    "plan for a huge loss": (("plan", "FIT", "--loss", "1e6"), ["smaller loss"]),
    "empty bounds": (("plan", "FIT", "--flops", "1e22", "--min-size", "7B", "--max-size", "1B"), ["bounds", "N"]),
    "impossible bounds": (
        ("plan", "FIT", "--flops", "1e22", "--min-size", "100B", "--min-ratio", "20"),
        ["bounds", "1e+22", "widen"],
    ),
    "group of a plain law": (("plan", "FIT", "--flops", "1e22", "--group", "c4"), ["group", "not a joint one"]),
    "predict nothing": (("predict", "FIT"), ["--at", "--file", "neither"]),
    "predict without D": (("predict", "FIT", "--at", "N=1e9"), ["D", "Chinchilla"]),
    "predict text": (("predict", "FIT", "--at", "N=big,D=1e9"), ["--at N", "'big'"]),
    "predict minus": (("predict", "FIT", "--at", "N=-1e9,D=1e9"), ["N", "positive"]),
    "predict unpaired": (("predict", "FIT", "--at", "1e9"), ["--at", "'1e9'", "N=70e9,D=1.4e12"]),
    "predict twice": (("predict", "FIT", "--at", "N=1,N=2"), ["N", "twice"]),
    "points that differ": (("predict", "FIT", "--at", "N=1e9,D=1e9", "--at", "N=1e9"), ["--at", "same names"]),
    "points in no file": (("predict", "FIT", "--file", "gone.csv"), ["gone.csv", "--file"]),
    "map without a file": (("predict", "FIT", "--at", "N=1e9,D=1e9", "--map", "N=x"), ["--map", "--file"]),
    "not a saved fit": (("plan", "RUNS", "--flops", "1e24"), ["my runs.csv", "netCDF"]),
    "laws of no name": (("laws", "Chinchil"), ["'Chinchil'", "Chinchilla"]),
    "laws about nothing": (("laws", "--about", "los"), ["--about", "'los'", "did you mean 'loss'"]),
    "laws given nothing": (("laws", "--given", "Q"), ["--given", "Q", "N,D"]),
    "a gallery in no folder": (("laws", "Gadre", "--gallery", "gone/laws.html"), ["gone"]),
    "data of no name": (("data", "besiroglu"), ["'besiroglu'", "data set"]),
    "cite no law": (("cite", "Kaplen"), ["'Kaplen'", "Kaplan"]),
    "cite no data": (("cite", "data:farser"), ["'farser'", "'farseer'"]),
    "demo onto a file": (("demo", "--out", "RUNS"), ["--out", "folder"]),
    "unknown option": ((*FIT, "--bootstraps", "5"), ["--bootstraps"]),
    "unknown command": (("fitt",), ["fitt"]),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_one_sentence(name: str, runs_csv: Path, fit_file: Path, tmp_path: Path, monkeypatch):
    arguments, words = CASES[name]
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    result = invoke(*({"RUNS": str(runs_csv), "FIT": str(fit_file)}.get(a, a) for a in arguments))
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    for word in words:
        assert word in result.stderr, result.stderr
    if "unknown" not in name or name == "unknown law":
        said = result.stderr.strip().splitlines()
        assert len(said) == 1, result.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_a_missing_value_names_row_and_remedy(tmp_path: Path):
    path = tmp_path / "runs.csv"
    path.write_text("params,tokens,loss\n1e8,2e9,3.5\n2e8,4e9,nan\n4e8,8e9,2.8\n")
    result = invoke("fit", path)
    assert result.exit_code == 2
    assert "row 2" in result.stderr
    assert "'loss'" in result.stderr
    assert "is not None" in result.stderr


def test_a_fault_is_no_trace_and_no_bad_input(monkeypatch, runs_csv):
    import jaxscale

    def broken(*_, **__):
        raise RuntimeError("a wire came loose")

    monkeypatch.setattr(jaxscale, "fit", broken)
    result = invoke(*("fit", runs_csv, *MAPS))
    assert result.exit_code == 3
    assert "a fault of jaxscale" in result.stderr
    assert "a wire came loose" in result.stderr
