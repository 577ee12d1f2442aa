"""Where answers go: people read the console, programs read JSON, files are written before anything is said."""

import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from jaxscale.cli.advice import spoken
from jaxscale.cli.terminal import Terminal
from jaxscale.core.errors import BadInput
from jaxscale.core.shown import json_shown, sentence
from jaxscale.execute import files

_WIDTH = 150


def console(*targets: str | Path | None) -> Console:
    """stdout, or stderr where one of `targets` is stdout, which then carries that answer only."""
    taken = any(target == "-" or (target and files.standard(target) == files.STDOUT) for target in targets)
    stream = sys.stderr if taken else sys.stdout
    # Beside a terminal there is no width to respect; a narrow guess would fold tables.
    return Terminal(stream, width=None if stream.isatty() else _WIDTH, soft_wrap=not stream.isatty())


def say(out: Console, text: str = "") -> None:
    """One sentence, on one line, its advice in options of the command line."""
    out.print(sentence(spoken(text)))


def lines(out: Console, text: str) -> None:
    """A text that has lines of its own."""
    for line in text.splitlines():
        say(out, line)


def notes(out: Console, heading: str, sentences: Iterable[str]) -> None:
    """A heading and one line per sentence; nothing where there is none."""
    sentences = list(sentences)
    if sentences:
        say(out)
        say(out, heading)
        for words in sentences:
            say(out, f"  - {words}")


@contextmanager
def files_first() -> Iterator[Callable[..., Any]]:
    """Yields `put(write, *arguments)` for the files that a command writes, before what it says.

    A file that cannot be written costs neither the other files nor the words: `put` is then False, and the reason is
    raised at the end, whether the words were heard or not.
    """
    lost: list[Exception] = []

    def put(write: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        try:
            return write(*arguments, **options)
        except (BadInput, BrokenPipeError) as error:
            lost.append(error)
            return False

    try:
        yield put
    except (BrokenPipeError, SystemExit):  # nobody listens any more
        if not lost:
            raise
    if reasons := [str(error) for error in lost if isinstance(error, BadInput)]:
        raise BadInput("; ".join(reasons))
    if lost:
        raise lost[0]


def write_json(target: str | None, record: Any) -> None:
    """To stdout for `-`, else to a file that appears whole."""
    if target is None:
        return
    text = json_shown(json.dumps(spoken(record), indent=2, allow_nan=False, ensure_ascii=False)) + "\n"
    if target == "-":
        sys.stdout.write(text)
    else:
        files.write(target, text)


def write_figures(folder: str | Path, figures: Iterable[tuple[str, Any]]) -> list[Path]:
    """PNG files in `folder`, which is made where it is missing."""
    made = {f"{name}.png": _png(figure) for name, figure in figures}
    files.write_folder(folder, made)
    return [Path(folder) / name for name in made]


def _png(figure: Any) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()
