"""Advice in the words of the command line.

Messages come from floors that know Python alone; they are kept in files and read on both surfaces. So a remedy that
names an argument is Python between backticks, `run_id=...`, and the command line says it as an option, --run-id, where
it prints. Where the command at hand has no such option it says which one has: `jaxscale fit --run-id`.
"""

import functools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

# The innermost keyword of a call is the option: `cost=SixND(per_token=12)` is --per-token 12.
_KEYWORD = re.compile(r"`(?:\w+=)?(?:\w+\((?:[^`()]*, )?)?([a-z_]+)=([^`]*?)\)*`")
_WORD = re.compile(r"""(["'])([\w.:-]+)\1""")
_OPTIONS = {"fixed": "--fix", "n_convention": "--state parameters_counted"}
_CALLS = {"`bootstrap(fit, 4000)`": "`bootstrap=4000`", "`average(...)`": "which `at=...` prints"}
_at_hand: ContextVar[str | None] = ContextVar("command", default=None)


@contextmanager
def speaking(command: str) -> Iterator[None]:
    """What is said meanwhile is said by this command."""
    token = _at_hand.set(command)
    try:
        yield
    finally:
        _at_hand.reset(token)


@functools.cache
def offered() -> dict[str, frozenset[str]]:
    """Options by command, in the order in which `jaxscale --help` lists them, `fit` before all others."""
    from typer.main import get_command

    from jaxscale.cli.app import app

    every: Any = get_command(app)
    found = {
        name: frozenset(option for one in command.params for option in one.opts if option.startswith("--"))
        for name, command in every.commands.items()
    }
    return {"fit": found["fit"], **found}


def option(name: str) -> str:
    """The option that stands for an argument."""
    return _OPTIONS.get(name, f"--{name.replace('_', '-')}")


def spoken(said: Any, command: str | None = None) -> Any:
    """A message, or a record of such, with options instead of Python's arguments.

    `command`: whose options; by default the one at hand, or whatever has them where there is none.
    """
    command = command or _at_hand.get()
    if isinstance(said, dict):
        # A fit card is the record that a saved fit keeps, whoever reads it.
        return {name: inner if name == "card" else spoken(inner, command) for name, inner in said.items()}
    if isinstance(said, list | tuple):
        return [spoken(inner, command) for inner in said]
    if not isinstance(said, str):
        return said
    for call, words in _CALLS.items():
        said = said.replace(call, words)
    return _KEYWORD.sub(lambda found: _as_option(found[1], found[2], command), said)


def _as_option(name: str, value: str, command: str | None) -> str:
    quoted = _WORD.fullmatch(value)
    words = option(name) if value in ("...", "True") else f"{option(name)} {quoted[2] if quoted else value}"
    if command is None or (flag := words.split()[0]) in offered()[command]:
        return words
    other = next((other for other, options in offered().items() if flag in options), None)
    return words if other is None else f"`jaxscale {other} {words}`"
