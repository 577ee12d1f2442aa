"""What goes wrong ends in a sentence and an exit status, never in a trace."""

import functools
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

import typer

from jaxscale.cli.advice import speaking, spoken
from jaxscale.cli.interrupt import INTERRUPTED, STOPPED, heard
from jaxscale.cli.source import gathered, spread
from jaxscale.cli.terminal import BAD_INPUT, CLOSED, terminal
from jaxscale.core.errors import BadInput
from jaxscale.core.shown import sentence

GOOD, NOT_CERTIFIED, FAULT = 0, 1, 3
_UsageError: Any = typer.BadParameter.__mro__[1]  # typer's own name of it differs from version to version


def answers(command: Callable[..., int | None]) -> Callable[..., None]:
    """Run `command`, which returns an exit status. `JAXSCALE_TRACEBACK=1` shows traces of faults."""

    @functools.wraps(command)
    def run(**given: Any) -> None:
        with speaking(command.__name__):
            status = _status(lambda: command(**gathered(command, given)))
        if status:
            raise typer.Exit(status)

    vars(run)["__signature__"] = spread(command)
    return run


def _status(command: Callable[[], int | None]) -> int:
    """The exit status of `command`, and the sentence where it failed."""
    try:
        with heard():
            return command() or GOOD
    except BadInput as error:
        _say(str(error))
    except BrokenPipeError:  # whoever reads stdout has had enough
        return CLOSED
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        _say(f"{named}{error.strerror or error}; check the path, its permissions and the space left")
    except ImportError as error:
        _say(str(error))
    except Exception as error:
        return _unexpected(error)
    return BAD_INPUT


def _unexpected(error: Exception) -> int:
    from jaxscale.cli.machine import cause

    if (why := cause(error)) is not None:
        _say(why)
        return BAD_INPUT
    if os.environ.get("JAXSCALE_TRACEBACK") == "1":
        traceback.print_exception(error)
    first = (str(error).splitlines() or [""])[0]
    _say(
        f"a fault of jaxscale, not of your input ({type(error).__name__}: {first}); "
        "set JAXSCALE_TRACEBACK=1 to see where, and please report it"
    )
    return FAULT


def standing(run: Callable[[], int | None]) -> None:
    """Run typer's application: its words pass the terminal's check too, and Ctrl-C ends it with a word."""
    with terminal():
        try:
            with heard():
                status = run() or GOOD
        except _UsageError as error:
            if error.ctx is None or error.message != error.ctx.get_help():
                error.message = sentence(error.message)
            error.show()
            status = error.exit_code
        except BadInput as error:
            _say(str(error))
            status = BAD_INPUT
        except KeyboardInterrupt:
            status = INTERRUPTED
        if status == INTERRUPTED:
            print(STOPPED, file=sys.stderr)
    sys.exit(status)


def _say(words: str) -> None:
    print(sentence(f"jaxscale: {spoken(words)}"), file=sys.stderr)
