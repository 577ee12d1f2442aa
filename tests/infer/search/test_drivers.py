"""Both drivers of the solver, the host and the compiled loop, end alike: laws, penalties and likelihoods of a fit."""

from typing import Any

import jax
import numpy as np
import pytest

from jaxscale import Runs, catalogue
from jaxscale.core.evaluate import predict
from jaxscale.core.results import RESULTS
from jaxscale.infer.fit.estimate import model_of
from jaxscale.infer.search.problem import FitProblem, Resample
from jaxscale.infer.search.rows import curvature, driven_from_host, solve_rows
from jaxscale.objectives.likelihood import student_t
from jaxscale.objectives.penalty import least_squares, log_huber
from jaxscale.solve.chart import chart_at
from jaxscale.solve.gauss_newton import GaussNewton
from jaxscale.solve.problem import split

SETTINGS = GaussNewton()
ROWS, RUNS = 24, 48
FEW, MANY = 1, 2**40  # rows of a work


def problem_of(law: Any, objective: Any, prior: bool) -> FitProblem:
    """Fresh runs of the law at its own values, with heavy-tailed noise."""
    rng = np.random.default_rng(11)
    N, D = (np.geomspace(*ends, RUNS)[rng.permutation(RUNS)] for ends in ((5e7, 1e10), (1e9, 3e11)))
    runs = Runs.of({"N": N, "D": D}, np.ones(RUNS))
    loss = np.asarray(predict(law, runs)) * np.exp(0.01 * rng.standard_t(3, RUNS))
    runs = Runs.of({"N": N, "D": D}, loss)
    return FitProblem.of(split(model_of(law, objective, (), prior), ()), runs.padded(), prior)


LAWS = catalogue()
CASES = [
    ("Chinchilla", log_huber(), False),
    ("KaplanND", least_squares(), False),
    ("Nested", student_t(), True),
]


@pytest.mark.parametrize(("name", "objective", "prior"), CASES, ids=[case[0] for case in CASES])
def test_same_codes_and_values(name: str, objective: Any, prior: bool) -> None:
    problem = problem_of(LAWS[name](), objective, prior)
    dtype, rng = problem.runs.target.dtype, np.random.default_rng(5)
    z = np.asarray(problem.split.vector(), np.float64)
    chart = chart_at(problem.split.vector(), curvature(problem, z, 0.1))
    y = (2 * rng.standard_normal((ROWS, len(z)))).astype(dtype)
    weight: Any = (rng.exponential(size=(ROWS, RUNS)) * np.asarray(problem.runs.weight)).astype(dtype)
    ours, theirs = (
        jax.device_get(solve_rows(problem, chart, y, Resample(weight=weight), ROWS, SETTINGS, work))
        for work in (FEW, MANY)
    )
    np.testing.assert_array_equal(ours.code == RESULTS.converged, theirs.code == RESULTS.converged)
    good = ours.code == RESULTS.converged
    assert good.mean() >= 0.5
    # The stopping rule leaves a share of the value, and what the sum of the rows' outputs resolves.
    floor = RUNS * float(problem.resolution()) ** 2
    allowed = 100 * (SETTINGS.tolerance(dtype) * np.abs(theirs.value) + floor)
    assert np.all(np.abs(ours.value - theirs.value)[good] <= allowed[good])
    assert np.mean(np.abs(ours.steps - theirs.steps)[good] <= 1) >= (0.9 if np.finfo(dtype).eps < 1e-10 else 0.5)


def test_the_host_drives_few_rows_of_gauss_newton_on_a_cpu() -> None:
    problem = problem_of(LAWS["Chinchilla"](), log_huber(), False)
    on_cpu = jax.default_backend() == "cpu"
    assert driven_from_host(problem, 33, SETTINGS) == on_cpu
    assert not driven_from_host(problem, 100_000, SETTINGS)
    from jaxscale.solve.first_order import LBFGS

    assert not driven_from_host(problem, 33, LBFGS())
