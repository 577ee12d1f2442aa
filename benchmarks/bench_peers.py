"""Peers from the package index on the same runs; each prints its own seconds, without its imports."""

from typing import Any

import pytest

from benchmarks import peers
from benchmarks.workload import Workload

pytestmark = pytest.mark.skipif(not peers.available(), reason="uv is needed to make the peers' environments")


@pytest.mark.parametrize(
    ("script", "argument"), [("simple_scaling_laws_fit", 4000), ("chinchilla_fit", 3), ("autograd_recipe", 40)]
)
def test_peer(benchmark: Any, data: Workload, script: str, argument: int) -> None:
    found = benchmark.pedantic(peers.run, args=(script, data, argument), rounds=1, warmup_rounds=1)
    found = peers.judged(found, data) if "params" in found else found
    benchmark.extra_info |= {name: value for name, value in found.items() if name != "values"}
