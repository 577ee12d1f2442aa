"""One certified fit of 240 runs (33 starts), once compiled."""

from typing import Any

import pytest

from benchmarks.workload import Workload, simulated
from jaxscale import fit
from jaxscale.laws.loss.hoffmann2022 import Chinchilla


def test_fit(benchmark: Any, data: Workload) -> None:
    runs = data.runs()
    found = benchmark.pedantic(fit, args=(Chinchilla(), runs), rounds=5, warmup_rounds=1)
    benchmark.extra_info |= {
        "data": data.label, "objective": found.value, "gradient_norm": found.certificate.gradient_norm,
        "share_best": found.certificate.share_best,
    }  # fmt: skip


@pytest.mark.parametrize("runs", [100, 10_000])
def test_fit_of_size(benchmark: Any, runs: int) -> None:
    found = benchmark.pedantic(fit, args=(Chinchilla(), simulated(runs).runs()), rounds=3, warmup_rounds=1)
    benchmark.extra_info |= {"runs": runs, "certified": found.certificate.certified}
