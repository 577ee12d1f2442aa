"""Every advice that a command gives is followed: the complaint is gone, and the command answers.

Tables are simulated afresh from a seed. A case is the arguments that provoke a complaint, words of it, and what is
added, or said instead, by whoever follows it. Advice of `sample`, `compare`, `versus` and `report`, whose answers take
long, is held to options that exist in `test_advice_words.py`.
"""

import importlib
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import jaxscale
from jaxscale.cli import inputs
from jaxscale.core.errors import BadInput
from jaxscale.infer.fit import Fit
from jaxscale.infer.resample import bootstrap
from jaxscale.report.store.store import Saved
from jaxscale.solve.first_order import LBFGS

from .conftest import invoke

versus = importlib.import_module("jaxscale.plan.recipes.versus")  # the room has a function of this name

MAP = {"N": "params", "D": "tokens", "loss": "loss[nats]"}
FEW = ("--starts", "4")


def table(seed: int, **columns: object) -> pd.DataFrame:
    """36 runs of six sizes and six amounts of data, two seeds in turn, .2 % noise."""
    rng = np.random.default_rng(seed)
    sizes, ratios = 10 ** (np.linspace(7.5, 9, 6) + rng.uniform(-0.1, 0.1, 6)), np.geomspace(5, 80, 6)
    N, ratio = (x.ravel() for x in np.meshgrid(sizes, ratios))
    loss = (1.7 + 406 * N**-0.34 + 411 * (ratio * N) ** -0.28) * np.exp(rng.normal(0, 2e-3, 36))
    return pd.DataFrame({"params": N, "tokens": ratio * N, "loss": loss}).assign(
        **{name: np.resize(values, 36) for name, values in columns.items()}
    )


def mapped(**changed: str | None) -> tuple[str, ...]:
    entries = {**MAP, **changed}
    return tuple(x for symbol, column in entries.items() if column for x in ("--map", f"{symbol}={column}"))


def rounded(seed: int) -> pd.DataFrame:
    """Every run twice, with a loss of two decimals that agrees."""
    runs = table(seed).assign(loss=lambda t: t.loss.round(2))
    return pd.concat([runs.assign(seed=s) for s in (0, 1)], ignore_index=True)


def checkpoints(seed: int, times: int = 1) -> pd.DataFrame:
    """Four runs of nine checkpoints each, on so many times the data."""
    rng = np.random.default_rng(seed)
    N = np.repeat(10 ** (np.linspace(7.5, 9, 4) + rng.uniform(-0.1, 0.1, 4)), 9)
    D = np.tile(np.linspace(1, 9, 9), 4) * 4e9 * times
    loss = (1.7 + 406 * N**-0.34 + 411 * D**-0.28) * np.exp(rng.normal(0, 2e-3, 36))
    return pd.DataFrame({"params": N, "tokens": D, "loss": loss, "run": np.repeat(["a", "b", "c", "d"], 9)})


def with_cell(seed: int, row: int, column: str, value: object) -> pd.DataFrame:
    found = table(seed).astype({column: object})
    found.loc[row, column] = value
    return found


@dataclass(frozen=True)
class Case:
    """`words` of what is said with `before`; `after` follows it. `status`: of the complaint, 2 of a refusal."""

    runs: pd.DataFrame
    words: tuple[str, ...]
    after: tuple[str, ...]
    before: tuple[str, ...] = ()
    map: tuple[str, ...] = field(default_factory=mapped)
    then: tuple[str, ...] | None = None  # another mapping
    status: int = 2


def cases() -> dict[str, Case]:
    rng = np.random.default_rng(15)
    one = int(rng.integers(1000))
    byte = table(one, rate=[0.2499, 0.2501]).assign(loss=lambda t: t.loss * t.rate / np.log(2))
    moe = table(one).assign(flops=lambda t: 9 * t.params * t.tokens)
    experts = table(one).assign(flops=lambda t: 40 * t.params * t.tokens)
    twice = pd.concat([table(one), table(one).head(3)], ignore_index=True)
    # Four runs for each of four amounts of data, whose last checkpoints suffice to fit.
    long = pd.concat([checkpoints(one + i, times=2**i).assign(run=lambda t, i=i: t.run + str(i)) for i in range(4)])
    millions = table(one).assign(params=lambda t: t.params / 1e6)
    return {
        "equal rows refused": Case(
            rounded(one), ("same N, D, loss", "--duplicates keep"), ("--duplicates", "keep"), ("--duplicates", "refuse")
        ),
        "equal rows of one run": Case(rounded(one), ("Equal rows", "--where"), ("--where", "seed == 0"), status=0),
        "copies that are runs": Case(twice, ("Counted once", "--duplicates keep"), ("--duplicates", "keep"), status=0),
        "bits per byte": Case(
            byte, ("bits/byte", "--tokens-per-byte"), ("--tokens-per-byte", "0.25"), map=mapped(loss="loss[bpb]")
        ),
        "bits per byte as it stands": Case(
            byte, ("loss=column",), (), map=mapped(loss="loss[bpb]"), then=mapped(loss="loss")
        ),
        "bits per character by a column": Case(
            byte,
            ("bits/character", "--tokens-per-character"),
            ("--tokens-per-character", "rate"),
            map=mapped(loss="loss[bpc]"),
        ),
        "no rate": Case(
            byte,
            ("--tokens-per-byte: expected a positive number", "0.25 is usual"),
            ("--tokens-per-byte", "0.25"),
            ("--tokens-per-byte", "0"),
            map=mapped(loss="loss[bpb]"),
        ),
        "a rate of no column": Case(
            byte,
            ("--tokens-per-byte: there is no column 'rates'", "did you mean 'rate'"),
            ("--tokens-per-byte", "rate"),
            ("--tokens-per-byte", "rates"),
            map=mapped(loss="loss[bpb]"),
        ),
        "run ids not given": Case(
            table(one, run_id=np.arange(36) // 2),
            ("column 'run_id'", "--run-id run_id"),
            ("--run-id", "run_id"),
            status=0,
        ),
        "run ids of no column": Case(
            rounded(one), ("--run-id: there is no column 'sed'", "'seed'"), ("--run-id", "seed"), ("--run-id", "sed")
        ),
        "checkpoints": Case(
            checkpoints(one), ("Check whether rows are runs", "--run-id"), ("--run-id", "run"), status=0
        ),
        "the last checkpoint": Case(long, ("Check whether rows are runs", "--last-of"), ("--last-of", "run"), status=0),
        "how N is counted": Case(
            table(one),
            ("--state parameters_counted: expected 'with embeddings'",),
            ("--state", "parameters_counted=with embeddings"),
            ("--state", "parameters_counted=all"),
        ),
        "text": Case(
            with_cell(one, 3, "loss", "diverged"), ("'diverged'", "--where"), ("--where", "loss != 'diverged'")
        ),
        "infinite": Case(
            with_cell(one, 3, "loss", np.inf),
            ('the filter "loss is not None and loss < 1e300"',),
            ("--where", "loss is not None and loss < 1e300"),
        ),
        "nothing": Case(with_cell(one, 5, "params", 0.0), ('the filter "params > 0"',), ("--where", "params > 0")),
        "millions": Case(millions, ("write N=params[M]",), (), then=mapped(N="params[M]")),
        "other compute": Case(
            experts, ("leave C out of the mapping", "--per-token 40"), (), map=mapped(C="flops"), then=mapped()
        ),
        "compute not used": Case(
            moe, ("Not used: C", "--per-token 9"), (), map=mapped(C="flops"), then=mapped(), status=0
        ),
        "a symbol not used": Case(
            table(one, layers=[8, 12]),
            ("Not used: L", "--where"),
            ("--where", "layers == 8"),
            map=mapped(L="layers[layers]"),
            status=0,
        ),
        "groups alike": Case(
            table(one, corpus=["c4", "pile"]),
            ("Groups: 2 groups share", "--split", "--where"),
            ("--where", "corpus == 'c4'"),
            ("--group", "corpus"),
            status=0,
        ),
        "too few steps": Case(
            table(one),
            ("used all its steps", "--starts", "--max-steps 1000"),
            ("--max-steps", "1000"),
            ("--max-steps", "1"),
            status=1,
        ),
        "one start": Case(table(one), ("single start", "--starts"), ("--starts", "8"), ("--starts", "0"), status=1),
        "few runs": Case(
            table(one).head(4),
            ("expected at least 6 runs", "fix a parameter"),
            ("--fix", "alpha=0.34", "--fix", "beta=0.28"),
        ),
    }


CASES = cases()


@pytest.mark.parametrize("name", CASES)
def test_advice_is_followed(name: str, tmp_path: Path) -> None:
    case, path = CASES[name], tmp_path / "runs.csv"
    case.runs.to_csv(path, index=False)
    complaint = invoke("fit", path, *case.map, *FEW, *case.before)
    said = complaint.stdout + complaint.stderr
    assert complaint.exit_code == case.status, said
    for word in case.words:
        assert word in said
    followed = invoke("fit", path, *(case.then or case.map), *FEW, *case.after)
    assert followed.exit_code == 0, followed.output
    assert case.words[0] not in followed.output


@pytest.mark.parametrize("command", ["fit", "sample", "compare", "forecast", "report", "versus"])
def test_every_command_that_fits_takes_a_solver_and_its_steps(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a failed search advises can be followed where it is said: it reaches the fit."""
    given: list[object] = []

    def begun(*_: object, **options: object) -> None:
        given.append(options["solver"])
        raise BadInput("begun")

    monkeypatch.setattr(jaxscale, "fit", begun)
    monkeypatch.setattr(jaxscale, "outlook", begun)
    monkeypatch.setattr(versus, "fit", begun)
    path = tmp_path / "runs.csv"
    table(5, recipe=["old", "new"]).to_csv(path, index=False)
    more = {"compare": ("--laws", "Chinchilla,KaplanND"), "versus": ("--recipe", "recipe")}.get(command, ())
    result = invoke(command, path, *mapped(), *more, "--solver", "lbfgs", "--max-steps", "77")
    assert (result.exit_code, result.stderr) == (2, "jaxscale: begun\n")
    assert given == [LBFGS(max_steps=77)]


def test_a_plan_counts_as_the_runs_do(tmp_path: Path, fit_file: Path) -> None:
    path = tmp_path / "runs.csv"
    table(3).assign(flops=lambda t: 9 * t.params * t.tokens).to_csv(path, index=False)
    (advised,) = set(re.findall(r"--per-token \d+", invoke("fit", path, *mapped(C="flops"), *FEW).stdout))
    assert advised == "--per-token 9"
    assert "C = 9 N D" in invoke("plan", fit_file, "--flops", "1e21", *advised.split()).stdout


def test_intervals_are_made(simulated_fit, fit_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = ("--at", "N=1e9,D=2e10")
    monkeypatch.setattr(inputs, "load", lambda *_, **__: Saved(simulated_fit[0], None))
    assert "fit again with one: `jaxscale fit --bootstrap 4000`" in invoke("predict", fit_file, *at).stdout
    made = Saved(simulated_fit[0], bootstrap(simulated_fit[0], 64))
    monkeypatch.setattr(inputs, "load", lambda *_, **__: made)
    assert "No intervals" not in invoke("predict", fit_file, *at).stdout


def test_a_joint_plan_is_of_one_group(runs_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Fit] = []

    def fitted(*arguments: object, **options: object) -> Fit:
        kept.append(real(*arguments, **options))
        return kept[-1]

    real = jaxscale.fit
    monkeypatch.setattr(jaxscale, "fit", fitted)
    columns = ("--map", "N=size (M)[M]", "--map", "D=tokens_seen[B]", "--map", "loss=val/loss[nats]")
    joint = ("--group", "corpus", "--split", "E", *FEW)
    assert "Groups: " not in invoke("fit", runs_csv, *columns, *joint).stdout  # its advice, followed
    file = tmp_path / "fit.nc"
    file.write_bytes(b"stands for a saved fit")
    monkeypatch.setattr(inputs, "load", lambda *_, **__: Saved(kept[0], None))
    asked = invoke("plan", file, "--flops", "1e22")
    assert asked.exit_code == 2
    assert "expected one of pile, c4, got none; name the one to ask about: --group" in asked.stderr
    assert "in group c4" in invoke("plan", file, "--flops", "1e22", "--group", "c4").stdout


def test_a_law_from_elsewhere_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, simulated_fit) -> None:
    """What `load` says is its own, said here as it says it; that trust is passed on is the command's."""
    from jaxscale.report.store import structure as store_structure

    def load(file: Path, *, trust: bool = False) -> Saved:
        if not trust:
            store_structure._imported("mine:Law", "", trust)
        return Saved(*simulated_fit)

    file = tmp_path / "fit.nc"
    file.write_bytes(b"stands for a saved fit")
    monkeypatch.setattr(inputs, "load", load)
    for command in (("predict", file, "--at", "N=1e9,D=2e10"), ("plan", file, "--flops", "1e21"), ("cite", file)):
        refused = invoke(*command)
        assert refused.exit_code == 2
        assert "load it with --trust" in refused.stderr
        assert invoke(*command, "--trust").exit_code == 0
    with pytest.raises(BadInput, match="`trust=True`"):
        load(file)


def test_a_data_sets_own_filter_is_one_of_the_command_line(data_dir: Path) -> None:
    shown = invoke("data", "farseer").stdout
    (advised,) = re.findall(r"`jaxscale fit --where \"(.*?)\"`,", shown)
    followed = invoke("fit", "data:farseer", "--where", advised, "--map", "loss=loss", *FEW)
    assert followed.exit_code == 0, followed.output
    assert "404 runs" in followed.stdout
