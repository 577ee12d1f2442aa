"""Draws depend on the key and their index alone; nothing is dropped, nothing recompiled."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale import Bayesian, Fit, Pairs, Pooled, Runs, bootstrap, fit, from_published, log_lad, student_t
from jaxscale.core.ensemble import ensemble_doubts
from jaxscale.core.evaluate import predict
from jaxscale.core.results import RESULTS
from jaxscale.infer.resample.schemes import default_scheme
from jaxscale.laws.loss.hoffmann2022 import Chinchilla

# The subprocess of the two-device test runs this text too: one definition of the study.
SIMULATION = """
import equinox as eqx, numpy as np
from jaxscale import Runs, from_published
from jaxscale.core.evaluate import predict
from jaxscale.laws.loss.hoffmann2022 import Chinchilla

def simulated():
    N, ratio = (x.reshape(-1) for x in np.meshgrid(np.geomspace(5e7, 5e9, 8), np.geomspace(3.0, 300.0, 6)))
    runs = Runs.of({"N": N, "D": ratio * N}, np.ones(48), group=np.arange(48) % 2)
    noise = np.exp(0.003 * np.random.default_rng(1).standard_normal(48))
    law = from_published(Chinchilla, "besiroglu2024")
    return eqx.tree_at(lambda r: r.target, runs, predict(law, runs) * noise.astype(runs.target.dtype))
"""


namespace: dict[str, Any] = {}
exec(SIMULATION, namespace)
simulated: Callable[[], Runs] = namespace["simulated"]


@pytest.fixture(scope="module")
def fitted() -> Fit:
    return fit(Chinchilla(), simulated())


def assert_same(a: Any, b: Any, fit: Fit) -> None:
    """To the bit on a CPU. On a GPU sums depend on the number of lanes, and the solver's tolerance t shows.

    Half the square of an error in standard deviations is the decrease still to be had, at most t times the value.
    """
    error = 0.0
    if jax.default_backend() != "cpu":
        tolerance = fit.settings.tolerance(fit.problem.runs.target.dtype)
        value = float(fit.problem.value(fit.problem.split.vector()))
        error = 2 * float(np.std(a)) * (2 * tolerance * 2 * value) ** 0.5  # both err; a draw's value may be twice
    np.testing.assert_allclose(a, b, rtol=0, atol=error)


def test_chunks_do_not_matter(fitted: Fit) -> None:
    whole, pieces = bootstrap(fitted, 96), bootstrap(fitted, 96, chunk=40)
    for name, draws in whole.params().items():
        assert_same(draws, pieces.params()[name], fitted)
    assert whole.failed == 0


def test_a_longer_run_starts_with_the_same_draws(fitted: Fit) -> None:
    first, longer = bootstrap(fitted, 96).law.alpha, bootstrap(fitted, 120, chunk=96).law.alpha
    assert_same(first, longer[:96], fitted)


def test_keys_matter(fitted: Fit) -> None:
    assert not np.array_equal(bootstrap(fitted, 96).law.alpha, bootstrap(fitted, 96, key=1).law.alpha)


def test_each_draw_is_the_fit_of_its_resample(fitted: Fit, eps: float) -> None:
    """Three draws against a complete cold fit on the same weights."""
    from jaxscale.infer.search.units import units

    draws = bootstrap(fitted, 96)
    for index in (0, 31, 95):
        key = jax.random.fold_in(jax.random.key(0), index)
        weight = Pairs()(key, fitted.problem.runs, None, units(fitted.problem.runs), None).weight[:48]
        again = fit(Chinchilla(), eqx.tree_at(lambda r: r.weight, fitted.runs, weight))
        best = float(again.problem.value(again.problem.split.vector()))
        # The queue stops at the solver's tolerance, float32 sums resolve no more than their rounding.
        assert float(draws.value[index]) <= best * (1 + (1e-9 if eps < 1e-10 else 1e-4))


def test_one_program_for_every_key(fitted: Fit, compiles_counted: Callable[[], Any]) -> None:
    bootstrap(fitted, 96)
    with compiles_counted() as compiles:
        bootstrap(fitted, 96, key=3)
    assert compiles == []


@pytest.mark.x64
def test_two_devices_give_the_same_bits(fitted: Fit) -> None:
    code = SIMULATION + (
        "import jax; jax.config.update('jax_enable_x64', True)\n"
        "from jaxscale import fit, bootstrap\n"
        "assert jax.device_count() == 2\n"
        # Laws without nonlinear parameters have starts of no width.
        "from jaxscale.execute.devices import over_devices\n"
        "rows = jax.numpy.arange(6.0), jax.numpy.zeros((6, 0))\n"
        "twice = over_devices(lambda _, rows, stop: (2 * rows[0], rows[1]), None, rows, jax.numpy.asarray(6))\n"
        "assert twice[0].tolist() == [0, 2, 4, 6, 8, 10] and twice[1].shape == (6, 0)\n"
        "draws = bootstrap(fit(Chinchilla(), simulated()), 96)\n"
        "print(np.asarray(draws.law.alpha).tobytes().hex())"
    )
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=2"
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert bytes.fromhex(done.stdout.strip()) == np.asarray(bootstrap(fitted, 96).law.alpha).tobytes()


def test_every_group_stays_in_every_draw() -> None:
    runs = simulated()
    joint = fit(Pooled(Chinchilla(), split=("E",), groups=("a", "b")), runs)
    draws = bootstrap(joint, 64, scheme=Bayesian())
    assert draws.failed == 0
    assert draws.params()["E"].shape == (64, 2)
    assert np.all(np.isfinite(draws.params()["E"]))


@pytest.mark.x64
def test_least_absolute_deviations_are_resampled_through_their_stages() -> None:
    draws = bootstrap(fit(Chinchilla(), simulated(), log_lad()), 32)
    assert draws.failed == 0
    # At a least-absolute-deviations vertex as many residuals vanish as there are parameters.
    assert float(jnp.std(draws.law.alpha)) > 0


def test_progress_reaches_the_end(fitted: Fit) -> None:
    seen: list[tuple[int, int]] = []
    bootstrap(fitted, 96, chunk=40, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(40, 96), (80, 96), (96, 96)]


def of_few(n: int, seed: int, clusters: int | None = None) -> Runs:
    """n runs scattered over size and data, or as many rows of a few clusters."""
    rng = np.random.default_rng(seed)
    N, ratio = 5e7 * 100 ** rng.permutation(np.linspace(0, 1, n)), 4 * 30 ** rng.permutation(np.linspace(0, 1, n))
    cluster = np.arange(n) if clusters is None else np.arange(n) % clusters
    runs = Runs.of({"N": N, "D": N * ratio}, np.ones(n), cluster=cluster)
    clean = np.asarray(predict(from_published(Chinchilla, "besiroglu2024"), runs), np.float64)
    return eqx.tree_at(
        lambda r: r.target, runs, jnp.asarray(clean * np.exp(0.004 * rng.standard_normal(n)), runs.target.dtype)
    )


@pytest.fixture(scope="module")
def of_eight() -> Fit:
    return fit(Chinchilla(), of_few(8, 3))


@pytest.fixture(scope="module")
def of_six() -> Fit:
    return fit(Chinchilla(), of_few(6, 3), starts=0)


def test_the_scheme_follows_from_units_and_parameters(fitted: Fit, of_eight: Fit, of_six: Fit) -> None:
    for one in (fitted, of_eight):
        assert bootstrap(one, 8).method == "bootstrap:pairs"
    draws = bootstrap(of_six, 8)
    assert draws.method == "bootstrap:wild"
    assert not draws.remarks
    assert default_scheme(fit(Chinchilla(), of_few(8, 3), student_t(), starts=0).problem).name == "wild"
    for clusters, name in ((8, "wild"), (15, "wild"), (16, "pairs")):
        of_clusters = fit(Chinchilla(), of_few(32, 1, clusters=clusters), starts=0)
        assert default_scheme(of_clusters.problem).name == name
    few_with_priors = fit(Chinchilla(), of_few(5, 1), student_t(), prior=True, starts=0)
    assert default_scheme(few_with_priors.problem).name == "bayesian"


@pytest.mark.parametrize("seed", [0, 5])
def test_a_resample_of_too_few_units_does_not_count(of_eight: Fit, seed: int) -> None:
    from jaxscale.infer.search.units import units

    draws, problem = bootstrap(of_eight, 64, key=seed, scheme=Pairs()), of_eight.problem
    code = np.asarray(draws.code)
    for i in range(64):
        weight = Pairs()(
            jax.random.fold_in(jax.random.key(seed), i), problem.runs, None, units(problem.runs), None
        ).weight
        assert (code[i] == RESULTS.too_few) == (np.sum(np.asarray(weight) > 0) < 5)
    assert draws.ok().size == np.sum(code == RESULTS.converged)
    doubts = " ".join(ensemble_doubts(draws))
    assert (
        f"{np.sum(code == RESULTS.too_few)} of 64 bootstrap refits hold fewer distinct runs than parameters" in doubts
    )


def test_independent_units_are_remarked_on(fitted: Fit, of_six: Fit, of_eight: Fit) -> None:
    assert not any("independent runs" in r for r in fitted.remarks)
    assert any(r.startswith("8 independent runs are few for 5 parameters") for r in of_eight.remarks)
    assert not any("small and large runs" in r for r in of_eight.remarks)
    assert of_six.remarks[-1].startswith("With one run more than parameters nothing shows whether noise differs")
    clustered = fit(Chinchilla(), of_few(24, 1, clusters=4), starts=0)
    first, second = clustered.remarks[-2:]
    assert first.startswith("24 rows of 4 independent runs carry the intervals")
    assert second.startswith("4 independent runs are fewer than 5 parameters")


@pytest.mark.slow
@pytest.mark.x64
@pytest.mark.parametrize(
    "case",
    [
        ("Chinchilla", "scattered", "even", 1),
        ("PowerLawWithFloor", "ladder", "even", 1),
        ("Chinchilla", "scattered again", "grows 9 times", 1),
        ("Chinchilla", "scattered again", "grows 3 times, grows along the run", 4),
    ],
)
def test_few_runs_are_covered(case: tuple[str, str, str, int]) -> None:
    """90 % intervals of wild refits at 8 runs: 85 % and more, within three errors of 100 simulations."""
    from benchmarks.small_samples import cells
    from jaxscale import Wild

    (cell,) = cells(case, 8, seed=77, schemes={"wild": Wild()})
    for share in (cell.parameters, cell.largest, cell.tenfold):
        assert share > 0.85 - 3 * (0.85 * 0.15 / 100) ** 0.5


@pytest.mark.slow
@pytest.mark.x64
def test_twenty_runs_of_checkpoints_are_covered_closely() -> None:
    """No more than 95 %, within three errors: intervals that hold everything say nothing."""
    from benchmarks.small_samples import cells
    from jaxscale import Wild

    (cell,) = cells(("Chinchilla", "scattered", "grows 3 times", 4), 20, seed=78, schemes={"wild": Wild()})
    for share in (cell.parameters, cell.largest, cell.tenfold):
        assert abs(share - 0.9) < 0.05 + 3 * (0.9 * 0.1 / 100) ** 0.5
