"""Rows left out, as a sentence that is also a record: `kept 240 of 245 rows: excluded_in_paper == 0`."""

import re
from dataclasses import dataclass

_NOTE = re.compile(r"kept (\d+) of (\d+) rows: (.*?)(?=; kept \d+ of \d+ rows: |$)", re.DOTALL)


@dataclass(frozen=True)
class Exclusion:
    """A filter and what it left of the rows before it."""

    kept: int
    of: int
    rule: str

    def after(self, before: str = "") -> str:
        """The sentence, behind those of the filters `before` it."""
        note = f"kept {self.kept} of {self.of} rows: {self.rule}"
        return f"{before}; {note}" if before else note


def exclusions(text: str) -> tuple[Exclusion, ...]:
    """The filters of a study, in order, from its provenance's `exclusions`."""
    return tuple(Exclusion(int(kept), int(of), rule) for kept, of, rule in _NOTE.findall(text))
