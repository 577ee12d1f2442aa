"""Whatever a table, a file or an argument holds: what is printed has printable characters and line breaks only."""

import csv
import io
import json
import random
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from jaxscale.cli import inputs
from jaxscale.cli.output import console, lines, notes, say
from jaxscale.cli.progress import counting, waiting
from jaxscale.cli.terminal import Stream, Terminal
from jaxscale.core.ensemble import Ensemble
from jaxscale.infer.fit import Fit
from jaxscale.report.cite import cite_fit
from jaxscale.report.store.store import Saved
from jaxscale.report.views.text import table

from .conftest import MAPS, invoke

PIECES = (
    *("\x1b[2J", "\x1b]0;owned\x07", "\x1b[31m", "\x9b1A", "\x00", "\x08", "\r", "\n", "\x7f", "\x85", "\x0b", "\x0c"),
    *("\u202e", "\u2066", "\u2069", "\u200b", "\u200d", "\ufeff", "\u2028", "\u2029", "\U000e0041"),
)


def nasty(seed: int) -> str:
    """A name with three of them, each in its own place, and brackets that rich would take for a style."""
    draw = random.Random(seed)
    return "a" + "".join(piece + draw.choice(("b", "[red]", "漢", "{x}")) for piece in draw.sample(PIECES, 3))


def harmless(text: str) -> None:
    assert text.strip()
    assert all(c.isprintable() or c == "\n" for c in text), ascii(text)


SEEDS = range(4)
PLACES: dict[str, Callable[[str], tuple[str, ...]]] = {
    "a file": lambda s: ("fit", f"{s}.csv"),
    "a law": lambda s: ("fit", "RUNS", "--law", s),
    "a filter": lambda s: ("fit", "RUNS", *MAPS, "--where", f"{s} > 3"),
    "a filter on text": lambda s: ("fit", "RUNS", *MAPS, "--where", f"corpus == {s!r}"),
    "a fixed value": lambda s: ("fit", "RUNS", *MAPS, "--fix", f"{s}=3"),
    "a fixed number": lambda s: ("fit", "RUNS", *MAPS, "--fix", f"E={s}"),
    "a mapping": lambda s: ("fit", "RUNS", "--map", s),
    "a mapped column": lambda s: ("fit", "RUNS", "--map", f"N={s}"),
    "a unit": lambda s: ("fit", "RUNS", "--map", f"N=size (M)[{s}]"),
    "an objective": lambda s: ("fit", "RUNS", *MAPS, "--objective", s),
    "a number": lambda s: ("fit", "RUNS", *MAPS, "--bootstrap", s),
    "a group": lambda s: ("fit", "RUNS", *MAPS, "--group", s, "--split", "E"),
    "a split": lambda s: ("fit", "RUNS", *MAPS, "--group", "corpus", "--split", s),
    "a run id": lambda s: ("fit", "RUNS", *MAPS, "--run-id", s),
    "an output": lambda s: ("fit", "RUNS", *MAPS, "--json", f"{s}/x.json"),
    "an option": lambda s: ("fit", "RUNS", f"--{s}"),
    "a command": lambda s: (s,),
    "a saved fit": lambda s: ("plan", f"{s}.nc", "--flops", "1e24"),
    "a budget": lambda s: ("plan", "FIT", "--flops", s),
    "a point": lambda s: ("predict", "FIT", "--at", s),
    "a data set": lambda s: ("data", s),
    "a law to cite": lambda s: ("cite", s),
    "a header": lambda s: ("fit", "NASTY"),
    "a cell": lambda s: ("fit", "NASTY", *MAPS[:4], "--map", "loss=corpus"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_refusal_shows_what_came_and_obeys_none_of_it(
    place: str, seed: int, runs_csv: Path, fit_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = nasty(seed)
    with (tmp_path / "nasty.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["size (M)", "tokens_seen", name, "corpus"], ["1", "2", "3", name]])
    stand = {"RUNS": str(runs_csv), "FIT": str(fit_file), "NASTY": "nasty.csv"}
    result = invoke(*(stand.get(a, a.replace("\x00", "\x01")) for a in PLACES[place](name)))
    assert result.exit_code == 2, result.output
    harmless(result.stderr)
    if "Usage:" not in result.stderr:
        assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_what_a_saved_fit_holds_is_harmless(
    seed: int,
    simulated_fit: tuple[Fit, Ensemble],
    fit_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its groups, remarks and provenance come from whoever wrote the file."""
    from dataclasses import replace

    name = nasty(seed)
    fit, ensemble = simulated_fit
    told = {**fit.provenance, "citation": name, "licence": name, "source": name, "simulated": name}
    forged = replace(fit, provenance=told, table_remarks=(name,))
    monkeypatch.setattr(inputs, "load", lambda *_, **__: Saved(forged, ensemble))
    for command in (
        ("predict", fit_file, "--at", "N=1e9,D=2e10"),
        ("plan", fit_file, "--flops", "1e22"),
        ("cite", fit_file),
    ):
        result = invoke(*command)
        assert result.exit_code == 0, result.output
        harmless(result.stdout)
    unforged = cite_fit(fit, "0")
    assert len(re.findall("\n", result.stdout.strip())) == unforged.count("\n"), "a citation stays on its line"
    told = invoke("predict", fit_file, "--at", "N=1e9,D=2e10", "--json", "-")
    harmless(told.stdout)
    assert name in json.loads(told.stdout)["warnings"]


@pytest.mark.parametrize("seed", SEEDS)
def test_labels_of_groups_in_tables_are_harmless(seed: int) -> None:
    stream = io.StringIO()
    out = Terminal(stream, width=150)
    shown = table(nasty(seed), "recipe", nasty(seed + 1))
    shown.add_row(nasty(seed + 2), nasty(seed + 3))
    out.print(shown)
    say(out, nasty(seed))
    lines(out, nasty(seed))
    notes(out, nasty(seed), [nasty(seed + 1)])
    out.print(nasty(seed))
    harmless(stream.getvalue())


class Screen(io.StringIO):
    """A terminal that keeps what it was sent."""

    name = "<screen>"

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_rich_moves_the_cursor_and_names_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the escape codes that arrive, all are of kinds that rich sends for words without any."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def sent(words: str) -> set[str]:
        screen = Screen()
        monkeypatch.setattr(sys, "stderr", Stream(screen))
        monkeypatch.setattr(sys, "stdout", Stream(screen))
        with counting(words, 3) as tell:
            assert tell is not None
            for done in (1, 2, 3):
                tell(done, 3)
        with waiting(words):
            print(words)
        out = console()
        out.print(words, style="bold")
        say(out, words)
        return set(re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b.", screen.getvalue()))

    quiet = sent("plain words")
    assert {"\x1b[1m", "\x1b[?25l", "\x1b[2K"} <= quiet  # bold, no cursor, a line made anew
    for seed in SEEDS:
        assert sent(nasty(seed)) <= quiet


def test_columns_stay_in_line_where_names_hold_what_cannot_be_seen() -> None:
    stream = io.StringIO()
    shown = table("", "name", "value")
    for name in ("\x1b[31mred", "plain", "\u202eturned"):
        shown.add_row(name, "7")
    Terminal(stream, width=80).print(shown)
    assert len({line.rindex("7") for line in stream.getvalue().splitlines()[1:]}) == 1


def test_what_people_write_around_the_console_is_harmless_too(monkeypatch: pytest.MonkeyPatch) -> None:
    import typer

    raw = io.StringIO()
    monkeypatch.setattr(sys, "stdout", Stream(raw))
    for text in map(nasty, SEEDS):
        print(text)
        typer.echo(text)
        Console(markup=False).print(text)
    harmless(raw.getvalue())
    with pytest.raises(TypeError, match="expected text"):
        sys.stdout.write(b"\x1b[2J")  # type: ignore[arg-type]
    assert not hasattr(sys.stdout, "buffer")


def test_a_repr_in_python_is_harmless() -> None:
    from jaxscale.compose import Pooled
    from jaxscale.laws.loss.hoffmann2022 import Chinchilla
    from jaxscale.studies import Study

    for seed in SEEDS:
        name = nasty(seed)
        harmless(repr(Pooled(Chinchilla(), ["E"], [name, "b"])))
        study = Study.read(
            {"N": [1e8, 2e8, 4e8], "D": [2e9, 4e9, 8e9], "loss": [3.0, 2.9, 2.8], "corpus": [name, "b", name]},
            {"N": "N", "D": "D", "loss": "loss[nats]"},
            name=name,
            group="corpus",
        )
        harmless(study.describe())
        harmless(repr(study))


def test_a_table_of_very_many_columns_is_refused_in_a_few_lines(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text(",".join(["x" * 100_000, *(f"c{i}" for i in range(500))]) + "\n" + ",".join(["1"] * 501))
    result = invoke("fit", path)
    assert result.exit_code == 2
    assert len(result.stderr) < 1600
    assert "say which one, as in loss=column[unit]" in result.stderr


def test_numbers_still_stand_in_json(fit_file: Path) -> None:
    told = json.loads(invoke("predict", fit_file, "--at", "N=1e9,D=2e10", "--json", "-").stdout)
    assert np.isfinite(told["points"][0]["loss"])
