"""A simulated table, a fit of it through the command line, and saved fits that need no file format."""

import csv
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from jaxscale.cli import inputs
from jaxscale.cli.advice import offered
from jaxscale.cli.app import app
from jaxscale.core.ensemble import Ensemble
from jaxscale.core.errors import BadInput
from jaxscale.core.law import AbstractLaw
from jaxscale.infer.fit import Fit, fit
from jaxscale.infer.forecast import Outlook, outlook
from jaxscale.infer.resample import bootstrap
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.report.store.store import Saved
from jaxscale.studies import Study
from jaxscale.testing.simulated import simulate

MAPS = ("--map", "N=size (M)[M]", "--map", "D=tokens_seen[B]", "--map", "loss=val/loss[nats]")


# Arguments and calls of Python, which no option of the command line is written as; JSON holds cards, which stay.
_PYTHON = re.compile(
    r"`\w+=|`\w+\(|\b[a-z]+(?:_[a-z]+)+=|\w=True\b|\b(?:fit|bootstrap|sample|GaussNewton|NUTS|SixND)\("
)


def foreign(command: str, said: str) -> set[str]:
    """Options in what `command` says that are not its own, nor of the command they are said with: `jaxscale fit --fix`.

    Those that the reader gave, which a refusal repeats, are to be left out of `said`.
    """
    found = set()
    for one in re.finditer(rf"jaxscale (?P<other>{'|'.join(offered())})\b[^`\n]*|(?<![\w-])--[a-z][a-z-]+", said):
        own = offered()[one["other"] or command]
        found |= {option for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", one[0]) if option not in own}
    return found


def invoke(*arguments: str | Path):
    """The command in this process; a trace would be a failure of its own, and so would advice that cannot be followed:
    for Python, or an option that the command lacks."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert "Traceback" not in result.output
    said = result.stderr + ("" if result.stdout.startswith("{") else result.stdout)
    assert not _PYTHON.search(said), _PYTHON.search(said)
    if arguments and (command := str(arguments[0])) in offered() and "Usage: " not in said:
        given = {str(a).partition("=")[0] for a in arguments if str(a).startswith("--")}
        assert foreign(command, said) <= given | {"--help"}, said
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def refused(result: Result, words: Iterable[str]) -> None:
    """Exit status 2, nothing on stdout, and one sentence on stderr that holds every one of `words`."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1
    for word in words:
        assert word in result.stderr, result.stderr


@pytest.fixture(scope="session")
def runs_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 simulated runs under odd names: millions of parameters, billions of tokens, two corpora."""
    path = tmp_path_factory.mktemp("cli") / "my runs.csv"
    columns = simulate().study.columns
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["size (M)", "tokens_seen", "val/loss", "corpus", "bad"])
        for i, (n, d, loss) in enumerate(zip(columns["N"], columns["D"], columns["loss"], strict=True)):
            writer.writerow([n / 1e6, d / 1e9, loss, "c4" if i % 2 else "pile", int(i < 3)])
    return path


@pytest.fixture(scope="session")
def fitted(runs_csv: Path, tmp_path_factory: pytest.TempPathFactory):
    """(result, JSON, folder of figures) of one `jaxscale fit` with 64 refits."""
    folder = tmp_path_factory.mktemp("fitted")
    target = folder / "fit.json"
    result = invoke(
        *("fit", runs_csv, "--law", "chinchilla", *MAPS, "--bootstrap", "64", "--json", target),
        *("--plot", folder / "figures"),
    )
    return result, json.loads(target.read_text()), folder / "figures"


@pytest.fixture(scope="session")
def simulated_fit(fitted) -> tuple[Fit, Ensemble]:
    """The same numbers as objects: nothing is compiled again."""
    found = fit(Chinchilla(), simulate().study)
    return found, bootstrap(found, 64)


@pytest.fixture(scope="session")
def outlooks() -> Callable[..., Outlook]:
    """`outlook` with few origins and resamples, which fits once for all that ask the same: each costs many fits."""
    made: dict[object, Outlook] = {}

    def once(laws: Mapping[str, AbstractLaw], study: Study, **options: int) -> Outlook:
        asked = (*laws, study.columns["loss"].tobytes(), *options.items())
        if asked not in made:
            made[asked] = outlook(laws, study, cuts=4, resamples=8, draws=32, **options)
        return made[asked]

    return once


@pytest.fixture
def fit_file(simulated_fit: tuple[Fit, Ensemble], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A path that loads as the simulated fit; what `load` itself does is tested beside it."""
    path = tmp_path / "fit.nc"
    path.write_bytes(b"stands for a saved fit")

    def load(file: str | Path, *, trust: bool = False) -> Saved:
        if Path(file) != path:
            raise BadInput(f"{file}: expected a whole netCDF file, got another; save the fit again")
        return Saved(*simulated_fit)

    monkeypatch.setattr(inputs, "load", load)
    return path
