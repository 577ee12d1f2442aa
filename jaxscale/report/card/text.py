"""A fit card for people: rows of (section, item, answer), and the same as Markdown. Nothing is left out."""

from collections.abc import Iterator, Mapping
from typing import Any

NOT_STATED = "not stated"
_NOT_DONE = {
    "uncertainty": "no draws were made",
    "holdout": "no runs were held out",
    "choice": "no other law was compared",
}
_TITLES = {
    "hypothesis": "Hypothesis",
    "units": "Units and conventions",
    "setup": "Set-up of the runs",
    "data": "Data and exclusions",
    "objective": "Objective",
    "solver": "Solver",
    "search": "Starts and optimum",
    "parameters": "Parameters",
    "fit": "Quality of the fit",
    "uncertainty": "Uncertainty",
    "holdout": "Hold-out",
    "choice": "Choice of the law",
    "forecast": "Forecast",
    "versions": "Versions",
    "hashes": "Hashes",
    "seeds": "Seeds",
    "seconds": "Seconds",
}


def card_rows(card: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Every answer of a card as (section, item, answer), in the order of the card; null reads "not stated"."""
    rows = [("Card", "schema", f"{card['schema']}, version {card['schema_version']}")]
    for section, title in _TITLES.items():
        if section in card:
            answers = (
                _items("", card[section]) if card[section] is not None else [("", _NOT_DONE.get(section, NOT_STATED))]
            )
            rows.extend((title, item, answer) for item, answer in answers)
    rows.extend(("Warnings", "", str(sentence)) for sentence in card["warnings"])
    rows.append(("Unanswered", "", ", ".join(card["unanswered"]) or "none"))
    return rows


def card_markdown(card: Mapping[str, Any]) -> str:
    """The card as Markdown: a heading and a table per section."""
    lines = ["# Fit card", ""]
    last = None
    for section, item, answer in card_rows(card):
        if section != last:
            lines += ["", f"## {section}", "", "| item | answer |", "|---|---|"]
            last = section
        lines.append(f"| {_cell(item)} | {_cell(answer)} |")
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def _items(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """A value as rows: nested records are opened until what is left reads as one line."""
    if isinstance(value, Mapping) and (not name or any(_nested(v) for v in value.values())):
        for key, inner in value.items():
            yield from _items(f"{name}, {_words(key)}" if name else _words(key), inner)
    elif isinstance(value, list) and any(isinstance(v, Mapping) for v in value):
        for number, inner in enumerate(value, start=1):
            yield from _items(f"{name} {number}", inner)
    else:
        yield name, _told(value)


def _nested(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(v, Mapping | list) for v in value))


def _told(value: Any) -> str:
    match value:
        case None:
            return NOT_STATED
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.6g}"
        case Mapping():
            return "; ".join(f"{_words(k)}: {_told(v)}" for k, v in value.items()) or "none"
        case list():
            return ", ".join(f"({_told(v)})" if isinstance(v, list) else _told(v) for v in value) or "none"
        case _:
            return str(value)


def _words(key: str) -> str:
    return key.replace("_", " ")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
