"""Gauss-Newton against scipy.optimize.least_squares, and how it ends where there is no answer."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import least_squares

from jaxscale.core.results import RESULTS
from jaxscale.solve.batch import minimise
from jaxscale.solve.gauss_newton import GaussNewton
from jaxscale.solve.newton import polish
from jaxscale.solve.problem import evaluate

START = (0.0, 0.0, 0.5)
SOLVE = eqx.filter_jit(minimise)


def start(*z: float) -> jax.Array:
    return jnp.asarray(z or START, dtype=float)


def test_same_optimum_as_scipy(curve: Any, eps: float) -> None:
    x, y, width = (np.asarray(v, np.float64) for v in (curve.x, curve.y, curve.width))

    def residual(z: np.ndarray) -> np.ndarray:
        return (np.exp(z[0]) + np.exp(z[1] - z[2] * x) - y) / width

    theirs = least_squares(residual, START, loss="huber", ftol=1e-15, xtol=1e-15, gtol=1e-12)
    ours = SOLVE(curve, start(), GaussNewton())
    assert RESULTS(int(ours.code)) is RESULTS.converged
    # The stopping rule leaves rtol of the value; the sum of 50 rows is known to the resolution of each.
    rtol = GaussNewton().tolerance(ours.z.dtype)
    assert float(ours.at.value) == pytest.approx(theirs.cost, rel=10 * rtol + 64 * eps / 0.02)
    gain = np.sqrt(10 * rtol + 64 * eps / 0.02)  # a point is known to the root of what its value is
    np.testing.assert_allclose(ours.z, theirs.x, atol=2 * gain)


def test_other_starts_end_at_the_same_point(curve: Any) -> None:
    best = float(SOLVE(curve, start(), GaussNewton()).at.value)
    for z in ((1.0, 1.0, 1.0), (0.2, 0.5, 1.2)):
        lane = SOLVE(curve, start(*z), GaussNewton())
        assert RESULTS(int(lane.code)) is RESULTS.converged
        assert float(lane.at.value) == pytest.approx(best, rel=1e-5)


def test_the_gradient_is_exact(curve: Any, eps: float) -> None:
    z = start()
    at = evaluate(curve, z, jnp.asarray(0.3, z.dtype))
    expected = jax.grad(lambda z: curve.value(z))(z)
    np.testing.assert_allclose(at.gradient, expected, rtol=256 * eps)
    assert float(at.value) == pytest.approx(float(curve.value(z)), rel=64 * eps)


@pytest.mark.parametrize("z", [(jnp.nan, 0.0, 0.0), (800.0, 0.0, 0.0)], ids=["nan", "overflow"])
def test_a_start_that_is_not_finite_is_said(curve: Any, z: tuple[float, ...]) -> None:
    lane = SOLVE(curve, start(*z), GaussNewton())
    assert RESULTS(int(lane.code)) is RESULTS.non_finite


def test_too_few_steps_are_said(curve: Any) -> None:
    lane = SOLVE(curve, start(3.0, 3.0, 3.0), GaussNewton(max_steps=2))
    assert RESULTS(int(lane.code)) is RESULTS.max_steps
    assert int(lane.steps) == 2


def test_no_weight_is_not_success_by_chance(curve: Any) -> None:
    """Without runs every point is an optimum: the lane must stay where it is, at value zero."""
    lane = SOLVE(curve, start(), GaussNewton(), jnp.zeros_like(curve.x))
    np.testing.assert_array_equal(lane.z, start())
    assert RESULTS(int(lane.code)) is not RESULTS.max_steps


def test_newton_polishes_to_rounding(curve: Any, eps: float) -> None:
    rough = SOLVE(curve, start(), GaussNewton(rtol=1e-3)).z
    fine = eqx.filter_jit(polish)(curve, rough)
    hessian = jax.hessian(lambda z: curve.value(z))(fine.z)
    np.testing.assert_allclose(fine.hessian, hessian, rtol=1e3 * eps, atol=1e3 * eps * float(jnp.max(hessian)))
    # What is left to gain is rounding: an output is known to `resolution`, and slopes of up to 1 times it add up.
    assert float(fine.decrement()) <= (50 * float(curve.resolution())) ** 2
    assert float(fine.value) <= float(curve.value(rough))
