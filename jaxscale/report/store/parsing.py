"""JSON texts of a saved file: of a length and a depth that a fit has."""

import json
import re
from typing import Any

from jaxscale.core.errors import BadInput

_LONGEST, _DEEPEST = 2**22, 64
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


def parsed(text: str, name: str) -> dict[str, Any]:
    """The JSON object in `text`, the variable `name`. Raises `BadInput` where it is none, too long or too deep."""
    what = f"expected a JSON object as {name!r}"
    if len(text) > _LONGEST:
        raise BadInput(f"{what}, of at most {_LONGEST} characters, got {len(text)}; save the fit again")
    if _depth(text) > _DEEPEST:
        raise BadInput(f"{what}, at most {_DEEPEST} levels deep, got a deeper one; save the fit again")
    try:
        found = json.loads(text)
    except ValueError as error:  # of the syntax, and of whole numbers of thousands of digits
        raise BadInput(f"{what}, got a text that is none ({str(error)[:80]}); save the fit again") from None
    if not isinstance(found, dict):
        raise BadInput(f"{what}, got a {type(found).__name__}; save the fit again")
    return found


def _depth(text: str) -> int:
    depth = deepest = 0
    for mark in re.findall(r"[\[\]{}]", _TEXT.sub("", text)):
        depth += 1 if mark in "[{" else -1
        deepest = max(deepest, depth)
    return deepest
