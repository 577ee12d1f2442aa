"""A law says what becomes of it where losses are c times as large: then its priors serve losses of any unit."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.compose.pooled import Pooled
from jaxscale.compose.tied import Tied
from jaxscale.core.evaluate import predict
from jaxscale.core.law import AbstractLaw, class_signature
from jaxscale.core.parametric import scaled
from jaxscale.core.runs import Runs
from jaxscale.laws import catalogue
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.laws.loss.kaplan2020 import KaplanN
from jaxscale.testing.draws import coordinates, inputs_at

# Every pool's error is a power of one constant that differs with how long it lasts: no other constant scales them all.
OPEN = {"DataFiltering"}
LOSSES = {name: cls for name, cls in catalogue().items() if class_signature(cls).output.size and name not in OPEN}


@pytest.mark.parametrize("law_class", LOSSES.values(), ids=LOSSES.keys())
def test_law_of_losses_c_times_as_large(law_class: type[AbstractLaw], eps: float) -> None:
    law, wanted = law_class(), class_signature(law_class)
    u = np.random.default_rng(0).uniform(0.2, 0.8, (8, coordinates(law)))
    inputs = inputs_at(law, u, {name: quantity.usual for name, quantity in wanted.inputs.items()})
    runs = Runs.of(inputs, np.ones((8, *[1] * len(wanted.output.axes))))
    for c in (0.4, 3.0):
        got = predict(scaled(law, jnp.asarray(c)), runs)
        # Powers round by a few dozen e-folds of their base.
        np.testing.assert_allclose(got, c * np.asarray(predict(law, runs)), rtol=1e4 * eps)


def test_joint_laws_scale_as_their_members(eps: float) -> None:
    runs = Runs.of({"N": np.geomspace(1e8, 1e10, 6), "D": np.geomspace(1e10, 1e11, 6)}, np.ones(6), group=[0, 1] * 3)
    split = Pooled(Chinchilla(), split=("E", "alpha"), groups=("a", "b"))
    partial = Pooled(Chinchilla(), partial=("E",), groups=("a", "b"))
    tied = Tied({"a": Chinchilla(), "b": Chinchilla(E=2.0)}, tie=("alpha", "A"))
    for law in (split, partial, tied, Pooled(KaplanN(), split=("Nc", "alpha_N"), groups=("a", "b"))):
        got = predict(scaled(law, jnp.asarray(0.01)), runs)
        np.testing.assert_allclose(got, 0.01 * np.asarray(predict(law, runs)), rtol=1e4 * eps)
