"""Progress on stderr, for people only: nothing is shown where stderr is no terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


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
    columns = (TextColumn(words), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(words, total=total)
        yield lambda done, _: bar.update(task, completed=done)
