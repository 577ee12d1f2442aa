"""4,000 pair bootstraps once compiled, beside a sample of the published SciPy loop."""

from typing import Any

import jax
import pytest

from benchmarks import recipe
from benchmarks.workload import DRAWS, HOFFMANN, Workload
from jaxscale import Fit, bootstrap

_SAMPLE = 40


def test_bootstrap(benchmark: Any, fitted: Fit) -> None:
    drawn = benchmark.pedantic(lambda: jax.block_until_ready(bootstrap(fitted, DRAWS)), rounds=5, warmup_rounds=1)
    errors = {name: float(value) for name, value in drawn.standard_errors().items()}
    benchmark.extra_info |= {"draws": DRAWS, "failed": drawn.failed, "standard_errors": errors}


@pytest.mark.parametrize("gradient", ["analytic", "finite differences"])
def test_scipy_recipe(benchmark: Any, data: Workload, gradient: recipe.Gradient) -> None:
    rows = recipe.resamples(len(data.loss), _SAMPLE)
    benchmark.pedantic(recipe.bootstrap, args=(data, HOFFMANN, rows, gradient), rounds=2)
    benchmark.extra_info |= {"draws": _SAMPLE, "to_compare": f"multiply by {DRAWS / _SAMPLE:g} for {DRAWS} draws"}
