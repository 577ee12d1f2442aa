"""What goes wrong ends in a sentence and an exit status, never in a trace."""

import functools
import os
import sys
from collections.abc import Callable
from typing import Any

import typer

from jaxscale.cli.advice import spoken

GOOD, NOT_CERTIFIED, BAD_INPUT, FAULT = 0, 1, 2, 3
CLOSED = 141  # as a shell tells of a program that wrote to a closed pipe: 128 and the signal's number


def answers(command: Callable[..., int | None]) -> Callable[..., None]:
    """Run `command`, which returns an exit status. `JAXSCALE_TRACEBACK=1` shows traces of faults."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        from jaxscale.core.errors import BadInput

        try:
            status = command(*args, **kwargs) or GOOD
        except BadInput as error:
            _say(str(error))
            status = BAD_INPUT
        except BrokenPipeError:  # whoever reads stdout has had enough
            status = CLOSED
        except OSError as error:
            named = f"{error.filename}: " if error.filename else ""
            _say(f"{named}{error.strerror or error}; check the path, its permissions and the space left")
            status = BAD_INPUT
        except ImportError as error:
            _say(str(error))
            status = BAD_INPUT
        except Exception as error:
            if os.environ.get("JAXSCALE_TRACEBACK") == "1":
                raise
            first = (str(error).splitlines() or [""])[0]
            _say(
                f"a fault of jaxscale, not of your input ({type(error).__name__}: {first}); "
                "set JAXSCALE_TRACEBACK=1 to see where, and please report it"
            )
            status = FAULT
        if status:
            raise typer.Exit(status)

    return run


def _say(sentence: str) -> None:
    print(f"jaxscale: {spoken(sentence)}", file=sys.stderr)
