"""The queue: each row is what its own solve gives, whatever the lanes, the order or the neighbours."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.results import RESULTS
from jaxscale.solve.batch import Solutions, lanes_for, minimise, minimise_many
from jaxscale.solve.gauss_newton import GaussNewton

COUNT = 13


def draw(index: jax.Array, n: int) -> tuple[jax.Array, jax.Array]:
    key = jax.random.key(0)
    weight = jax.random.exponential(jax.random.fold_in(key, index), (n,))
    bad = index == 5  # one lane that fails among its neighbours
    z = jnp.where(bad, jnp.nan, jnp.asarray([0.0, 0.0, 0.5]))
    return z, weight


@eqx.filter_jit
def _queue(curve: Any, first: jax.Array, stop: jax.Array, size: int, lanes: int) -> Solutions:
    return minimise_many(
        curve,
        lambda i: draw(i, curve.x.shape[0]),
        first,
        stop,
        size=size,
        lanes=lanes,
        settings=GaussNewton(),
    )


def queue(curve: Any, first: int, stop: int, size: int, lanes: int) -> Solutions:
    return _queue(curve, jnp.asarray(first), jnp.asarray(stop), size, lanes)


@pytest.fixture(scope="module")
def whole(curve: Any) -> Solutions:
    return queue(curve, 0, COUNT, COUNT, 4)


def close(a: Solutions, b: Solutions) -> None:
    """Equal codes and, to the stopping rule, equal values: lanes of another width may round differently."""
    np.testing.assert_array_equal(a.code, b.code)
    rtol = 100 * GaussNewton().tolerance(a.z.dtype)
    np.testing.assert_allclose(a.value, b.value, rtol=rtol)


def test_rows_are_single_solves(curve: Any, whole: Solutions) -> None:
    single = eqx.filter_jit(lambda i: minimise(curve, *_reordered(draw(i, curve.x.shape[0]))))
    for i in range(COUNT):
        lane = single(jnp.asarray(i))
        assert int(lane.code) == int(whole.code[i])
        if i != 5:
            rtol = 100 * GaussNewton().tolerance(lane.z.dtype)
            assert float(lane.at.value) == pytest.approx(float(whole.value[i]), rel=rtol)


def _reordered(drawn: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, GaussNewton, jax.Array]:
    return drawn[0], GaussNewton(), drawn[1]


@pytest.mark.parametrize("lanes", [16])
def test_the_number_of_lanes_does_not_matter(curve: Any, whole: Solutions, lanes: int) -> None:
    close(queue(curve, 0, COUNT, COUNT, lanes), whole)


def test_chunks_join(curve: Any, whole: Solutions) -> None:
    parts = [queue(curve, 0, 7, 7, 4), queue(curve, 7, COUNT, 7, 4)]
    joined = jax.tree.map(lambda a, b: jnp.concatenate([a, b])[:COUNT], *parts)
    close(joined, whole)


def test_one_bad_lane_harms_no_other(whole: Solutions) -> None:
    codes = np.asarray(whole.code)
    assert RESULTS(codes[5]) is RESULTS.non_finite
    assert np.all(np.delete(codes, 5) == RESULTS.converged)
    assert np.all(np.isfinite(np.delete(np.asarray(whole.z), 5, axis=0)))


def test_rows_past_stop_stay_empty(curve: Any) -> None:
    found = queue(curve, 0, 3, 7, 4)
    assert np.all(np.asarray(found.code[:3]) == RESULTS.converged)
    assert np.all(np.asarray(found.code[3:]) == RESULTS.max_steps)
    assert np.all(np.isnan(np.asarray(found.value[3:])))
    np.testing.assert_array_equal(found.z[3:], 0)


def test_lanes_fit_the_memory() -> None:
    # Eight on a CPU; elsewhere as many as there are rows, in 2^26 bytes.
    assert lanes_for(240, 5, 4000) == (8 if jax.default_backend() == "cpu" else 2**26 // (4 * 240 * 5 * 8))
    assert lanes_for(240, 5, 3) == 3
    assert lanes_for(10**6, 50, 4000) == 1
    n, p = 20_000, 20
    assert 1 <= lanes_for(n, p, 100) * 4 * n * p * 8 <= 2**26
