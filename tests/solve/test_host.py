"""The queue from the host takes the steps of the compiled loop, one by one, and ends as it does."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.results import RESULTS
from jaxscale.solve.batch import Solutions, minimise_many
from jaxscale.solve.gauss_newton import GaussNewton, Lane, advance, begun, propose, settle
from jaxscale.solve.host import Looker, minimise_from_host
from jaxscale.solve.newton import Polished, look, polish, polish_from_host, sum_rounding
from jaxscale.solve.positive import solve_any, solve_positive

SETTINGS = GaussNewton()
COUNT = 45  # more than there are lanes, so that some wait


@pytest.fixture(scope="module")
def rows(curve: Any) -> tuple[np.ndarray, np.ndarray]:
    """Starts near and far, one of them lost, and weights of a Bayesian bootstrap."""
    rng = np.random.default_rng(0)
    z = np.array([0.0, 0.0, 0.5]) + 0.5 * rng.standard_normal((COUNT, 3))
    z[5], z[7] = np.nan, [3.0, 3.0, 3.0]
    dtype = curve.x.dtype
    return z.astype(dtype), rng.exponential(size=(COUNT, len(curve.x))).astype(dtype)


@pytest.fixture(scope="module")
def looker(curve: Any) -> Looker:
    return Looker(curve, len(curve.x), 3, curve.x.dtype)


def test_a_step_is_the_compiled_one(
    curve: Any, looker: Looker, rows: tuple[np.ndarray, np.ndarray], eps: float
) -> None:
    """From the same lane to the same lane, to rounding, whatever has become of it."""
    z, weight = (x[: looker.lanes] for x in rows)
    compiled = jax.jit(jax.vmap(lambda lane, w: advance(curve, lane, SETTINGS, w)))
    lane: Any = begun(np, z)
    for _ in range(8):
        theirs = jax.device_get(compiled(lane, weight))
        with np.errstate(all="ignore"):
            ahead: Any = propose(np, lane)
            new, count, resolution = looker(lane.z + ahead.step, ahead.mixing, weight, ~lane.done)
            ours = settle(np, lane, ahead, new, count, resolution, SETTINGS)
        np.testing.assert_array_equal(ours.code, theirs.code)
        np.testing.assert_array_equal(ours.done, theirs.done)
        # A step is known to the equations' condition, which their damping keeps below 1e3 here.
        for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
            assert a.dtype == b.dtype
            size = np.nanmax(np.where(np.isfinite(b), np.abs(b), 0))
            np.testing.assert_allclose(a, b, rtol=1e4 * eps, atol=1e4 * eps * size)
        lane = theirs


def test_it_ends_as_the_compiled_loop(curve: Any, looker: Looker, rows: tuple[np.ndarray, np.ndarray]) -> None:
    z, weight = rows
    ours = minimise_from_host(looker, z, weight, SETTINGS)

    @jax.jit
    def loop(z: jax.Array, weight: jax.Array) -> Solutions:
        return minimise_many(
            curve, lambda i: (z[jnp.minimum(i, COUNT - 1)], weight[jnp.minimum(i, COUNT - 1)]),
            jnp.int32(0), jnp.int32(COUNT), size=COUNT, lanes=8, settings=SETTINGS,
        )  # fmt: skip

    theirs = jax.device_get(loop(*map(jnp.asarray, rows)))
    np.testing.assert_array_equal(ours.code, theirs.code)
    assert RESULTS(ours.code[5]) is RESULTS.non_finite
    good = ours.code == RESULTS.converged
    assert good.sum() >= COUNT - 2
    np.testing.assert_allclose(ours.value[good], theirs.value[good], rtol=100 * SETTINGS.tolerance(z.dtype))
    # Where rounding decides whether a last step is worth it, there may be one more.
    assert np.mean(np.abs(ours.steps - theirs.steps) <= 1) >= 0.9


def test_a_row_is_the_same_whatever_waits_beside_it(looker: Looker, rows: tuple[np.ndarray, np.ndarray]) -> None:
    whole = minimise_from_host(looker, *rows, SETTINGS)
    part = minimise_from_host(looker, rows[0][30:], rows[1][30:], SETTINGS)
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(part), strict=True):
        np.testing.assert_array_equal(a[30:], b)


def test_newton_steps_are_the_compiled_ones(curve: Any, eps: float) -> None:
    rough = np.asarray([0.5, 1.0, 0.8], curve.x.dtype)
    theirs = jax.jit(polish)(curve, jnp.asarray(rough))
    compiled = jax.jit(look)

    def seen(z: np.ndarray) -> Polished:
        return jax.device_get(compiled(curve, jnp.asarray(z)))

    ours: Polished = polish_from_host(seen, lambda there: there, rough, np.asarray(sum_rounding(curve)))
    assert float(ours.value) == pytest.approx(float(theirs.value), rel=64 * eps / 0.02)
    np.testing.assert_allclose(ours.z, theirs.z, atol=2 * np.sqrt(64 * eps / 0.02))
    assert float(ours.decrement(np)) == pytest.approx(float(ours.decrement()), rel=1e3 * eps)


@pytest.mark.parametrize("solve", [solve_positive, solve_any])
def test_a_bad_matrix_harms_no_other(solve: Any, eps: float) -> None:
    dtype = jnp.zeros(()).dtype
    good = np.array([[2.0, 0.5], [0.5, 1.0]], dtype)
    a = np.stack([good, np.zeros((2, 2), dtype), good])
    b = np.ones((3, 2), dtype)
    found = solve(np, a, b)
    np.testing.assert_allclose(found[[0, 2]], np.linalg.inv(good)[None].sum(axis=-1).repeat(2, axis=0), rtol=16 * eps)
    assert np.isnan(found[1]).all()
    np.testing.assert_allclose(found[0], solve(jnp, jnp.asarray(good), jnp.asarray(b[0])), rtol=16 * eps)


def test_an_indefinite_matrix_has_no_factor() -> None:
    a = np.array([[1.0, 2.0], [2.0, 1.0]])
    assert np.isnan(solve_positive(np, a, np.ones(2))).all()


def test_a_lane_is_begun_alike() -> None:
    one = jax.tree.leaves(begun(jnp, jnp.zeros(3)))
    for a, b in zip(jax.tree.leaves(begun(np, np.zeros((2, 3), one[0].dtype))), one, strict=True):
        assert a.shape == (2, *b.shape)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a[0], b)
    assert isinstance(begun(np, np.zeros((2, 3))), Lane)
