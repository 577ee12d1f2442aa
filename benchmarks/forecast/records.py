"""What was computed, one JSON file for each split and method, so that a run that stops goes on."""

import ast
import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks.forecast.methods import OURS, OUTLOOK
from benchmarks.forecast.peers import PEERS
from benchmarks.forecast.rows import Page, Row
from benchmarks.forecast.scores import Answer, Ends, Failed, scored
from benchmarks.forecast.splits import Split
from jaxscale import BadInput

METHODS = (*OURS, *PEERS)
_PACKAGE = Path(__file__).resolve().parents[2] / "jaxscale"
_FLOORS = ("core", "infer", "laws", "objectives", "solve")  # of the package: what our answers rest on


@dataclass(frozen=True)
class Record:
    """What one method did on one split: an answer, or why there is none; `code` is a digest of what made it."""

    split: str
    method: str
    stamp: str
    code: str
    seconds: float
    compile_seconds: float
    answer: Answer | None
    failed: str = ""


@dataclass(frozen=True)
class Records:
    """A folder of records, and the page that was written before.

    What was made from other runs, or for another chosen law, counts as missing. What the folder lacks the page may
    have: it is kept with the source, folders are not.
    """

    folder: Path
    page: Page = field(default_factory=Page)

    def rows(self, split: Split, method: str) -> list[Row]:
        """What the method said, scored, and the further bands of its answer; empty where it is still to be run."""
        record = self.get(split, method)
        if record is None:
            return list(self.page.rows(split, method, self._stamp(split, method)))
        origin = (record.stamp, record.code, record.seconds, record.compile_seconds)
        if record.answer is None:
            return [Row(split, method, method, None, *origin, failed=record.failed)]
        point, seen = record.answer.point, split.observed
        first = Row(split, method, method, scored(point, record.answer.ends, seen), *origin, record.answer.about)
        others = record.answer.others.items()
        return [first, *(Row(split, name, method, scored(point, ends, seen), *origin) for name, ends in others)]

    def get(self, split: Split, method: str) -> Record | None:
        path = self._path(split, method)
        if not path.is_file():
            return None
        found = _read(json.loads(path.read_text()))
        return found if found.stamp == self._stamp(split, method) else None

    def make(self, split: Split, method: str) -> Record:
        """Compute and write; a refusal or a peer's failure is written as such, anything else is raised."""
        law, code = self._law(split, method), code_of(method)
        with _Compiling() as compiling:
            begun = time.perf_counter()
            answer, failed = None, ""
            try:
                answer = OURS[method](split, law) if method in OURS else PEERS[method](split)
            except (BadInput, Failed) as refusal:
                failed = f"{refusal}"
            seconds = time.perf_counter() - begun
        found = Record(split.name, method, self._stamp(split, method), code, seconds, compiling.seconds, answer, failed)
        path = self._path(split, method)
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_suffix(".part")  # a run that is stopped while it writes leaves no broken record
        half.write_text(json.dumps(_written(found)) + "\n")
        half.replace(path)
        return found

    def _path(self, split: Split, method: str) -> Path:
        return self.folder / _slug(split.name) / f"{_slug(method)}.json"

    def _law(self, split: Split, method: str) -> str | None:
        if method not in OURS or method == OUTLOOK:
            return None
        return next((row.about.get("law") for row in self.rows(split, OUTLOOK)), None)

    def _stamp(self, split: Split, method: str) -> str:
        told = hashlib.sha256(f"{method} {self._law(split, method)}".encode())
        for study in (split.fitted, split.held):
            for x in (*(study.columns[name] for name in ("N", "D", "loss")), study.cluster):
                told.update(np.ascontiguousarray(x).tobytes())
        return told.hexdigest()[:16]


@cache
def code_of(method: str) -> str:
    """Digest of the source that a method's answers rest on, as it is at the first call; words change no answer."""
    own = Path(__file__).resolve().parent
    files = [own / ("methods.py" if method in OURS else "peers.py")]
    if method in OURS:
        files += [path for floor in _FLOORS for path in sorted((_PACKAGE / floor).rglob("*.py"))]
    return hashlib.sha256("".join(_wordless(path) for path in files).encode()).hexdigest()[:12]


def _wordless(path: Path) -> str:
    """A module's syntax tree without docstrings; comments and layout are not in it."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


class _Compiling:
    """Seconds that XLA compiles while it is open; tracing is not counted."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> "_Compiling":
        jax.monitoring.register_event_duration_secs_listener(self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        jax.monitoring.unregister_event_duration_listener(self._heard)

    def _heard(self, event: str, duration_secs: float, **_: object) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            self.seconds += duration_secs


def _slug(name: str) -> str:
    plain = name.replace("%", " percent").replace("<", "below")
    return re.sub(r"[^a-z0-9.]+", "-", plain.lower()).strip("-")


def _written(record: Record) -> dict[str, Any]:
    answer = record.answer
    told = None
    if answer is not None:
        others = {name: _ends(ends) for name, ends in answer.others.items()}
        told = {"point": answer.point.tolist(), "ends": _ends(answer.ends), "others": others, "about": answer.about}
    return {**vars(record), "answer": told}


def _read(told: Mapping[str, Any]) -> Record:
    answer = told["answer"]
    if answer is not None:
        others = {name: _levels(ends) for name, ends in answer["others"].items()}
        answer = Answer(np.array(answer["point"]), _levels(answer["ends"]), others, answer["about"])
    return Record(**{**told, "answer": answer})


def _ends(ends: Ends) -> dict[str, list[list[float]]]:
    return {f"{level}": [low.tolist(), high.tolist()] for level, (low, high) in ends.items()}


def _levels(told: Mapping[str, Any]) -> Ends:
    return {float(level): (np.array(low), np.array(high)) for level, (low, high) in told.items()}
