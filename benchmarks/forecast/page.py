"""The pages: every score as JSON, and as Markdown a summary, the demanded splits and a table for each ladder."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.clocks import machine
from benchmarks.forecast.ladders import MISFITS
from benchmarks.forecast.methods import OUTLOOK
from benchmarks.forecast.peers import PEERS
from benchmarks.forecast.records import METHODS, Records, code_of
from benchmarks.forecast.rows import Row
from benchmarks.forecast.scores import LEVELS, NOMINAL
from benchmarks.forecast.splits import LEAST, Split

_ASKED = (0.85, 0.97)  # of the coverage of the 90 % band on each demanded split
_MANY = 30  # held-out rows that a coverage of one split takes to mean something
_HEAD = (
    "| split | fitted + held out (runs) | decades | method | mean error | max | 50 % holds | 80 % | 90 % | 95 % "
    "| width of 90 % | interval score | seconds (compiling) |"
)


def write(splits: Sequence[Split], records: Records, folder: Path) -> None:
    """`forecasts.md` and `forecasts.json` from what is there."""
    scoring = [split for split in splits if split.enough]
    rows = [row for split in scoring for method in METHODS for row in records.rows(split, method)]
    folder.mkdir(parents=True, exist_ok=True)
    told = {
        "machine": machine(),
        "summary": summary(rows, len(scoring)),
        "methods": by_method(rows),
        "splits": [_entry(split, [row for row in rows if row.split is split]) for split in scoring],
        "too few rows": [split.name for split in splits if not split.enough],
        "not a ladder": dict(MISFITS),
    }
    (folder / "forecasts.json").write_text(json.dumps(_plain(told), indent=1, allow_nan=False) + "\n")
    (folder / "forecasts.md").write_text("\n".join(_lines(told, splits, rows)) + "\n")


def summary(rows: Sequence[Row], asked: int) -> dict[str, Any]:
    """Of the splits on which our outlook was run: its coverage, and where it errs less than every peer that answered.

    A split that it refuses counts as one where it does not.
    """
    ours = {row.split.name: row for row in rows if row.method == OUTLOOK}
    theirs = {name: [r for r in rows if r.split.name == name and r.method in PEERS and r.scores] for name in ours}
    answered = [row for row in ours.values() if row.scores]
    many = [row.scores.coverage[NOMINAL] for row in answered if len(row.split.held) >= _MANY]
    compared = {name: min(rivals, key=lambda row: row.error) for name, rivals in theirs.items() if rivals}
    lost = {name: rival for name, rival in compared.items() if not ours[name].error < rival.error}
    best = {name: min(ours[name].hindsight, default=math.inf) for name in compared}
    return {
        "splits": asked,
        "run": len(ours),
        "refused": len(ours) - len(answered),
        **_pooled(answered),
        "splits_of_many_rows": len(many),
        "of_these_as_was_asked": sum(_ASKED[0] <= share <= _ASKED[1] for share in many),
        "compared": len(compared),
        "errs_less_than_every_peer": len(compared) - len(lost),
        "best_candidate_errs_less": sum(best[name] < rival.error for name, rival in compared.items()),
        "the_rest": {
            name: {"ours": ours[name].error, "peer": rival.method, "theirs": rival.error}
            for name, rival in lost.items()
        },
    }


def by_method(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Every method over the splits that it and our outlook both answered; relative errors and widths.

    `less` counts the splits where our outlook errs less; `ratio` is the geometric mean of our error over theirs;
    `least` the splits on which, of our outlook and the peers, none errs less.
    """
    rivals = [row for row in rows if row.method in (OUTLOOK, *PEERS) and row.scores]
    least = [min(own, key=lambda row: row.error).method for _, own in groupby(rivals, key=lambda row: row.split.name)]
    ours = {row.split.name: row for row in rows if row.method == OUTLOOK and row.scores}
    found: dict[str, dict[str, Any]] = {}
    for method in dict.fromkeys(row.method for row in rows):
        own = [row for row in rows if row.method == method and row.split.name in ours and row.scores]
        if not own:
            continue
        mine, theirs = np.array([(ours[row.split.name].error, row.error) for row in own]).T
        banded = [row for row in own if row.scores.coverage]
        told: dict[str, Any] = {"splits": len(own)}
        if method in (OUTLOOK, *PEERS):
            told["least"] = least.count(method)
        if method in METHODS and method != OUTLOOK:
            told["less"] = int(np.sum(mine < theirs))
            told["ratio"] = float(np.exp(np.mean(np.log(mine / theirs))))
        if banded:
            told |= _pooled(banded)
            told["median_width_90"] = float(np.median([row.scores.width for row in banded]))
            told["median_interval_score"] = float(np.median([row.scores.interval_score for row in banded]))
        found[method] = told
    return found


def _pooled(banded: Sequence[Row]) -> dict[str, float | None]:
    """Coverage of the 90 % bands over all held-out rows, and on average over splits; None without any."""
    if not banded:
        return {"coverage_90_of_rows": None, "coverage_90_of_splits": None}
    share, held = np.array([(row.scores.coverage[NOMINAL], len(row.split.held)) for row in banded]).T
    return {"coverage_90_of_rows": float(share @ held / held.sum()), "coverage_90_of_splits": float(share.mean())}


def _entry(split: Split, rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "ladder": split.ladder,
        "cut": split.cut,
        "fitted": {"rows": len(split.fitted), "runs": _runs(split.fitted.cluster)},
        "held": {"rows": len(split.held), "runs": _runs(split.held.cluster)},
        "decades": float(split.decades.max()),
        "demanded_mean_error": split.demanded,
        "methods": {row.method: row.written() for row in rows},
    }


def _runs(cluster: np.ndarray) -> int:
    return len(np.unique(cluster))


def _lines(told: Mapping[str, Any], splits: Sequence[Split], rows: Sequence[Row]) -> Iterator[str]:
    yield "# Forecasts beyond the data, scored on runs that were not seen"
    yield ""
    yield (
        "Every public ladder is cut in compute; what ends below the cut is fitted, what lies above is forecast. Cuts "
        "are at half and three quarters of the independent runs, besides those that were demanded. Errors, widths and "
        "interval scores are relative; checkpoints of one run are never on both sides. Splits of one ladder share "
        "runs. The band of our outlook is the total one; conformal bands are around the same point. What is done with "
        "its law has a point of its own. Seconds are of a busy machine, and those of a row that was kept from "
        "an earlier page are of the machine of that time."
    )
    yield ""
    yield from _summary_lines(told["summary"], rows)
    if told["methods"]:
        yield from ("", "## Over all splits", "", *_method_lines(told["methods"]))
    wanted = [row for row in rows if row.split.demanded is not None]
    if wanted:
        yield from ("", "## Demanded splits", "", *_table(wanted))
    rest = [row for row in rows if row.split.demanded is None]
    for ladder, own in groupby(rest, key=lambda row: row.split.ladder):
        yield from ("", f"## {ladder}", "", *_table(list(own)))
    few = [f"{split.name} ({len(split.fitted)})" for split in splits if not split.enough]
    if few:
        yield from ("", f"Not scored, as fewer than {LEAST} rows are left to fit: {'; '.join(few)}.")
    yield from ("", "## Data sets that hold no ladder", "")
    yield from (f"- {name}: {reason}." for name, reason in MISFITS.items())


def _summary_lines(s: Mapping[str, Any], rows: Sequence[Row]) -> Iterator[str]:
    if not s["run"]:
        yield f"Our outlook was not run yet on any of {s['splits']} splits."
        return
    yield f"- Our outlook was run on {s['run']} of {s['splits']} splits and refused {s['refused']}."
    if s["coverage_90_of_rows"] is not None:
        yield (
            f"- Its 90 % band held {s['coverage_90_of_rows']:.1%} of all held-out rows, and "
            f"{s['coverage_90_of_splits']:.1%} on average over splits. Of the {s['splits_of_many_rows']} splits with "
            f"{_MANY} held-out rows or more {s['of_these_as_was_asked']} have a coverage of {_ASKED[0]:.0%} to "
            f"{_ASKED[1]:.0%}: rows of one split share one fit and its bias."
        )
    if s["compared"]:
        won, of = s["errs_less_than_every_peer"], s["compared"]
        yield (
            "- The best of all that it could have chosen, known only afterwards, errs less than every peer on "
            f"{s['best_candidate_errs_less']} of {of}."
        )
        yield f"- Its mean error is lower than every peer's on {won} of {of} splits ({won / of:.0%}). The rest:"
        for name, rest in s["the_rest"].items():
            ours = f"{rest['ours']:.2%}" if math.isfinite(rest["ours"]) else "refused"
            yield f"  - {name}: {ours}, {rest['peer']} {rest['theirs']:.2%}"
    codes = {row.code for row in rows if row.method == OUTLOOK}
    if codes != {code_of(OUTLOOK)}:
        yield f"- Some of it was made by other code than the present ({', '.join(sorted(codes))}): run with --again."


def _method_lines(methods: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield (
        "Of each method the splits that our outlook answered too. Ours over theirs: geometric mean of mean errors. "
        "Least of all: the splits, answered by anyone, on which none of our outlook and the peers errs less."
    )
    yield ""
    head = (
        "| method | splits | least of all | our outlook errs less on | ours over theirs | 90 % holds, of rows "
        "| of splits | median width of 90 % | median interval score |"
    )
    yield from (head, "|---" * (head.count("|") - 1) + "|")
    for name, m in methods.items():
        cells = [
            f"{m['splits']}",
            f"{m['least']}" if "least" in m else "",
            f"{m['less']}" if "less" in m else "",
            f"{m['ratio']:.2f}" if "ratio" in m else "",
            *(f"{m[key]:.1%}" if key in m else "" for key in ("coverage_90_of_rows", "coverage_90_of_splits")),
            f"{m['median_width_90']:.1%}" if "median_width_90" in m else "",
            f"{m['median_interval_score']:.3f}" if "median_interval_score" in m else "",
        ]
        yield f"| {name} | {' | '.join(cells)} |"


def _table(rows: Sequence[Row]) -> Iterator[str]:
    yield _HEAD
    yield "|---" * (_HEAD.count("|") - 1) + "|"
    before = None
    for row in rows:
        yield _line(row, first=row.split is not before)
        before = row.split


def _line(row: Row, first: bool) -> str:
    split = row.split
    sizes = " + ".join(f"{len(part)} ({_runs(part.cluster)})" for part in (split.fitted, split.held))
    head = [split.name, sizes, f"{split.decades.max():.1f}"] if first else ["", "", ""]
    seconds = f"{row.seconds:.0f} ({row.compile_seconds:.0f})" if row.method in METHODS else ""
    if row.scores is None:
        return _cells([*head, row.method, row.failed, *[""] * 7, seconds])
    chosen = row.about.get("chosen")
    s = row.scores
    limit = "" if split.demanded is None or row.method != OUTLOOK else f" (at most {split.demanded:.2%})"
    coverage = [f"{s.coverage[level]:.0%}" if s.coverage else "" for level in LEVELS]
    width, score = (f"{s.width:.2%}", f"{s.interval_score:.4f}") if s.coverage else ("", "")
    method = row.method if chosen is None else f"{row.method}: {chosen}"
    return _cells([*head, method, f"{s.mean:.2%}{limit}", f"{s.largest:.2%}", *coverage, width, score, seconds])


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _plain(told: Any) -> Any:
    """As JSON has it: no numbers that are not finite."""
    if isinstance(told, Mapping):
        return {f"{key}": _plain(value) for key, value in told.items()}
    if isinstance(told, list | tuple):
        return [_plain(value) for value in told]
    return None if isinstance(told, float) and not math.isfinite(told) else told
