"""IntrinsicDimension and its estimators, against cubes of known dimension and nearest neighbours that learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial import cKDTree

from jaxscale.laws.data.konz2024 import IntrinsicDimension, intrinsic_dimension, label_sharpness

RNG = np.random.default_rng(0)


def cube(n: int, d: int, inside: int = 20) -> np.ndarray:
    """n points on a d-cube of side 1, turned into a space of `inside` dimensions."""
    turned, _ = np.linalg.qr(RNG.standard_normal((inside, d)))
    return RNG.random((n, d)) @ turned.T


@pytest.mark.parametrize("d", [1, 2, 3])
def test_nearest_neighbours_learn_a_lipschitz_function_at_the_laws_rate(d: int) -> None:
    """Copying the label of the nearest of n points, K times one coordinate: c from 300 points predicts 30,000.

    8,000 test points give a mean error to 1 %; near faces gaps are wider, by a share that falls with n, hence 10 %
    in the exponent. A constant exponent of -1/2 would miss d = 1 and 3 by factors of 10 and 2.
    """

    def error(n: int, K: float) -> float:
        known, new = RNG.random((n, d)), RNG.random((8000, d))
        nearest = cKDTree(known).query(new)[1]
        return float(np.mean(K * np.abs(known[nearest, 0] - new[:, 0])))

    few, many = (np.array([float(n), float(d), K]) for n, K in ((300, 1.0), (30_000, 3.0)))
    law = IntrinsicDimension()
    law = law.replace(c=error(300, 1.0) / float(law(*jnp.asarray(few, float))))
    predicted = float(law(*jnp.asarray(many, float)))
    assert np.log(error(30_000, 3.0) / predicted) == pytest.approx(0, abs=0.1 * np.log(100) / d)


@pytest.mark.parametrize("d", [2, 4])
def test_dimension_of_a_cube(d: int) -> None:
    """Faces lower the estimate; in eight dimensions, where 2,000 points are nearly all near one, by a sixth."""
    assert float(intrinsic_dimension(jnp.asarray(cube(2000, d), float))) == pytest.approx(d, rel=0.1)
    assert 6 < float(intrinsic_dimension(jnp.asarray(cube(2000, 8), float))) < 8


def test_dimension_against_its_definition() -> None:
    x = cube(200, 3)
    distance = cKDTree(x).query(x, k=6)[0][:, 1:]
    expected = 1 / np.mean(np.log(distance[:, -1:] / distance[:, :-1]))
    got = float(intrinsic_dimension(jnp.asarray(x, float), k=5))
    # float32 coordinates of order one know a gap of 1e-2 to 1e-5.
    assert got == pytest.approx(expected, rel=1e-3 if x.dtype != jnp.zeros(()).dtype else 1e-9)


def test_sharpness_of_a_linear_label_is_its_slope(eps: float) -> None:
    """On a line exactly; in the plane from below, and closely since some of 500 pairs lie along the gradient."""
    line = np.linspace(0, 1, 50)[:, None]
    assert float(label_sharpness(jnp.asarray(line, float), jnp.asarray(7 * line[:, 0], float))) == pytest.approx(
        7, rel=100 * 64 * eps
    )
    plane = RNG.random((500, 2))
    got = float(label_sharpness(jnp.asarray(plane, float), jnp.asarray(plane @ [3.0, 4.0], float)))
    assert 4.99 < got < 5 * (1 + 1e4 * eps)


def test_samples_for_is_the_inverse_and_grows_as_two_to_the_d(eps: float) -> None:
    law = IntrinsicDimension(c=0.7)
    loss, d, K = (jnp.asarray(x, float) for x in (0.05, 9.0, 2.0))
    n = law.samples_for(loss, d, K)
    # ln n is near 30 and carries d roundings of ln.
    assert float(law(n, d, K)) == pytest.approx(0.05, rel=64 * 30 * eps)
    assert float(law.samples_for(loss / 2, d, K) / n) == pytest.approx(2.0**9, rel=64 * 30 * eps)


def test_one_dimension_more_costs_more_at_every_size() -> None:
    losses = jax.vmap(lambda d: IntrinsicDimension()(jnp.asarray(1e5, float), d, jnp.asarray(1.0, float)))(
        jnp.arange(2, 40, dtype=float)
    )
    assert np.all(np.diff(np.asarray(losses)) > 0)
