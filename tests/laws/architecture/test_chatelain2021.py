"""FrozenParameters: limits of the worth of frozen parameters; the saving a cheaper method needs, by root finding."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from jaxscale.core.errors import BadInput
from jaxscale.core.law import signature
from jaxscale.laws.architecture.chatelain2021 import FrozenParameters, needed_saving
from jaxscale.laws.loss.kaplan2020 import KaplanN
from jaxscale.studies import Study

RNG = np.random.default_rng(0)


def predict_one(law: FrozenParameters, inputs: dict[str, jax.Array]) -> jax.Array:
    return law(**inputs)


def test_equals_the_printed_formula(agree: Callable[..., None]) -> None:
    N, F = 10 ** RNG.uniform(6, 11, 100), 10 ** RNG.uniform(6, 11, 100)
    agree(FrozenParameters(kappa=0.3), {"N": N, "F": F}, (8.8e13 / (N + 0.3 * F)) ** 0.076)


@pytest.mark.parametrize(("kappa", "size"), [(1e-30, 1e9), (1.0, 4e9)])
def test_frozen_parameters_count_for_nothing_or_in_full(kappa: float, size: float, eps: float) -> None:
    got = FrozenParameters(kappa=kappa)(jnp.asarray(1e9), jnp.asarray(3e9))
    np.testing.assert_allclose(got, KaplanN()(jnp.asarray(size)), rtol=8 * eps * np.log(8.8e13))


def test_a_table_may_hold_the_baseline_without_frozen_parameters() -> None:
    """The paper's own: N trained whole is Kaplan's law, with derivatives; fewer than none is refused."""
    table = {"N": [1e8, 1e9], "F": [0.0, 3e9], "loss": [3.0, 2.4]}
    study = Study.read(table, {"N": "N[params]", "F": "F[params]", "loss": "loss"})
    law = FrozenParameters(kappa=0.3)
    runs = study.runs(signature(law))
    value, (slope, at) = jax.value_and_grad(predict_one, argnums=(0, 1))(law, {n: x[0] for n, x in runs.inputs.items()})
    np.testing.assert_allclose(value, KaplanN()(jnp.asarray(1e8)), rtol=1e-5)
    assert float(slope.kappa) == 0
    # d ln L / d ln N is -alpha_N, and a frozen parameter is worth kappa trainable ones.
    np.testing.assert_allclose(float(at["N"]) * 1e8 / float(value), -0.076, rtol=1e-5)
    np.testing.assert_allclose(float(at["F"] / at["N"]), 0.3, rtol=1e-5)
    worse = Study.read({**table, "F": [-1.0, 3e9]}, {"N": "N", "F": "F", "loss": "loss"})
    with pytest.raises(BadInput, match="row 1, column 'F': expected F of zero or more, got -1"):
        worse.runs(signature(law))


@pytest.mark.parametrize(("kappa", "pays"), [(0.5, False), (0.8, True)])
def test_freezing_pays_where_the_worth_exceeds_the_cost(kappa: float, pays: bool) -> None:
    """Oracle: a thousand units of cost spent on frozen parameters, at 2/3 each, or on trainable ones."""
    law, cost = FrozenParameters(kappa=kappa), 2 / 3
    frozen = law(jnp.asarray(1e6), jnp.asarray(1e9 / cost))
    trained = law(jnp.asarray(1e6 + 1e9), jnp.asarray(0.0))
    assert (float(frozen) < float(trained)) == pays
    assert (float(law.relative_worth(jnp.asarray(cost))) > 1) == pays


@pytest.mark.parametrize("L", [2.5, 3.0, 3.5])
def test_needed_saving_makes_both_methods_cost_the_same(L: float, eps: float) -> None:
    def compute(scale: float, alpha: float) -> float:
        return np.exp(brentq(lambda c: alpha * (np.log(scale) - c) - np.log(L), 0, 80, xtol=1e-13))

    full, cheap = (2.7e28, 0.050), (2.7e29, 0.046)
    expected = 1 - compute(*full) / compute(*cheap)
    got = needed_saving(*(jnp.asarray(x) for x in (L, *full, *cheap)))
    # 1 - got is the exponential of a difference of logarithms of size 70.
    np.testing.assert_allclose(1 - float(got), 1 - expected, rtol=16 * eps * 70 + 1e-11)


def test_an_equal_method_needs_no_saving() -> None:
    same = [jnp.asarray(x) for x in (3.0, 2.7e28, 0.05, 2.7e28, 0.05)]
    assert float(needed_saving(*same)) == 0
