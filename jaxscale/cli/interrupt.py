"""Ctrl-C is heard, wherever Python happens to be."""

import _thread
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

INTERRUPTED = 130  # as a shell tells of it: 128 and the signal's number
STOPPED = "jaxscale: interrupted; no file is left half written"

_SOON = 0.01  # seconds


@contextmanager
def heard() -> Iterator[None]:
    """Python drops what is raised inside a finaliser or a callback of the garbage collector (JAX has one), Ctrl-C too.

    There it is raised again a moment later, in the code that was running. Modules written in C make an `ImportError`
    of it where they begin (numpy's and JAX's do); here it is Ctrl-C again.
    """
    before = sys.unraisablehook

    def again(dropped: Any) -> None:
        if issubclass(dropped.exc_type, KeyboardInterrupt):
            # From another thread: what this one raises before the hook has returned is dropped as well.
            threading.Timer(_SOON, _thread.interrupt_main).start()
        else:
            before(dropped)

    sys.unraisablehook = again
    try:
        yield
    except ImportError as error:
        if came_of_ctrl_c(error):
            raise KeyboardInterrupt from error
        raise
    finally:
        sys.unraisablehook = before


def came_of_ctrl_c(error: BaseException | None) -> bool:
    """Whether it was raised because of a `KeyboardInterrupt`, or while one was handled."""
    return error is not None and (
        isinstance(error, KeyboardInterrupt) or came_of_ctrl_c(error.__cause__ or error.__context__)
    )
