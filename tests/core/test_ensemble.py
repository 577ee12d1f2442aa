"""Ensembles: evaluation against single laws, and failed draws that are counted, not hidden."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.compose import Pooled
from jaxscale.core.ensemble import Ensemble, deviation, quantile_table
from jaxscale.core.results import RESULTS
from jaxscale.laws.loss.hoffmann2022 import Chinchilla

E = (1.5, 1.6, 1.7, 1.8)


@pytest.fixture(scope="module")
def ensemble() -> Ensemble:
    law = jax.tree.map(lambda *x: jnp.stack(x), *(Chinchilla(E=e) for e in E))
    code = jnp.asarray([0, int(RESULTS.singular), 0, 0], jnp.int32)
    return Ensemble(law, jnp.zeros(4), code)


def test_calls_broadcast(ensemble: Ensemble, eps: float) -> None:
    found = ensemble(N=np.array([[1e9], [1e10]]), D=[1e10, 1e11, 1e12])
    assert found.shape == (4, 2, 3)
    for i, e in enumerate(E):
        expected = Chinchilla(E=e)(jnp.asarray(1e10), jnp.asarray(1e11))
        np.testing.assert_allclose(found[i, 1, 1], expected, rtol=8 * eps)
    assert ensemble(N=1e9, D=1e10).shape == (4,)


def test_failed_draws_are_counted_and_left_out(ensemble: Ensemble, eps: float) -> None:
    assert (ensemble.size, ensemble.failed) == (4, 1)
    kept = ensemble.ok()
    assert (kept.size, kept.failed) == (3, 0)
    good = np.array([1.5, 1.7, 1.8])
    np.testing.assert_allclose(kept.params()["E"], good, rtol=4 * eps)
    assert ensemble.standard_errors()["E"] == pytest.approx(good.std(ddof=1), rel=64 * eps)
    assert ensemble.quantiles((0.5,))["E"]["0.5"] == pytest.approx(1.7, rel=4 * eps)
    assert kept.method == ensemble.method == "bootstrap"


@pytest.mark.parametrize("power", [-200, 0, 150, 300])
def test_deviations_of_draws_whose_squares_no_float_holds(power: int) -> None:
    """Against the same draws in units of which they are few."""
    draws = np.random.default_rng(abs(power)).normal(2.0, 1.0, (50, 3))
    np.testing.assert_allclose(deviation(draws * 10.0**power), draws.std(axis=0, ddof=1) * 10.0**power, rtol=1e-12)
    draws[7, 1] = np.inf
    draws[:, 2] = 0.0
    np.testing.assert_allclose(deviation(draws), [draws[:, 0].std(ddof=1), np.inf, 0.0], rtol=1e-12)


def test_joint_laws_take_a_group(eps: float) -> None:
    law = Pooled(Chinchilla(), split=("E",), groups=("a", "b")).replace(E=[1.5, 1.9])
    alone = Ensemble(jax.tree.map(lambda x: x[None], law), jnp.zeros(1), jnp.zeros(1, jnp.int32))
    found = alone(N=1e9, D=1e10, group=np.array([0, 1]))
    assert float(found[0, 1] - found[0, 0]) == pytest.approx(0.4, rel=64 * eps)


def test_quantiles_of_vectors() -> None:
    table = quantile_table(np.arange(10.0).reshape(5, 2), (0.25, 0.5))
    assert table == {"0.25": [2.0, 3.0], "0.5": [4.0, 5.0]}
