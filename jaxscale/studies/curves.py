"""Quantities with axes from a table of plain columns: curves from rows of a run, mixtures from columns of shares."""

from collections.abc import Mapping

import numpy as np

from jaxscale.core.errors import BadInput
from jaxscale.core.law import Signature
from jaxscale.core.runs import Runs
from jaxscale.core.schedule import schedules, segments_of

_WHOLE = 0.05  # by which shares, as they are rounded in tables, may miss one


def curves(found: Runs, wanted: Signature, rows: np.ndarray) -> Runs:
    """Rows of a table, numbered `rows`, as one entry per run: what has the axis of the output becomes a curve.

    Shorter curves are filled up by their last row, at weight zero. Raises `BadInput` where another input changes
    within a run.
    """
    _, of_row, counts = np.unique(np.asarray(found.cluster), return_inverse=True, return_counts=True)
    first = np.cumsum(counts) - counts
    place = np.arange(counts.max())[None, :]
    index = np.argsort(of_row, kind="stable")[first[:, None] + np.minimum(place, counts[:, None] - 1)]
    there = place < counts[:, None]
    inputs = {}
    for name, column in found.inputs.items():
        values = np.asarray(column)
        if set(wanted.output.axes) & set(wanted.inputs[name].axes):
            inputs[name] = values[index]
            continue
        inputs[name] = values[index[:, 0]]
        bad = np.argwhere(np.any((values[index] != values[index[:, :1]]).reshape(*index.shape, -1), axis=2))
        if bad.size:
            row, other = rows[index[tuple(bad[0])]], rows[index[bad[0][0], 0]]
            raise BadInput(
                f"row {row}: expected {name} as in row {other}, which is of the same run; give `run_id=...`, the "
                "columns that tell runs apart"
            )
    return Runs.of(
        inputs,
        np.asarray(found.target)[index],
        weight=np.where(there, np.asarray(found.weight)[index], 0),
        group=np.asarray(found.group)[index[:, 0]],
        cluster=np.asarray(found.cluster)[index[:, 0]],
        noise=np.where(there, np.asarray(found.noise)[index], 0),
        dtype=found.target.dtype,
    )


def shaped(
    symbol: str, columns: Mapping[str, np.ndarray], levels: Mapping[str, tuple[str, ...]], rows: np.ndarray
) -> np.ndarray | None:
    """What a table has by a symbol, shape (rows, *axes): numbers, schedules from texts, a mixture from its columns.

    None where it has nothing. Raises `BadInput` on texts that are no schedules, and on shares that are no parts of one.
    """
    parts = [name for name in columns if name.startswith(f"{symbol}.")]
    if parts:
        return _mixture(symbol, np.stack([columns[name] for name in parts], axis=1), rows)
    if symbol in levels:
        return schedules([segments_of(text) for text in levels[symbol]])[columns[symbol].astype(int)]
    return columns.get(symbol)


def _mixture(symbol: str, shares: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Shares of the domains, shape (rows, domains), as they stand. Raises `BadInput` where they are no parts of one."""
    total = shares.sum(axis=1)
    bad = np.flatnonzero(np.any(shares < 0, axis=1) | (np.abs(total - 1) > _WHOLE))
    if bad.size:
        raise BadInput(
            f"row {rows[bad[0]]}: expected {symbol} as shares of zero or more that sum to one, got a sum of "
            f"{total[bad[0]]:.4g}; map every domain, in shares of the whole: {symbol}.<domain>=column"
        )
    return shares
