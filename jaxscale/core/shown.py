r"""Text from elsewhere, as it may be shown: names, paths, what files hold, errors of libraries.

A terminal obeys control characters, and marks of direction turn what a reader sees. Here they are letters: `\x1b`,
`\u202e`, `\n`. What is printable is Python's own `str.isprintable`, so that zero-width characters and separators of
lines are seen too.
"""

import re

_WORD, _SENTENCE = 300, 1500  # characters; a path is shorter than the one, a message that is read than the other
_CUT = "…"


def shown(text: str, keep: str = "") -> str:
    """`text` without a character that cannot be seen, but for those in `keep`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)


def sentence(text: str) -> str:
    """`text` as one line of a length that is read: long names lose their middle, and so does a long list.

    The beginning, which says where, and the end, which says what to do, stay.
    """
    line = shown(text)
    if len(line) <= _WORD:
        return line
    return _middle(re.sub(rf"\S{{{_WORD + 1},}}", lambda word: _middle(word[0], _WORD), line), _SENTENCE)


def json_shown(text: str) -> str:
    r"""JSON in which every character can be seen: outside of its strings all can, inside `\u001b` stands for one."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else _as_json(c) for c in text)


def _as_json(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(rf"\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def _middle(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    first = 3 * (most - len(_CUT)) // 5
    return text[:first] + _CUT + text[len(text) - (most - len(_CUT) - first) :]
