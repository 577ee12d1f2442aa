"""Bootstrap schemes: what each keeps and what each changes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.errors import BadInput
from jaxscale.core.runs import Runs
from jaxscale.infer.resample.schemes import Bayesian, Pairs, Parametric, Wild, distinct, scheme_from_name
from jaxscale.infer.resample.unit_noise import UnitNoise
from jaxscale.infer.search.units import units
from jaxscale.objectives import ConstantNoise, gaussian

N = 24
GROUP = np.repeat([0, 1, 2], [4, 8, 12])
CLUSTER = np.arange(N) // 2
WEIGHT = np.where(np.arange(N) == 5, 0.0, 1.0)
KEYS = jax.random.split(jax.random.key(0), 400)


@pytest.fixture(scope="module")
def clustered() -> Runs:
    return Runs.of({"N": np.logspace(8, 9, N)}, np.linspace(2, 4, N), group=GROUP, cluster=CLUSTER)


@pytest.fixture(scope="module")
def padded() -> Runs:
    return Runs.of({"N": np.logspace(8, 9, N)}, np.linspace(2, 4, N), group=GROUP, weight=WEIGHT).padded()


def weights(scheme: Pairs | Bayesian, runs: Runs) -> np.ndarray:
    drawn = units(runs)
    return np.asarray(jax.jit(jax.vmap(lambda key: scheme(key, runs, None, drawn, None).weight))(KEYS), np.float64)


def test_units_are_clusters_in_groups(clustered: Runs, padded: Runs) -> None:
    drawn = units(clustered)
    np.testing.assert_array_equal(drawn.of_row, CLUSTER)
    np.testing.assert_array_equal(drawn.size[: drawn.count], np.repeat([2, 4, 6], [2, 4, 6]))
    np.testing.assert_array_equal(drawn.first[: drawn.count], np.repeat([0, 2, 6], [2, 4, 6]))
    assert units(padded).count == N - 1  # one row has weight zero, and so has the padding


@pytest.mark.parametrize("scheme", [Pairs(), Bayesian()], ids=lambda scheme: scheme.name)
def test_a_part_of_runs_is_resampled_as_if_it_were_all(scheme: Pairs | Bayesian) -> None:
    inputs, group = np.logspace(8, 9, N), np.arange(N) // 6
    kept = np.arange(N) < 15
    masked = Runs.of({"N": inputs}, np.ones(N), group=group, weight=kept)
    alone = Runs.of({"N": inputs[kept]}, np.ones(15), group=group[kept])
    np.testing.assert_array_equal(weights(scheme, masked)[:, kept], weights(scheme, alone))
    assert units(masked).first.shape == (N,)  # of whatever part: one program


def test_a_cluster_number_used_in_two_groups_is_two_clusters() -> None:
    runs = Runs.of({"N": np.ones(4)}, np.ones(4), group=[0, 0, 1, 1], cluster=[0, 0, 0, 0])
    np.testing.assert_array_equal(units(runs).of_row, [0, 0, 1, 1])


def test_pairs_count_and_keep_groups(padded: Runs) -> None:
    found = weights(Pairs(), padded)
    np.testing.assert_array_equal(found, np.round(found))
    for group, size in ((0, 4), (1, 7), (2, 12)):
        inside = np.asarray(padded.group) == group
        np.testing.assert_array_equal(found[:, inside & (np.asarray(padded.weight) > 0)].sum(axis=1), size)
    np.testing.assert_array_equal(found[:, np.asarray(padded.weight) == 0], 0)
    # Counts are binomial(m, 1/m): mean 1, variance 1 - 1/m; 400 draws of 12.
    big = found[:, :N][:, GROUP == 2]
    assert big.mean(axis=0) == pytest.approx(np.ones(12), abs=4 / np.sqrt(400))
    assert big.var() == pytest.approx(1 - 1 / 12, rel=4 * np.sqrt(2 / 4800))


def test_clusters_stay_together(clustered: Runs) -> None:
    for scheme in (Pairs(), Bayesian()):
        found = weights(scheme, clustered)
        np.testing.assert_array_equal(found[:, 0::2], found[:, 1::2])


def test_bayesian_weights_sum_within_groups(padded: Runs, eps: float) -> None:
    found = weights(Bayesian(), padded)
    used = np.asarray(padded.weight) > 0
    assert np.all(found[:, used] > 0)
    for group, size in ((0, 4), (1, 7), (2, 12)):
        inside = used & (np.asarray(padded.group) == group)
        np.testing.assert_allclose(found[:, inside].sum(axis=1), size, rtol=32 * eps)
    # A Dirichlet(1, ..., 1) share times m has variance (m - 1) / (m + 1).
    big = found[:, used & (np.asarray(padded.group) == 2)]
    assert big.var() == pytest.approx(11 / 13, rel=4 * np.sqrt(8 / 4800))


def test_wild_draws_are_of_own_residuals(clustered: Runs) -> None:
    """A unit's rows move together; the covariance is that of residuals, were it not for Student's widening."""
    own = np.random.default_rng(0).normal(0, 0.02, N)
    noise = UnitNoise(jnp.asarray(own), jnp.ones((256, N)))
    prediction = jnp.linspace(2.1, 3.9, N)
    drawn = units(clustered)
    again = jax.vmap(lambda key: Wild(noise)(key, clustered, prediction, drawn, gaussian()))(KEYS)
    assert again.weight is None  # unchanged, so not carried
    found = np.log(np.asarray(again.target, np.float64)) - np.log(np.asarray(prediction, np.float64))
    own, same = np.asarray(noise.own, np.float64), CLUSTER[:, None] == CLUSTER
    expected = same * np.outer(own, own)
    # A covariance of n normal draws has the variance (C_ii C_jj + C_ij^2) / n.
    error = np.sqrt((np.outer(np.diag(expected), np.diag(expected)) + expected**2) / len(KEYS))
    assert np.max(np.abs(found.T @ found / len(KEYS) - expected) / error) < 5


def test_a_bare_wild_scheme_is_refused(clustered: Runs) -> None:
    with pytest.raises(BadInput, match="got a bare one"):
        Wild()(KEYS[0], clustered, jnp.ones(N), units(clustered), gaussian())


def test_distinct_units_are_counted(clustered: Runs, padded: Runs) -> None:
    for runs in (clustered, padded):
        drawn = units(runs)
        weight = jax.vmap(lambda key, runs=runs, drawn=drawn: Pairs()(key, runs, None, drawn, None).weight)(KEYS[:20])
        by_hand = [len(np.unique(np.asarray(drawn.of_row)[w > 0])) for w in np.asarray(weight)]
        np.testing.assert_array_equal(distinct(weight, drawn), by_hand)


def test_parametric_draws_from_the_noise_model(clustered: Runs) -> None:
    prediction = jnp.linspace(2.1, 3.9, N)
    objective = gaussian(ConstantNoise(0.02))
    again = jax.vmap(lambda key: Parametric()(key, clustered, prediction, units(clustered), objective))(KEYS)
    residual = np.log(np.asarray(again.target)) - np.log(np.asarray(prediction))
    assert residual.std() == pytest.approx(0.02, rel=4 / np.sqrt(2 * 400 * N))


def test_names() -> None:
    for name in ("pairs", "bayesian", "wild", "parametric"):
        assert scheme_from_name(name).name == name
    with pytest.raises(KeyError, match="expected one of"):
        scheme_from_name("jackknife")
