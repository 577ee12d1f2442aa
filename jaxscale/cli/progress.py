"""Progress on stderr, for people only: nothing is shown where stderr is no terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.spinner import Spinner
from rich.text import Text

from jaxscale.cli.terminal import Terminal

_WORDS = TextColumn("{task.description}", markup=False)


def _stderr() -> Terminal:
    return Terminal(sys.stderr)


def _show(console: Terminal) -> dict[str, Any]:
    """Where it is shown, until it is done. What others print meanwhile is not rich's: it would obey colours in it."""
    return {"console": console, "transient": True, "redirect_stdout": False, "redirect_stderr": False}


@contextmanager
def waiting(words: str) -> Iterator[None]:
    """A spinner beside `words`."""
    console = _stderr()
    if not console.is_terminal:
        yield
        return
    with Live(Spinner("dots", Text(words)), **_show(console)):
        yield


@contextmanager
def counting(words: str, total: int) -> Iterator[Callable[[int, int], None] | None]:
    """A bar; yields what to call with (done, total), None where nothing is shown."""
    console = _stderr()
    if not console.is_terminal:
        yield None
        return
    columns = (_WORDS, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), *_left())
    with Progress(*columns, **_show(console)) as bar:
        task = bar.add_task(words, total=total)
        yield lambda done, _: bar.update(task, completed=done)


@contextmanager
def sampling(words: str) -> Iterator[Callable[[str, int, int, int], None] | None]:
    """A bar for chains; yields what to call with (stage, draws done, draws in all, divergences), or None."""
    console = _stderr()
    if not console.is_terminal:
        yield None
        return
    columns = (
        _WORDS,
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("draws per chain, {task.fields[divergences]} diverged"),
        *_left(),
    )
    with Progress(*columns, **_show(console)) as bar:
        task = bar.add_task(f"{words}: compiling", total=None, divergences=0)
        stages: set[str] = set()

        def tell(stage: str, done: int, total: int, divergences: int) -> None:
            if stage not in stages:  # the speed of another stage says nothing about the time left
                stages.add(stage)
                bar.reset(task, total=total, description=f"{words}: {stage}")
            bar.update(task, completed=done, divergences=divergences)

        yield tell


def _left() -> tuple[TimeRemainingColumn, TextColumn]:
    return TimeRemainingColumn(), TextColumn("left")
