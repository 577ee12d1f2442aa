"""Runs with nothing of an input, such as no datastore: fitted from anywhere, and a tangent whose noise is theirs."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.infer.fit.fit import fit
from jaxscale.infer.local.linearised import tangent
from jaxscale.laws.data.shao2024 import RetrievalDatastore
from jaxscale.testing.recovery import realistic

NOISE = 0.003


@pytest.mark.x64
def test_runs_without_a_datastore_are_fitted() -> None:
    """From a start far off: R_0 lies within the range of R, whose logarithm has no lower end where R is 0."""
    truth = RetrievalDatastore()
    exact = realistic(truth)
    assert 5 <= int(jnp.sum(exact.inputs["R"] == 0)) <= 10
    rng = np.random.default_rng(5)
    runs = eqx.tree_at(lambda r: r.target, exact, exact.target * jnp.exp(rng.normal(0, NOISE, exact.size)))
    found = fit(truth.replace(R_0=3e13, gamma=0.2), runs)
    assert found.certificate.certified
    # Four of the standard errors that such noise leaves: 2 % of gamma, 10 % of R_0.
    assert float(found.law.gamma) == pytest.approx(0.02, rel=0.08)
    assert abs(np.log(float(found.law.R_0) / 3e9)) < 0.4
    # The scatter of 60 draws is known to a tenth; Student's t takes some of a normal's width for tails.
    assert tangent(found).noise == pytest.approx(NOISE, rel=0.4)
