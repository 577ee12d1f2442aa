"""The one way out: whatever a command prints passes here, and nothing in it is obeyed by a terminal.

`terminal()` stands round every command, so that `print`, typer's own messages and warnings of libraries pass too.
Rich's own colours and moves of the cursor must arrive as they are: `Terminal`, its console, makes the text harmless
before they are added, and then writes past the streams' own check.
"""

import errno
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from jaxscale.core.shown import sentence, shown

CLOSED = 141  # as a shell tells of a program that wrote to a closed pipe: 128 and the signal's number
BAD_INPUT = 2


class Stream:
    """stdout or stderr, whose text is made harmless. Nobody listening ends the process, without a trace.

    `obeyed`: the same stream for a writer whose control characters are its own.
    """

    def __init__(self, raw: TextIO, *, obeyed: bool = False):
        self._raw, self._obeyed = raw, obeyed

    @property
    def obeyed(self) -> "Stream":
        return Stream(self._raw, obeyed=True)

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write: expected text, got {type(text).__name__}")
        try:
            self._raw.write(text if self._obeyed else shown(text, keep="\n"))
        except OSError as error:
            self._lost(error)
        return len(text)

    def flush(self) -> None:
        try:
            self._raw.flush()
        except OSError as error:
            self._lost(error)

    def _lost(self, error: OSError) -> None:
        """Raises `SystemExit`; what is still buffered goes nowhere, as Python would try again at its end."""
        name = self._raw.name
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._raw.fileno())
        os.close(nowhere)
        if error.errno in (errno.EPIPE, errno.ECONNRESET):
            raise SystemExit(CLOSED) from None
        if self._raw is not sys.__stderr__:
            print(sentence(f"jaxscale: {name.strip('<>')}: {error.strerror}; print elsewhere"), file=sys.stderr)
        raise SystemExit(BAD_INPUT) from None

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":  # bytes would pass unseen
            raise AttributeError(name)
        return getattr(self._raw, name)


class Terminal(Console):
    """Rich's console, whose text is made harmless before its own escape codes are added. Brackets are no markup."""

    def __init__(self, file: TextIO, **options: Any):
        obeyed: Any = file.obeyed if isinstance(file, Stream) else file
        super().__init__(file=obeyed, markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        # Before widths are measured: a character that is shown as four takes the room of four.
        return super().render_str(shown(text, keep="\n"), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for part in super().render(renderable, options):
            yield part if part.control else Segment(shown(part.text, keep="\n"), part.style)

    def on_broken_pipe(self) -> None:  # the stream itself ends the process
        raise SystemExit(CLOSED)


@contextmanager
def terminal() -> Iterator[None]:
    """Put `Stream` in the place of stdout and stderr, and see that all of it was written."""
    before = sys.stdout, sys.stderr
    # A process may start without them.
    raw: list[Any] = [open(os.devnull, "w") if stream is None else stream for stream in before]  # noqa: SIM115
    for stream in raw:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal without Unicode
    out, err = (Stream(stream) for stream in raw)
    sys.stdout, sys.stderr = out, err
    try:
        yield
        out.flush()
        err.flush()
    finally:
        sys.stdout, sys.stderr = before
