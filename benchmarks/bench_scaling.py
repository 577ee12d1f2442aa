"""Growth with draws and with runs, in processes of their own so that peak memory is each one's."""

from typing import Any

import pytest

from benchmarks.clocks import module


@pytest.mark.parametrize(("runs", "draws"), [(240, 1_000), (240, 10_000), (1_000, 1_000)])
def test_scale(benchmark: Any, runs: int, draws: int) -> None:
    found = benchmark.pedantic(module, args=("scale", str(runs), str(draws)), rounds=1)
    benchmark.extra_info |= {name: found[name] for name in ("bootstrap", "fit", "peak_mib", "failed")}
