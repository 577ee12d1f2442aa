"""Advice in the words of the command line.

Messages come from floors that know Python alone; they are kept in files and read on both surfaces. So a remedy that
names an argument is Python between backticks, `run_id=...`, and the command line says it as its own option, --run-id,
where it prints. `tests/cli/test_advice.py` holds every such remedy to an option that is there.
"""

import re
from typing import Any

# The innermost keyword of a call is the option: `cost=SixND(per_token=12)` is --per-token 12.
_KEYWORD = re.compile(r"`(?:\w+=)?(?:\w+\((?:[^`()]*, )?)?([a-z_]+)=([^`]*?)\)*`")
_WORD = re.compile(r"""(["'])([\w.:-]+)\1""")
_OPTIONS = {"fixed": "--fix", "n_convention": "--state parameters_counted"}
_CALLS = {"`bootstrap(fit, 4000)`": "--bootstrap 4000", "`average(...)`": "which --at prints"}


def option(name: str) -> str:
    """The option that stands for an argument."""
    return _OPTIONS.get(name, f"--{name.replace('_', '-')}")


def spoken(said: Any) -> Any:
    """A message, or a record of such, with options instead of Python's arguments."""
    if isinstance(said, dict):
        # A fit card is the record that a saved fit keeps, whoever reads it.
        return {name: inner if name == "card" else spoken(inner) for name, inner in said.items()}
    if isinstance(said, list | tuple):
        return [spoken(inner) for inner in said]
    if not isinstance(said, str):
        return said
    for call, words in _CALLS.items():
        said = said.replace(call, words)
    return _KEYWORD.sub(_as_option, said)


def _as_option(found: re.Match[str]) -> str:
    name, value = found.groups()
    quoted = _WORD.fullmatch(value)
    return option(name) if value in ("...", "True") else f"{option(name)} {quoted[2] if quoted else value}"
