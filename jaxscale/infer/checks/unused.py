"""What came with the runs and has no say in a fit, or another one than might be thought, as sentences."""

from collections.abc import Iterator, Mapping

import numpy as np

from jaxscale.core.flops import FLOP_PER_PARAM_TOKEN, training_flops
from jaxscale.core.law import AbstractLaw, signature
from jaxscale.core.runs import Runs, Table

_SAME = 0.05  # compute that agrees with 6ND so far moves the best size by less than a fortieth


def unused(data: Runs | Table, law: AbstractLaw, noise: np.ndarray) -> tuple[str, ...]:
    """Mapped symbols, groups and unknown `noise` (m,) that a fit of `law` to `data` does not see or takes otherwise."""
    found = list(_unknown(noise))
    if not isinstance(data, Runs):
        found += [*_symbols(data, law), *_groups(data.groups, law)]
    return tuple(found)


def counted_once(runs: Runs) -> tuple[str, ...]:
    """Weights and known noise that fits use and what is learnt from forecasts inside the runs does not."""
    used = np.asarray(runs.weight)[np.asarray(runs.weight) > 0]
    given = [*(["weights"] if np.ptp(used) > 0 else []), *(["known noise"] if np.any(np.asarray(runs.noise)) else [])]
    if not given:
        return ()
    return (
        f"Not used beyond the fits: the runs' {' and '.join(given)}. Ranking, bands and the noise of a run count every "
        "run once and alike.",
    )


def _symbols(data: Table, law: AbstractLaw) -> Iterator[str]:
    takes, name = signature(law).inputs, type(law).__name__
    left = [
        symbol
        for symbol, column in data.columns.items()
        if symbol.partition(".")[0] not in takes and symbol != data.target and np.ptp(column) > 0
    ]
    # D/N, and compute where it is 6ND, are what the law sees already.
    if {"N", "D"} <= set(takes):
        left = [symbol for symbol in left if symbol not in ("C", "M")]
        yield from _compute(data.columns)
    if left:
        yield (
            f"Not used: {', '.join(left)}: mapped, and no input of {name}; the fit is as if all runs were alike in "
            f"{'it' if len(left) == 1 else 'them'}. Use a law that takes {'it' if len(left) == 1 else 'them'}, or a "
            "filter (`where=...`)."
        )


def _compute(columns: Mapping[str, np.ndarray]) -> Iterator[str]:
    if not {"N", "D", "C"} <= set(columns):
        return
    ratio = columns["C"] / training_flops(columns["N"], columns["D"])
    middle = float(np.median(ratio))
    if np.max(np.abs(ratio - 1)) > _SAME:
        per_token = FLOP_PER_PARAM_TOKEN * middle
        yield (
            f"Not used: C, which is {ratio.min():.3g} to {ratio.max():.3g} times 6ND (median {middle:.3g}): the law "
            f"takes N and D, and plans count 6ND. To plan by the runs' own compute, give the plan "
            f"`cost=SixND(per_token={per_token:.3g})`."
        )


def _groups(labels: tuple[str, ...], law: AbstractLaw) -> Iterator[str]:
    if len(labels) > 1 and "group" not in signature(law).inputs:
        yield (
            f"Groups: {len(labels)} groups share every parameter of {type(law).__name__}; they only keep resamples "
            "within each. Fit what differs from group to group apart (`Pooled(law, split=...)`), or one group alone "
            "(`where=...`)."
        )


def _unknown(noise: np.ndarray) -> Iterator[str]:
    if noise.any() and not noise.all():
        yield (
            f"Noise: not known (0) for {np.sum(noise == 0)} of {noise.size} rows. Of a likelihood these have its own "
            "scale alone; other objectives take the typical known noise for them. Give it for all rows, or for none."
        )
