"""A cold process from import to 4,000 bootstraps, without and with a filled compilation cache."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.clocks import module


@pytest.mark.parametrize("cache", [False, True])
def test_cold(benchmark: Any, tmp_path: Path, cache: bool) -> None:
    arguments = ("cold", "4000", *([str(tmp_path)] if cache else []))
    found = benchmark.pedantic(module, args=arguments, rounds=1, warmup_rounds=int(cache))
    benchmark.extra_info |= {"stages": found["stages"], "objective": found["value"]}
