"""Compute-optimal allocation against closed forms, bounds, inverse and derivatives."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale import BadInput, Bounds, Ensemble, Pooled, SixND, allocate, catalogue, flops_for, from_published
from jaxscale.core.law import AbstractLaw
from jaxscale.laws.loss.gadre2024 import Gadre
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.laws.loss.kaplan2020 import KaplanN

CLOSED = ["Chinchilla", "Gadre", "KaplanND", "Nested"]


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize("flops", [1e19, 1e24, 3.8e25])
def test_agrees_with_the_closed_form(name: str, flops: float, eps: float) -> None:
    """A minimum is resolved to eps over the curvature of log loss; in these laws the latter exceeds 1e-3."""
    law = catalogue()[name]()
    found = allocate(law, flops)
    N, D = law.compute_optimal(jnp.asarray(flops, dtype=float))
    np.testing.assert_allclose(found.N, N, rtol=1e3 * 16 * eps)
    np.testing.assert_allclose(found.D, D, rtol=1e3 * 16 * eps)
    assert not bool(found.on_bound)


def test_published_table() -> None:
    """loss-laws.md 3b: N* of the Huber refit at three budgets, to the printed digits."""
    law = Chinchilla(E=1.817218, A=477.826, B=2143.417, alpha=0.3473105, beta=0.3671724)
    found = allocate(law, np.array([1e21, 5.76e23, 3.8e25]))
    np.testing.assert_allclose(found.N, [2.79e9, 7.32e10, 6.3e11], rtol=5e-3)
    np.testing.assert_allclose(found.D / found.N, [21.4, 17.9, 16.0], rtol=5e-3)


def test_costs_exactly_the_budget(eps: float) -> None:
    found = allocate(Chinchilla(), 1e22, cost=SixND(8.0))
    np.testing.assert_allclose(8 * float(found.N) * float(found.D), 1e22, rtol=64 * eps)


def test_inverse(eps: float) -> None:
    law = from_published(Chinchilla, "besiroglu2024")
    found = allocate(law, 1e22)
    # The loss falls with exponent alpha beta / (alpha + beta), about 0.18, on about a tenth of it.
    assert float(flops_for(law, float(found.loss))) == pytest.approx(1e22, rel=1e3 * eps)


def test_a_loss_below_the_floor_is_infinitely_far() -> None:
    assert np.isinf(float(flops_for(Chinchilla(), 1.5)))


def test_bounds_hold_and_are_reported(eps: float) -> None:
    law = from_published(Chinchilla, "besiroglu2024")
    floor = allocate(law, 1e24, bounds=Bounds(ratio=(100.0, 1e4)))
    assert bool(floor.on_bound)
    np.testing.assert_allclose(float(floor.D / floor.N), 100.0, rtol=256 * eps)
    ceiling = allocate(law, 1e24, bounds=Bounds(N=(1e6, 7e9)))
    assert bool(ceiling.on_bound)
    np.testing.assert_allclose(float(ceiling.N), 7e9, rtol=256 * eps)
    assert float(ceiling.loss) > float(allocate(law, 1e24).loss)


def test_other_bounds_are_no_other_program(compiles_counted: Callable[[], Any]) -> None:
    law, free = Chinchilla(), Bounds(ratio=(1.0, 1e4))
    allocate(law, 1e24, bounds=free)
    flops_for(law, 2.2, bounds=free)
    with compiles_counted() as compiles:
        held = allocate(law, 1e24, bounds=Bounds(N=(1e6, 7e9)))
        flops_for(law, 2.2, bounds=Bounds(N=(1e6, 7e9)))
    assert compiles == []
    assert bool(held.on_bound)


@pytest.mark.x64
def test_derivatives_against_the_closed_form() -> None:
    def closed(law: AbstractLaw, log_c: jax.Array) -> jax.Array:
        return jnp.log(law.compute_optimal(jnp.exp(log_c))[0])

    def numeric(law: AbstractLaw, log_c: jax.Array) -> jax.Array:
        return jnp.log(allocate(law, jnp.exp(log_c)).N)

    law, log_c = from_published(Chinchilla, "besiroglu2024"), jnp.log(1e24)
    expected, found = (jax.grad(f, argnums=(0, 1))(law, log_c) for f in (closed, numeric))
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-12)


@pytest.mark.x64
def test_loss_falls_at_the_envelope_rate() -> None:
    """d loss / d log C = dL/dN * 0 + ...: at the optimum only D's share of the budget matters (envelope theorem)."""
    law = from_published(Chinchilla, "besiroglu2024")
    slope = jax.grad(lambda c: allocate(law, jnp.exp(c)).loss)(jnp.log(1e23))
    best = allocate(law, 1e23)
    direct = jax.grad(lambda d: law(N=best.N, D=jnp.exp(d)))(jnp.log(best.D))
    assert float(slope) == pytest.approx(float(direct), rel=1e-8)


def test_an_ensemble_gives_one_answer_per_draw() -> None:
    laws = [from_published(Chinchilla, name) for name in ("hoffmann2022", "besiroglu2024")]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *laws)
    many = allocate(Ensemble(stacked, jnp.zeros(2), jnp.zeros(2, jnp.int32)), [1e21, 1e24])
    assert many.N.shape == (2, 2)
    for row, law in enumerate(laws):
        np.testing.assert_allclose(many.N[row], allocate(law, [1e21, 1e24]).N, rtol=1e-5)


def test_a_joint_law_is_planned_group_by_group() -> None:
    joint = Pooled(Gadre(), split=("a",), groups=("x", "y"))
    joint = joint.replace(a=jnp.stack([joint.law.a[0], 2 * joint.law.a[1]]))
    assert float(allocate(joint, 1e22, group=1).N) > float(allocate(joint, 1e22, group=0).N)
    np.testing.assert_allclose(allocate(joint, 1e22, group=1).N, allocate(joint.member(1), 1e22).N, rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: allocate(KaplanN(), 1e22), r"KaplanN takes \['N'\]"),
        (lambda: allocate(Chinchilla(), -1.0), "flops: expected a positive finite number of FLOP"),
        (lambda: allocate(Chinchilla(), np.nan), "flops: expected a positive finite number of FLOP"),
        (lambda: flops_for(Chinchilla(), 0.0), "loss: expected a positive finite number of nats"),
        (lambda: allocate(Chinchilla(), 1e22, bounds=Bounds(ratio=(30.0, 3.0))), "ratio must run from"),
        (lambda: allocate(Chinchilla(), 1e22, bounds=Bounds(N=(1e12, 1e13), ratio=(1.0, 10.0))), "no run"),
    ],
)
def test_bad_input_is_refused(call: object, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        call()  # type: ignore[operator]
