"""Rows that are checkpoints of few runs rather than runs: nobody said which run they belong to."""

import numpy as np

_STEP, _LONG = 1.6, 2.5  # times from one checkpoint to the next: grids of runs at least double as a rule


def checkpoints(N: np.ndarray, D: np.ndarray, group: np.ndarray) -> list[str]:
    """Rows of few sizes, each at many amounts of data in short steps: checkpoints, as often as runs."""
    order = np.lexsort((D, N, group))
    other = (np.diff(N[order]) != 0) | (np.diff(group[order]) != 0)
    grown = (np.unique(d) for d in np.split(D[order], np.flatnonzero(other) + 1))
    several = [d for d in grown if len(d) >= 5]
    if not several or sum(map(len, several)) < 0.8 * len(N):
        return []
    step = float(np.exp(np.median(np.concatenate([np.diff(np.log(d)) for d in several]))))
    each = float(np.median([len(d) for d in several]))
    even = np.mean([np.ptp(np.diff(d)) < 0.02 * np.mean(np.diff(d)) for d in several if len(d) > 5] or [0.0])
    many = each > len(several) if step <= _STEP else step <= _LONG and each >= 2 * max(len(several), 4)
    if many or even > 0.8:
        return [
            f"Check whether rows are runs: {len(several)} values of N have {each:g} amounts of data each, {step:.2g} "
            "times from one to the next. If these are checkpoints of one run, give its column as `run_id=...`: they "
            "are no independent runs; or read the last one of each alone: `last_of=...`."
        ]
    return []
