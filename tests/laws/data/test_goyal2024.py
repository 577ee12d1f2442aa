"""DataFiltering: the paper's recursion over passes in NumPy, continuity in samples and pools, the planner's order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.laws.data.goyal2024 import PASSES, DataFiltering
from jaxscale.testing.rounding import rounding

RNG = np.random.default_rng(0)
PUBLISHED = DataFiltering.published["tmars_imagenet"].values
POOL = 12.8e6


def recursion(S, P, m, *, a, b, tau, d):
    """The error pass by pass, float64, m whole pools."""
    whole = m * P
    seen, j = min(S, whole), 1
    error = (a * seen / 1e5) ** np.mean(b[:m])
    while seen < S:
        upto = min(S, whole * (j + 1))
        error *= (upto / seen) ** np.mean([b[i] * 0.5 ** (j / (tau[i] * m)) for i in range(m)])
        seen, j = upto, j + 1
    return d + error


def errors(law: DataFiltering, S, P, m) -> np.ndarray:
    S, P, m = (jnp.asarray(x, float) for x in np.broadcast_arrays(S, P, np.atleast_1d(m)))
    return np.asarray(jax.vmap(law)(S, P, m), np.float64)


def test_equals_the_recursion() -> None:
    """Under vmap, from within the first pass to the sixtieth, for one to four pools and parameters over the prior."""
    n = 200
    S, P = (np.exp(RNG.uniform(np.log(low), np.log(high), n)) for low, high in ((1e6, 6e8), (1e7, 1e8)))
    m = RNG.integers(1, 5, n)
    params = {
        "a": RNG.uniform(0.02, 0.2, n),
        "b": -RNG.uniform(0.005, 0.5, (n, 4)),
        "tau": RNG.uniform(1, 10, (n, 4)),
        "d": RNG.uniform(0.02, 0.15, n),
    }
    laws = jax.vmap(lambda x: DataFiltering(**x))({name: jnp.asarray(x, float) for name, x in params.items()})
    given = {"n": jnp.asarray(S, float), "P": jnp.asarray(P, float), "m": jnp.asarray(m, float)}
    got = jax.vmap(lambda law, x: law(**x))(laws, given)
    expected = [recursion(S[i], P[i], m[i], **{name: x[i] for name, x in params.items()}) for i in range(n)]
    assert np.all(np.abs(np.asarray(got, np.float64) - expected) <= rounding(laws, given))


def test_later_passes_have_the_utility_of_the_last_one_told_apart(eps: float) -> None:
    law = DataFiltering(b=(-0.1,), tau=(8.0,))
    ends = errors(law, POOL * np.array([PASSES - 1.0, PASSES, 2 * PASSES]), POOL, 1.0) - 0.1
    slopes = np.diff(np.log(ends)) / np.diff(np.log([PASSES - 1, PASSES, 2 * PASSES]))
    last = -0.1 * 0.5 ** ((PASSES - 1) / 8)
    # The error of .7 is exact to a few roundings, its changes over a pass are 1e-6.
    assert slopes == pytest.approx([last, last], abs=64 * eps / np.log(PASSES / (PASSES - 1)))


@pytest.mark.parametrize("m", [1.0, 2.0])
def test_slope_in_samples_is_the_utility_of_the_pass(m: float, eps: float) -> None:
    """The derivative within pass j is b_j, by hand; at the end of a pass it lies between both."""
    law = DataFiltering()

    def log_excess(log_S: jax.Array) -> jax.Array:
        return jnp.log(law(jnp.exp(log_S), jnp.asarray(POOL, float), jnp.asarray(m, float)) - law.d)

    b, tau = np.array(PUBLISHED["b"])[: int(m)], np.array(PUBLISHED["tau"])[: int(m)]
    for j in (1, 2, 5):
        middle = jnp.asarray(np.log(POOL * m * (j - 0.5)), float)
        assert float(jax.grad(log_excess)(middle)) == pytest.approx(
            np.mean(b * 0.5 ** ((j - 1) / (m * tau))), rel=200 * eps
        )
        end = np.log(POOL * m * j)
        h = 1e-4
        left, there, right = (float(jax.grad(log_excess)(jnp.asarray(end + x, float))) for x in (-h, 0, h))
        assert left < right < 0
        assert min(left, right) - 200 * eps <= there <= max(left, right) + 200 * eps


def test_a_part_of_a_pool_lies_between_whole_ones() -> None:
    """Continuous and monotone in m between neighbours where one is better throughout; there are four pools in all."""
    law = DataFiltering()
    m = np.linspace(1, 2, 41)
    between = errors(law, 32e6, POOL, m)
    assert np.all(np.diff(between) > 0)
    assert np.max(np.diff(between)) < 3 * (between[-1] - between[0]) / 40
    assert errors(law, 32e6, POOL, 9.0) == errors(law, 32e6, POOL, 4.0)


def test_the_more_samples_the_more_pools() -> None:
    """The planner: fresh utility decides at few samples, half-lives at many. With m free, by fine search."""
    law = DataFiltering()
    m = np.linspace(1, 4, 301)
    best = [m[errors(law, S, POOL, m).argmin()] for S in (32e6, 64e6, 128e6, 640e6, 3e9)]
    assert best == sorted(best)
    assert best[0] == 1.0
    assert best[-1] > 2


def test_derivative_by_the_number_of_pools() -> None:
    """Against a central difference: a planner may descend in m."""
    law = DataFiltering()
    S, P, m, h = 3e8, POOL, 1.5, 1e-3
    got = float(jax.grad(lambda m: law(jnp.asarray(S, float), jnp.asarray(P, float), m))(jnp.asarray(m, float)))
    up, down = errors(law, S, P, np.array([m + h, m - h]))
    # Differences round to eps of the error over 2h; the third derivative is of order one.
    assert got == pytest.approx((up - down) / (2 * h), abs=h + 8 * float(jnp.finfo(float).eps) / h)
