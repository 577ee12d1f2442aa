"""A table of checkpoints, or a history of W&B, as one row a run: the last one in which all that is mapped is there."""

from collections.abc import Mapping

import numpy as np

from jaxscale.core.errors import BadInput
from jaxscale.studies.options import Options
from jaxscale.studies.sheet import Sheet, labels
from jaxscale.studies.units import split_unit

_STEP = "_step"  # of a W&B history, whose rows need not be in order


def keep_last(sheet: Sheet, mapping: Mapping[str, str], options: Options) -> None:
    """Leave out every row but the last of each run with finite numbers, and say so. Raises `BadInput` on a run of none.

    Later is, in this order, a larger `_step`, a larger D, a row further down.
    """
    runs, run = labels(sheet, options.last_of, "`last_of=...`")
    columns = {symbol: _column(sheet, text) for symbol, text in mapping.items()}
    used = [name for name in columns.values() if name is not None]
    there = np.all([np.isfinite(sheet.read(name).values) for name in used], axis=0)
    by = _STEP if _STEP in sheet.table else columns.get("D")
    when = np.arange(len(run)) if by is None else sheet.read(by).values
    last, unfinished = [], 0
    for i, label in enumerate(runs):
        rows = np.flatnonzero((run == i) & there)
        if not len(rows):
            raise BadInput(
                f"`last_of=...`: expected a row of run {label!r} with finite numbers in {', '.join(map(repr, used))}, "
                "got none; fill in what the run's rows share, or leave the run out with a filter: `where=...`"
            )
        chosen = rows[len(rows) - 1 - int(np.argmax(when[rows][::-1]))]  # the lowest of several at one time
        last.append(chosen)
        unfinished += bool(np.any(when[run == i] > when[chosen]))
    kept = np.zeros(len(run), dtype=bool)
    kept[last] = True
    order = "row" if by is None else f"{by!r}"
    lost = f"; {unfinished} of the runs have later rows, which lack some of it: see whether they ended" * bool(
        unfinished
    )
    sheet.remarks.append(
        f"Last of each run: {len(last)} of {len(run)} rows were read, the last by {order} of each {options.last_of!r} "
        f"with finite numbers in {', '.join(map(repr, used))}{lost}"
    )
    sheet.keep(kept, f"the last of each {options.last_of}")


def _column(sheet: Sheet, text: str) -> str | None:
    """The column of an entry of the mapping; None for a formula, and for what will be refused as no column."""
    return next((name for name in (split_unit(text)[0], text) if name in sheet.table), None)
