"""Progress on stderr, for people only: nothing is shown where stderr is no terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


def _stderr() -> Console:
    return Console(stderr=True)


@contextmanager
def waiting(words: str) -> Iterator[None]:
    """A spinner beside `words`."""
    console = _stderr()
    if not console.is_terminal:
        yield
        return
    with console.status(words):
        yield


@contextmanager
def counting(words: str, total: int) -> Iterator[Callable[[int, int], None] | None]:
    """A bar; yields what to call with (done, total), None where nothing is shown."""
    console = _stderr()
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn(words), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), *_left())
    with Progress(*columns, console=console, transient=True) as bar:
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
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("draws per chain, {task.fields[divergences]} diverged"),
        *_left(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
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
