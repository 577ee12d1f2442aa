"""Shao: no datastore is Hoffmann et al., straight beyond R_0, what a datastore is worth and how large it should be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.errors import BadInput
from jaxscale.core.evaluate import points_of
from jaxscale.core.law import signature
from jaxscale.laws.data.shao2024 import RetrievalDatastore
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.studies import Study


def scalars(*values: float) -> tuple[jax.Array, ...]:
    return tuple(jnp.asarray(value) for value in values)


def test_without_a_datastore_it_is_the_law_of_hoffmann(eps: float) -> None:
    law = RetrievalDatastore()
    other = Chinchilla(*(getattr(law, name) for name in ("E", "A", "B", "alpha", "beta")))
    N, D = scalars(1e9, 2e10)
    np.testing.assert_allclose(float(law(N, D, jnp.asarray(0.0))), float(other(N, D)), rtol=4 * eps)


def test_a_table_may_hold_the_baseline_without_a_datastore() -> None:
    law = RetrievalDatastore()
    table = {"N": [1e9, 1e9], "D": [2e10, 2e10], "R": [0.0, 1e11], "loss": [2.8, 2.7]}
    mapping = {"N": "N[params]", "D": "D[tokens]", "R": "R[tokens]", "loss": "loss"}
    runs = Study.read(table, mapping).runs(signature(law))
    slopes = jax.grad(lambda law, inputs: law(**inputs), argnums=(0, 1))(law, {n: x[0] for n, x in runs.inputs.items()})
    assert all(bool(jnp.isfinite(slope)) for slope in jax.tree.leaves(slopes))
    # The first token: -gamma L / R_0.
    alone = float(law(*scalars(1e9, 2e10, 0.0)))
    np.testing.assert_allclose(float(slopes[1]["R"]), -0.02 * alone / 3e9, rtol=1e-5)
    worse = Study.read({**table, "R": [-1.0, 1e11]}, mapping)
    with pytest.raises(BadInput, match="row 1, column 'R': expected R of zero or more, got -1"):
        worse.runs(signature(law))
    assert points_of(law, {"N": 1e9, "D": 2e10, "R": 0.0}, ())["R"] == 0
    with pytest.raises(BadInput, match="R must be a non-negative finite number of tokens, got -1"):
        points_of(law, {"N": 1e9, "D": 2e10, "R": -1.0}, ())


def test_straight_in_logarithms_beyond_the_threshold() -> None:
    law = RetrievalDatastore(R_0=1e6)
    N, D, R = scalars(1e9, 2e10, 1e12)
    slope = jax.grad(lambda log_R: jnp.log(law(N, D, jnp.exp(log_R))))(jnp.log(R))
    # R / (R_0 + R) falls short of one by 1e-6.
    np.testing.assert_allclose(float(slope), -0.02, rtol=3e-6)


def test_encoding_a_token_costs_a_seventeenth_of_training_a_billion_parameters_on_it() -> None:
    law = RetrievalDatastore()
    N, D, R = scalars(1e9, 1e9, 1e9)
    nothing = jnp.asarray(0.0)
    ratio = float(law.compute(N, nothing, R) / law.compute(N, D, nothing))
    assert ratio == pytest.approx(2 * 0.177 / 6, rel=1e-6)
    assert round(1 / ratio) == 17


def test_worth_in_tokens_is_the_training_that_gives_the_same_loss() -> None:
    law = RetrievalDatastore()
    N, D, R = scalars(1e9, 2e10, 1e10)
    worth = law.worth_in_tokens(N, D, R)
    assert float(worth) > 2e10
    np.testing.assert_allclose(float(law(N, worth, jnp.asarray(0.0))), float(law(N, D, R)), rtol=1e-6)
    assert np.isinf(float(law.worth_in_tokens(N, *scalars(1e12, 1e14))))


@pytest.mark.x64
def test_balanced_datastore_is_the_best_split_of_compute() -> None:
    """Around the balance, compute moved from training to the datastore or back raises the loss."""
    law = RetrievalDatastore()
    N, D = scalars(1e9, 1e11)
    R = law.balanced_datastore(N, D)
    budget = law.compute(N, D, R)

    def loss(log_R: jax.Array) -> jax.Array:
        R = jnp.exp(log_R)
        return law(N, (budget - 2 * law.N_r * R) / (6 * N), R)

    slope, here = jax.grad(loss)(jnp.log(R)), loss(jnp.log(R))
    # A difference of two slopes of some .02 each.
    assert float(slope) == pytest.approx(0, abs=1e-14)
    assert all(float(loss(jnp.log(R) + step)) > float(here) for step in (-0.1, 0.1))


def test_no_datastore_where_the_first_token_costs_more_than_it_brings() -> None:
    law = RetrievalDatastore(gamma=1e-6)
    assert float(law.balanced_datastore(*scalars(1e7, 1e9))) == 0
