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
from jaxscale.infer.resample.bootstrap import bootstrap
from jaxscale.infer.fit.fit import fit
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
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
_PLAIN = """
import numpy as np
from benchmarks.plain import Plain
from benchmarks.posterior import Compilations
from benchmarks.workload import simulated
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.objectives.likelihood import student_t
plain = Plain(Chinchilla(), simulated(60).runs(), student_t(5), warmup=200, draws=50, chains=2, dense_mass=True)
first, counted = plain.run(1), Compilations()
again, other = plain.run(1), plain.run(2)
assert counted.count == 0
assert first.z.shape == (2, 50, 6) and np.array_equal(first.z, again.z) and not np.array_equal(first.z, other.z)
"""


@pytest.mark.slow  # a process of its own, with its compilations
@pytest.mark.parametrize("devices", [1, 2])
def test_plain_nuts_compiles_once(devices: int) -> None:
    """What is timed as the baseline of posteriors is sampling: no program is compiled after the first run."""
    flags = f"--xla_force_host_platform_device_count={devices}"
    environment = {**os.environ, "JAX_ENABLE_X64": "1", "XLA_FLAGS": flags}
    done = subprocess.run([sys.executable, "-c", _PLAIN], cwd=_ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_effective_draws_per_second() -> None:
    """Independent draws count in full; the farther of two statistics is named."""
    pytest.importorskip("benchmarks.posterior", reason="run pytest from the repository's root")
    from benchmarks.clocks import Cost
    from benchmarks.plain import Chains
    from benchmarks.posterior import judged, worst

    z = np.random.default_rng(0).standard_normal((4, 1000, 2))
    stats = {"steps": np.full((4, 1000), 7), "diverging": np.zeros((4, 1000), bool)}
    found = judged([Chains(("a", "b"), z, stats)], Cost(wall=2.0, cpu=4.0))
    # Estimated from some 30 autocorrelations with errors of 1 / sqrt(4000) each.
    assert found["ess"] == pytest.approx(4000, rel=4 * np.sqrt(30 / 4000))
    assert found["ess_per_second"] == {"wall": found["ess"] / 2, "cpu": found["ess"] / 4}
    assert (found["leapfrogs"], found["divergences"]) == (7, [0])
    assert worst({("a", "mean"): 1.0, ("b", "sd"): -3.0}) == {"mcse": 3.0, "of": ["b", "sd"], "comparisons": 2}


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
