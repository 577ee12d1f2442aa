"""Priors: densities and quantiles against scipy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxscale.core import priors as p

PAIRS = [
    (p.Normal(-1.0, 2.5), stats.norm(-1.0, 2.5)),
    (p.LogNormal(400.0, 2.0), stats.lognorm(2.0, scale=400.0)),
    (p.Uniform(-2.0, 3.0), stats.uniform(-2.0, 5.0)),
    (p.HalfNormal(0.3), stats.halfnorm(scale=0.3)),
    (p.Beta(2.0, 5.0), stats.beta(2.0, 5.0)),
    (p.Beta(20.0, 20.0), stats.beta(20.0, 20.0)),
]
U = np.linspace(0.01, 0.99, 49)
IDS = [str(prior) for prior, _ in PAIRS]


@pytest.mark.parametrize(("prior", "reference"), PAIRS, ids=IDS)
def test_log_prob_is_scipys(prior: p.AbstractPrior, reference: stats.rv_continuous, eps: float) -> None:
    x = jnp.asarray(reference.ppf(U), float)
    got = prior.log_prob(x)
    assert got.dtype == x.dtype
    exact = np.asarray(x, np.float64)  # the same numbers in both precisions
    # Terms of the density reach 40 (Beta(20, 20)) and cancel in part.
    np.testing.assert_allclose(got, reference.logpdf(exact), atol=16 * eps * 40)


@pytest.mark.parametrize(("prior", "reference"), PAIRS, ids=IDS)
def test_quantile_is_scipys(prior: p.AbstractPrior, reference: stats.rv_continuous, eps: float) -> None:
    u = jnp.asarray(U, float)
    got = prior.quantile(u)
    assert got.dtype == u.dtype
    exact = np.asarray(u, np.float64)
    want = reference.ppf(exact)
    # A few roundings of u move the quantile by du / density; on top come those of the result itself.
    slack = 32 * eps * (np.abs(want) * (1 + np.abs(np.log(np.abs(want)))) + 1 / reference.pdf(want))
    assert np.all(np.abs(np.asarray(got, np.float64) - want) <= slack)


@pytest.mark.parametrize(("prior", "reference"), PAIRS, ids=IDS)
def test_median_of_a_scalar_under_jit(prior: p.AbstractPrior, reference: stats.rv_continuous, eps: float) -> None:
    got = float(jax.jit(prior.quantile)(jnp.asarray(0.5, float)))
    slack = 32 * eps * (1 + abs(np.log(abs(reference.median())))) * abs(reference.median())
    assert abs(got - reference.median()) <= slack


def test_uniform_has_no_density_outside() -> None:
    got = p.Uniform(0.0, 2.0).log_prob(jnp.asarray([-0.1, 2.1], float))
    assert np.all(np.isneginf(got))


def test_priors_are_hashable_records_of_floats() -> None:
    assert hash(p.LogNormal(1.7, 0.5)) == hash(p.LogNormal(1.7, 0.5))
    assert p.LogNormal(1.7, 0.5) != p.Normal(1.7, 0.5)
