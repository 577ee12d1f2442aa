"""4 x 1,000 posterior draws, once compiled: ours, and plain NumPyro NUTS with a dense mass matrix."""

from typing import Any

import pytest

from benchmarks.plain import Chains, Plain
from benchmarks.posterior import DRAWS, ours
from benchmarks.workload import Workload
from jaxscale.infer.fit.fit import fit
from jaxscale.infer.posterior import convergence
from jaxscale.infer.posterior.sample import sample_from
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.objectives.likelihood import student_t


@pytest.mark.parametrize("engine", ["jaxscale", "numpyro"])
def test_posterior(benchmark: Any, data: Workload, engine: str) -> None:
    if engine == "jaxscale":
        mode = fit(Chinchilla(), data.runs(), student_t(5), prior=True)

        def draw() -> Chains:
            return ours(sample_from(mode, key=1, draws=DRAWS))
    else:
        plain = Plain(Chinchilla(), data.runs(), student_t(5), draws=DRAWS, dense_mass=True)

        def draw() -> Chains:
            return plain.run(1)

    found = benchmark.pedantic(draw, rounds=3, warmup_rounds=1)
    benchmark.extra_info["ess"] = float(convergence.ess_bulk(found.z).min())
    benchmark.extra_info["leapfrogs"] = float(found.stats["steps"].mean())
