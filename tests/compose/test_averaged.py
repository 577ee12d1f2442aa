"""Averaged laws against their members: values, parameters, forecasts' inputs, and plans."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale import BadInput, Ensemble, allocate, from_published, signature
from jaxscale.compose.averaged import Averaged
from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw
from jaxscale.core.parametric import param, values
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.laws.loss.kaplan2020 import KaplanND

POINT = {"N": 1e9, "D": 2e10}


def members() -> dict[str, AbstractLaw]:
    return {"kaplan": KaplanND(), "chinchilla": from_published(Chinchilla, "besiroglu2024")}


def at(law: Any) -> float:
    return float(law(**{name: jnp.asarray(x, float) for name, x in POINT.items()}))


class Wild(AbstractLaw):
    """Overflows everywhere."""

    a: q.Pure = param(s.real, init=1e30, prior=p.Normal(0.0, 1.0), doc="too much")

    def __call__(self, N: q.Params) -> q.Nats:
        return jnp.exp(self.a * N)


class Share(AbstractLaw):
    """Another quantity than a loss."""

    a: q.Pure = param(s.real, init=0.5, prior=p.Normal(0.0, 1.0), doc="constant")

    def __call__(self, N: q.Params) -> q.Pure:
        return self.a + 0 * N


def test_the_weighted_mean_in_sorted_order_of_labels(eps: float) -> None:
    laws = members()
    found = at(Averaged(laws, [0.25, 0.75]))
    assert found == pytest.approx(0.25 * at(laws["chinchilla"]) + 0.75 * at(laws["kaplan"]), rel=16 * eps)


def test_a_law_of_no_weight_may_overflow() -> None:
    laws = {"wild": Wild(), "chinchilla": members()["chinchilla"]}
    assert np.isinf(float(laws["wild"](N=jnp.asarray(1e9, float))))
    assert at(Averaged(laws, [1.0, 0.0])) == at(laws["chinchilla"])


def test_inputs_are_the_union_and_parameters_carry_the_label() -> None:
    averaged = Averaged({"wild": Wild(), "chinchilla": Chinchilla()}, [0.5, 0.5])
    assert set(signature(averaged).inputs) == {"N", "D"}
    assert signature(averaged).output == signature(Chinchilla()).output
    assert set(values(averaged)) == {*(f"chinchilla.{x}" for x in ("E", "A", "B", "alpha", "beta")), "wild.a", "weight"}


def test_laws_of_different_outputs_are_refused() -> None:
    with pytest.raises(BadInput, match="average: expected laws of one output"):
        Averaged({"chinchilla": Chinchilla(), "share": Share()}, [0.5, 0.5])


def test_a_plan_for_all_the_weight_is_the_members_plan(eps: float) -> None:
    """Draw by draw: an ensemble whose draws put all their weight on one law plans as that law does."""
    laws = members()
    stacked = jax.tree.map(lambda x: jnp.stack([x, x]), laws)
    law = jax.vmap(Averaged)(stacked, jnp.eye(2))
    ensemble = Ensemble(law, jnp.zeros(2), jnp.zeros(2, jnp.int32))
    found = allocate(ensemble, 1e22)
    for i, label in enumerate(sorted(laws)):
        alone = allocate(laws[label], 1e22)
        # A minimum is resolved to eps over the curvature of log loss, which exceeds 1e-3.
        np.testing.assert_allclose(found.N[i], alone.N, rtol=1e3 * 16 * eps)
        np.testing.assert_allclose(found.loss[i], alone.loss, rtol=64 * eps)
    predicted = ensemble(**POINT)
    np.testing.assert_allclose(predicted, [at(laws[label]) for label in sorted(laws)], rtol=64 * eps)
