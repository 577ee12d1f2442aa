"""One method on one split, scored: a line of the pages, and back from the page that has it."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.forecast.scores import Scores
from benchmarks.forecast.splits import Split


@dataclass(frozen=True)
class Row:
    """A method on a split; `scores` is None where it gave no forecast, `failed` says why.

    `by` is the method that was run: further bands of its answer are rows of their own. `stamp` tells the runs, and
    `code` the source, that it was made from.
    """

    split: Split
    method: str
    by: str
    scores: Scores | None
    stamp: str = ""
    code: str = ""
    seconds: float = 0.0
    compile_seconds: float = 0.0
    about: Mapping[str, Any] = field(default_factory=dict)
    failed: str = ""

    @property
    def error(self) -> float:
        """Mean error; infinite where there is no forecast."""
        return self.scores.mean if self.scores else math.inf

    @property
    def hindsight(self) -> tuple[float, ...]:
        """Errors of all that our outlook could have chosen, known only afterwards."""
        return tuple(self.about.get("hindsight", {}).values())

    def written(self) -> dict[str, Any]:
        """As the JSON page has it."""
        told = {k: getattr(self, k) for k in ("by", "stamp", "code", "seconds", "compile_seconds", "about", "failed")}
        return (asdict(self.scores) if self.scores else {}) | told


@dataclass(frozen=True)
class Page:
    """The methods of every split, by name, as a JSON page has them; none where there is no page."""

    splits: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path) -> "Page":
        told = json.loads(path.read_text())["splits"] if path.is_file() else []
        return cls({f"{entry['ladder']}, {entry['cut']}": entry["methods"] for entry in told})

    def rows(self, split: Split, by: str, stamp: str) -> Iterator[Row]:
        """What was made by the method `by` from the runs of that stamp."""
        for method, told in self.splits.get(split.name, {}).items():
            if (told["by"], told["stamp"]) == (by, stamp):
                kept = {k: told[k] for k in ("code", "seconds", "compile_seconds", "about", "failed")}
                yield Row(split, method, by, None if told["failed"] else _scores(told), stamp, **kept)


def _scores(told: Mapping[str, Any]) -> Scores:
    """JSON has no infinity: a band without a width is infinitely wide, and no band has none."""
    coverage = {float(level): share for level, share in told["coverage"].items()}
    absent = math.inf if coverage else math.nan
    width, score = (absent if told[k] is None else told[k] for k in ("width", "interval_score"))
    return Scores(told["mean"], told["largest"], coverage, width, score)
