"""SparsePretraining: equal losses of sparse and dense models, the bound on what sparsity can do."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from jaxscale.core.law import from_published
from jaxscale.laws.precision.frantar2023 import SparsePretraining

SETS = tuple(SparsePretraining.published)


def numbers(*values: float):
    return tuple(jnp.asarray(value, dtype=float) for value in values)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("S", [0.0, 0.5, 0.9])
def test_dense_equivalent_has_the_same_loss(name: str, S: float, eps: float) -> None:
    law, (share, N, D) = from_published(SparsePretraining, name), numbers(S, 1e8, 1e10)
    dense = float(law.dense_equivalent(share, N))
    v = {k: float(x) for k, x in law.published[name].values.items()}
    cost = v["a_S"] * (1 - S) ** v["b_S"] + v["c_S"]
    want = brentq(lambda x: (v["a_S"] + v["c_S"]) * np.exp(-v["b_N"] * x) - cost * 1e8 ** -v["b_N"], 15, 25, xtol=1e-14)
    assert np.log(dense) == pytest.approx(want, rel=16 * eps)
    assert float(law(share, N, D)) == pytest.approx(float(law(*numbers(0, dense), D)), rel=32 * eps)


@pytest.mark.parametrize("name", SETS)
def test_sparsity_for_inverts_the_gain_up_to_its_bound(name: str) -> None:
    law = from_published(SparsePretraining, name)
    for S in (0.1, 0.5, 0.875):
        share, one = numbers(S, 1)
        # 1 - S loses digits by the slope of the gain: fewer than two.
        eps = float(jnp.finfo(share.dtype).eps)
        assert float(law.sparsity_for(law.dense_equivalent(share, one))) == pytest.approx(S, rel=1000 * eps)
    bound = ((law.a_S + law.c_S) / law.c_S) ** (1 / law.b_N)
    assert float(law.dense_equivalent(*numbers(0.999999, 1))) < float(bound)
    assert jnp.isnan(law.sparsity_for(bound * 1.01))


def test_the_count_is_of_parameters_that_are_left() -> None:
    """At equal N more sparsity helps; at equal dense size it hurts."""
    law = SparsePretraining()
    assert law(*numbers(0.75, 1e8, 1e10)) < law(*numbers(0.0, 1e8, 1e10)) < law(*numbers(0.75, 0.25e8, 1e10))
