"""L-BFGS, Adam and any of optax reach Gauss-Newton's optimum, survive what is not finite, and serve a fit."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxscale.core.results import RESULTS
from jaxscale.core.runs import Runs
from jaxscale.infer.fit.fit import fit
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.solve.batch import minimise
from jaxscale.solve.chart import Charted, chart_at
from jaxscale.solve.first_order import LBFGS, Adam, Optax
from jaxscale.solve.gauss_newton import GaussNewton
from jaxscale.solve.problem import evaluate

SOLVE = eqx.filter_jit(minimise)
# From a rate of nothing, as warm-ups begin; and one with a state of its own kind each.
WARM = optax.warmup_cosine_decay_schedule(0.0, 0.3, 50, 2000)
OPTAX = {
    "chain": optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(WARM, weight_decay=0.0)),
    "inject": optax.inject_hyperparams(optax.adam)(learning_rate=0.1),
    "momentum": optax.sgd(0.03, momentum=0.9),
    "gathered": optax.MultiSteps(optax.adam(0.1), 3),
    "key": optax.chain(optax.add_noise(0.0, 0.0, 1), optax.adam(optax.exponential_decay(0.3, 200, 0.7))),
    "lbfgs": optax.lbfgs(),
}


@pytest.fixture(scope="module")
def charted(curve: Any) -> tuple[Charted, Any]:
    z = jnp.asarray([0.3, 0.7, 0.6])
    problem = Charted(curve, chart_at(z, evaluate(curve, z, jnp.ones(())).curvature))
    return problem, eqx.filter_jit(minimise)(problem, jnp.zeros(3), GaussNewton())


@pytest.mark.parametrize(
    "solver",
    [LBFGS(), Adam(max_steps=3000), *(Optax(x) for x in OPTAX.values())],
    ids=["ours-lbfgs", "ours-adam", *OPTAX],
)
def test_same_optimum(charted: tuple[Charted, Any], solver: Any, eps: float) -> None:
    problem, best = charted
    found = SOLVE(problem, jnp.zeros(3), solver)
    # Both stop at `rtol` of the value in a chart of curvature within a factor of ten or so; the resolution adds.
    rtol = solver.tolerance(found.z.dtype)
    slack = 20 * rtol + 64 * eps / 0.02
    assert float(found.value) == pytest.approx(float(best.at.value), rel=slack)
    if jnp.finfo(found.z.dtype).eps < 1e-10:
        assert RESULTS(int(found.code)) is RESULTS.converged
    assert float(found.value) == pytest.approx(float(problem.value(found.z)), rel=64 * eps)


def test_a_start_that_is_not_finite_is_said(charted: tuple[Charted, Any]) -> None:
    found = SOLVE(charted[0], jnp.full(3, jnp.nan), LBFGS(max_steps=2))
    assert RESULTS(int(found.code)) is RESULTS.non_finite


def test_too_few_steps_are_said(charted: tuple[Charted, Any]) -> None:
    found = SOLVE(charted[0], jnp.full(3, 2.0), LBFGS(max_steps=2))
    assert RESULTS(int(found.code)) is RESULTS.max_steps
    assert int(found.steps) == 2


@pytest.mark.x64
@pytest.mark.slow
def test_a_fit_by_lbfgs_is_the_same_fit() -> None:
    rng = np.random.default_rng(0)
    N, D = 10 ** rng.uniform(8, 10, 80), 10 ** rng.uniform(9.5, 11.5, 80)
    law = Chinchilla()
    loss = float(law.E) + float(law.A) * N ** -float(law.alpha) + float(law.B) * D ** -float(law.beta)
    runs = Runs.of({"N": N, "D": D}, loss * np.exp(0.003 * rng.standard_normal(80)))
    newton = fit(Chinchilla(), runs, starts=4)
    other = fit(Chinchilla(), runs, starts=4, solver=LBFGS())
    assert other.certificate.certified
    # Both end in the same exact Newton steps: to rounding of the sum of 80 penalties.
    assert other.value == pytest.approx(newton.value, rel=1e-12)
    for name, value in newton.params.items():
        assert float(other.params[name]) == pytest.approx(float(value), rel=1e-7)
