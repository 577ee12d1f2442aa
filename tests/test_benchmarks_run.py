"""The benchmarks' own arithmetic, at tiny settings; nothing here looks at a clock."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

_ROOT = Path(__file__).resolve().parent.parent
_TINY = """
import jax, numpy as np
from benchmarks import accuracy, recipe
from benchmarks.workload import BESIROGLU, simulated
from jaxscale.infer.bootstrap import bootstrap
from jaxscale.infer.fit import fit
from jaxscale.laws.loss.chinchilla import Chinchilla
data = simulated(60)
objective = recipe.HuberSum(data)
point = BESIROGLU + 0.01
step = 1e-6
numeric = [(objective.value(point + step * e) - objective.value(point - step * e)) / (2 * step) for e in np.eye(5)]
# A central difference is good to its curvature times the step squared, and to rounding over the step.
np.testing.assert_allclose(objective.gradient(point), numeric, rtol=1e-5)
fitted = fit(Chinchilla(), data.runs())
drawn = bootstrap(fitted, 6, key=3)
weight = accuracy.weights(fitted, 3, np.arange(6))
assert weight.shape == (6, 60) and np.all(weight.sum(axis=1) == 60)
found = accuracy.lanes(fitted, drawn, data, key=3, sample=3, starts=3)
assert found["lanes"] == 3 and abs(found["worst"]) < 1e-9, found
"""


@pytest.mark.slow  # a process of its own, with its compilations
def test_lanes_are_compared_on_their_own_resamples() -> None:
    """Lane and SciPy agree on the objective only if both see the same weights."""
    environment = {**os.environ, "JAX_ENABLE_X64": "1"}
    done = subprocess.run([sys.executable, "-c", _TINY], cwd=_ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_monte_carlo_error_of_a_standard_deviation() -> None:
    """For Gaussian draws the error is sd / sqrt(2 m): kurtosis 3."""
    pytest.importorskip("benchmarks.accuracy", reason="run pytest from the repository's root")
    from benchmarks.accuracy import spread

    m = 20_000
    sd, noise = spread(2.0 * np.random.default_rng(0).standard_normal(m))
    assert abs(sd - 2.0) < 4 * noise
    # The kurtosis of m Gaussian draws has a standard error of sqrt(24 / m); its square root enters the noise.
    assert abs(noise * np.sqrt(2 * m) / 2.0 - 1) < 4 * np.sqrt(24 / m) / 4 + 4 / np.sqrt(2 * m)


def test_plain_pytest_leaves_the_benchmarks_out() -> None:
    """`testpaths` is tests, and no benchmark file has a name that pytest collects by itself."""
    assert not list((_ROOT / "benchmarks").glob("test_*.py"))
    assert list((_ROOT / "benchmarks").glob("bench_*.py"))
