"""Text that a terminal does not obey. Oracles: Python's own parsers of what is written, and its table of characters."""

import ast
import json
import random
import sys
import unicodedata

import pytest

from jaxscale.core.errors import BadInput
from jaxscale.core.shown import json_shown, sentence, shown

HIDDEN = [chr(c) for c in range(sys.maxunicode + 1) if unicodedata.category(chr(c)) in ("Cc", "Cf", "Zl", "Zp")]


def drawn(seed: int, length: int = 40) -> str:
    draw = random.Random(seed)
    return "".join(draw.choice(HIDDEN) if draw.random() < 0.5 else draw.choice("aβ漢 .é🙂") for _ in range(length))


@pytest.mark.parametrize("seed", range(20))
def test_what_is_shown_reads_as_what_it_was(seed: int) -> None:
    """Python reads the escapes back as the characters they stand for."""
    text = drawn(seed)
    assert shown(text).isprintable()
    assert ast.literal_eval(f'"{shown(text)}"') == text
    assert shown(shown(text)) == shown(text)
    assert set(shown(text + "\n", keep="\n")) - {"\n"} == set(shown(text))


def test_every_character_that_a_terminal_may_obey_is_an_escape() -> None:
    made = shown("".join(HIDDEN))
    assert made.isascii()
    assert made.isprintable()
    assert shown("\x1b\x9b\x7f\u202e\u2066\u200b\u2028\n") == r"\x1b\x9b\x7f\u202e\u2066\u200b\u2028\n"
    # What Python makes of a byte of a path that is no UTF-8.
    assert shown("runs\udcff.csv") == r"runs\udcff.csv"
    assert json.loads(json_shown('"runs\udcff.csv"')) == "runs\udcff.csv"


@pytest.mark.parametrize("seed", range(20))
def test_json_stays_the_same_json(seed: int) -> None:
    value = {drawn(seed): [drawn(seed + 100), 1.5, None]}
    text = json_shown(json.dumps(value, ensure_ascii=False, indent=2))
    assert json.loads(text) == value
    assert all(c.isprintable() or c == "\n" for c in text)


def test_a_sentence_keeps_what_was_refused_and_what_to_do() -> None:
    """However long the names in it are, and however many."""
    name, names = "x" * 100_000, ", ".join(f"column_{i}" for i in range(50_000))
    for value in (name, names, name.replace("xx", "x ")):
        said = sentence(f"N: there is no column {value!r}; the columns are {names}; say which one, as in N=column")
        assert len(said) <= 1500
        assert said.startswith("N: there is no column '")
        assert said.endswith("; say which one, as in N=column")
        assert "…" in said
        assert sentence(said) == said
    path = "/a/folder" * 30
    assert sentence(f"{path}: no such file") == f"{path}: no such file"


def test_an_error_is_one_line_that_can_be_seen() -> None:
    error = BadInput("FILE: \x1b[2J\nno column\u202e; name one")
    assert str(error) == r"FILE: \x1b[2J\nno column\u202e; name one"
    assert len(str(BadInput("y" * 10**6))) <= 300
