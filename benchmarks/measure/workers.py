"""One worker per core, each at the lowest priority: what else runs on the machine goes first."""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.measure.settings import Settings


def trained(rows: Sequence[Settings], workers: int) -> Iterator[dict[str, Any]]:
    """The records of these runs, as they end."""
    context = multiprocessing.get_context("spawn")
    cores = context.Queue()
    for core in sorted(os.sched_getaffinity(0))[:workers]:
        cores.put(core)
    with context.Pool(workers, _begin, (cores,)) as pool:
        yield from pool.imap_unordered(_train, rows)


def _begin(cores: Any) -> None:
    """One core for each worker, before JAX starts its threads: a run's sums are then always made in one order."""
    os.sched_setaffinity(0, {cores.get()})
    os.nice(19)
    os.environ["JAX_ENABLE_X64"] = "0"


def _train(settings: Settings) -> dict[str, Any]:
    from benchmarks.measure.run import run  # only here: the parent never starts JAX

    return run(settings)
