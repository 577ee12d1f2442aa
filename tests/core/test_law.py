"""Published sets: what a source gives is used, what it does not give predicts nothing."""

from typing import ClassVar

import jax
import jax.numpy as jnp
import pytest

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.errors import BadInput
from jaxscale.core.evaluate import at_points
from jaxscale.core.law import AbstractLaw, Published, from_published, require_values, without_value
from jaxscale.core.parametric import param
from jaxscale.plan.allocate import allocate


class Halved(AbstractLaw):
    """Of which a paper gives the exponents and the floor, and no A."""

    E: q.Nats = param(s.positive, init=1.5, prior=p.LogNormal(1.5, 0.5), doc="a floor")
    A: q.Nats = param(s.positive, init=400.0, prior=p.LogNormal(400.0, 1.0), doc="a size")
    a: q.Pure = param(s.positive, init=0.3, prior=p.LogNormal(0.3, 0.5), doc="an exponent")

    def __call__(self, N: q.Params, D: q.Tokens) -> q.Nats:
        return self.E + self.A * (jnp.exp(-self.a * jnp.log(N)) + jnp.exp(-self.a * jnp.log(D)))

    published: ClassVar = {"half": Published({"E": 1.7, "a": 0.35}, source="a paper")}


def test_what_a_set_does_not_give_is_no_number() -> None:
    law = from_published(Halved, "half")
    assert without_value(law) == ("A",)
    assert bool(jnp.isnan(law(jnp.asarray(1e9), jnp.asarray(2e10))))
    assert float(law.a) == pytest.approx(0.35)  # and what it gives is as printed
    assert law.A.dtype == law.a.dtype
    assert not law.A.weak_type


def test_given_values_complete_a_set_and_wrong_names_are_refused() -> None:
    law = from_published(Halved, "half", A=100.0)
    assert without_value(law) == ()
    assert float(law(jnp.asarray(1e9), jnp.asarray(1e9))) == pytest.approx(1.7 + 200 * 1e9**-0.35, rel=1e-6)
    with pytest.raises(KeyError, match=r"Halved has no parameter \['B'\]; its parameters are \['E', 'A', 'a'\]"):
        from_published(Halved, "half", B=1.0)
    with pytest.raises(KeyError, match="has no published set 'whole'"):
        from_published(Halved, "whole")


def test_predictions_and_plans_refuse_a_law_without_a_value_in_a_sentence() -> None:
    law = from_published(Halved, "half")
    for ask in (
        lambda: require_values(law),
        lambda: allocate(law, 1e21),
        lambda: at_points(law, {"N": 1e9, "D": 2e10}),
    ):
        with pytest.raises(BadInput, match=r"Halved has no value of A, so it predicts nothing; give one"):
            ask()
    # A failed draw among others is not a value that nobody gave, and a traced law is nobody's business here.
    require_values(jax.tree.map(lambda x: jnp.stack([x, jnp.full_like(x, 2.0)]), law))
    jax.eval_shape(lambda law: require_values(law) or law.E, law)
