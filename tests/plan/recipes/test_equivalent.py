"""What a loss is worth in compute, against the closed form of Chinchilla's optimum and SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from jaxscale import BadInput, Bounds, allocate, flops_for
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.laws.loss.videau2026 import Nested
from jaxscale.plan.recipes import deadweight, flat_range, gain_multiplier, regret

from ..conftest import BUDGETS, LAWS, OTHERS, SLACK, compute_for, least, power, stacked


def test_flops_for_against_the_closed_form(eps: float) -> None:
    loss = np.array([2.6, 2.1])
    found = flops_for(stacked(*LAWS), loss)
    np.testing.assert_allclose(found, [compute_for(law, loss) for law in LAWS], rtol=SLACK * eps)


def test_no_budget_beyond_the_bounds_is_named() -> None:
    """7e9 parameters on at most 700B tokens reach 1.99 and no less; 1.9 would take a run that the bounds forbid."""
    bounds = Bounds(N=(1e6, 7e9), ratio=(1.0, 100.0))
    law = Chinchilla()
    last = law(N=jnp.asarray(7e9), D=jnp.asarray(7e11))
    found = flops_for(law, [float(last) * 1.001, float(last) * 0.999], bounds=bounds)
    assert np.isfinite(found[0])
    assert float(found[0]) < 6 * 7e9 * 7e11
    assert np.isinf(found[1])
    assert float(allocate(law, float(found[0]), bounds=bounds).loss) == pytest.approx(float(last) * 1.001, rel=1e-5)


@pytest.mark.x64
def test_derivatives_of_the_inverse(eps: float) -> None:
    def closed(law: Chinchilla, loss: jax.Array) -> jax.Array:
        g = (law.alpha * law.A / (law.beta * law.B)) ** (1 / (law.alpha + law.beta))
        gamma = law.alpha * law.beta / (law.alpha + law.beta)
        K = (law.A * g**-law.alpha + law.B * g**law.beta) * 6.0**gamma
        return -jnp.log((loss - law.E) / K) / gamma

    loss = jnp.asarray(2.2)
    expected = jax.grad(closed, argnums=(0, 1))(LAWS[0], loss)
    found = jax.grad(lambda law, x: jnp.log(flops_for(law, x)), argnums=(0, 1))(LAWS[0], loss)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e6 * eps)


@pytest.mark.x64
def test_an_optimum_on_a_bound_moves_with_it() -> None:
    """At 100 tokens per parameter N is sqrt(C / 600): half a decade per decade of C."""
    bounds = Bounds(ratio=(100.0, 1e4))
    slope = jax.grad(lambda c: jnp.log(allocate(LAWS[0], jnp.exp(c), bounds=bounds).N))(jnp.log(1e23))
    assert float(slope) == pytest.approx(0.5, rel=1e-9)


def test_deadweight_and_regret_against_the_closed_form(eps: float) -> None:
    N, D = np.array([3e9, 1e12]), np.array([3e12, 1e11])
    found = deadweight(stacked(*LAWS), N, D)
    for i, law in enumerate(LAWS):
        E, A, B, a, b = (float(getattr(law, name)) for name in ("E", "A", "B", "alpha", "beta"))
        loss, C = E + A * N**-a + B * D**-b, 6 * N * D
        equivalent = compute_for(law, loss)
        np.testing.assert_allclose(found.loss[i], loss, rtol=16 * eps)
        np.testing.assert_allclose(found.equivalent[i], equivalent, rtol=SLACK * eps)
        np.testing.assert_allclose(found.share[i], 1 - equivalent / C, atol=SLACK * eps)
        np.testing.assert_allclose(found.flops[i] / C, 1 - equivalent / C, atol=SLACK * eps)
        np.testing.assert_allclose(found.regret[i], loss - least(law, C), atol=64 * eps)
    assert np.all(found.share > 0.1)  # these runs are far off their optimum


def test_the_regret_of_a_plan_is_its_deadweight_under_the_truth(eps: float) -> None:
    found = regret(LAWS[0], stacked(*OTHERS), BUDGETS)
    assert found.flops.shape == (3, 2)
    for i, law in enumerate(OTHERS):
        E, A, B, a, b = (float(getattr(LAWS[0], name)) for name in ("E", "A", "B", "alpha", "beta"))
        N = (a * A / (b * B)) ** (1 / (a + b)) * (BUDGETS / 6) ** (b / (a + b))
        E, A, B, a, b = (float(getattr(law, name)) for name in ("E", "A", "B", "alpha", "beta"))
        loss = E + A * N**-a + B * (BUDGETS / 6 / N) ** -b
        np.testing.assert_allclose(found.regret[i], loss - least(law, BUDGETS), atol=64 * eps)
        np.testing.assert_allclose(found.share[i], 1 - compute_for(law, loss) / BUDGETS, atol=SLACK * eps)


def test_paired_regret_plans_with_each_draw(eps: float) -> None:
    """A plan under its own law wastes nothing."""
    both = stacked(*LAWS)
    own, other = regret(both, both, BUDGETS, paired=True), regret(both, both, BUDGETS)
    np.testing.assert_allclose(own.share, 0, atol=SLACK * eps)
    assert np.all(other.share > 1e-4)


def test_flat_range_against_scipy(eps: float) -> None:
    law = Nested(k=jnp.asarray(0.8))
    found = flat_range(law, 1e22)
    best = float(allocate(law, 1e22).N)

    values = {name: float(getattr(law, name)) for name in ("E", "A", "B", "alpha", "beta")}

    def loss(log_N: float) -> float:
        N = np.exp(log_N)
        D = 1e22 / 6 / N
        return values["E"] + (values["A"] * N ** -values["alpha"] + values["B"] * D ** -values["beta"]) ** 0.8

    middle = np.log(best)
    bottom = minimize_scalar(loss, bounds=(middle - 3, middle + 3), method="bounded", options={"xatol": 1e-10}).fun
    ends = [brentq(lambda x: loss(x) - 1.001 * bottom, middle, middle + side) for side in (-6, 6)]
    # 0.1 % up the parabola, the slope of log loss in log N is above 1e-3.
    np.testing.assert_allclose([float(found.low), float(found.high)], np.exp(ends), rtol=16e3 * eps)


def test_flat_range_ends_where_the_bounds_do() -> None:
    found = flat_range(LAWS[0], 1e22, 0.5, bounds=Bounds(N=(1e9, 1e10), ratio=(1.0, 1e4)))
    np.testing.assert_allclose([found.low, found.high], [1e9, 1e10], rtol=1e-5)


def test_the_local_approximation(eps: float) -> None:
    r"""ln(C2 / C1) is dL / (gamma (L - E)) to first order, and 1 - (1 - dL/(L - E))^(-1/gamma) exactly."""
    _, K, gamma = power(LAWS[0])
    over_floor = K * 1e21**-gamma
    gain = np.array([-0.02, 0.001, 0.02]) * over_floor
    found = np.log(np.asarray(gain_multiplier(LAWS[0], gain, 1e21), np.float64))
    share = gain / over_floor
    np.testing.assert_allclose(found, -np.log1p(-share) / gamma, atol=SLACK * eps)
    # The next term of the series is half the square.
    np.testing.assert_allclose(found, share / gamma, atol=float(np.max(share**2)) / gamma)


def test_a_gain_below_the_floor_is_worth_any_compute() -> None:
    floor = float(least(LAWS[0], np.array(1e21)) - LAWS[0].E)
    assert np.isinf(gain_multiplier(LAWS[0], [1.01 * floor, 3 * floor, 100.0], 1e21)).all()


def test_a_gain_on_a_path_of_fixed_ratio(eps: float) -> None:
    """alpha = beta at D = 20 N: L - E goes with C^(-alpha/2), whatever A and B."""
    law = Chinchilla(alpha=0.3, beta=0.3)
    N = np.sqrt(1e22 / 120)
    over_floor = float(law.A) * N**-0.3 + float(law.B) * (20 * N) ** -0.3
    found = gain_multiplier(law, 0.1 * over_floor, 1e22, ratio=20.0)
    assert float(found) == pytest.approx(0.9 ** (-2 / 0.3), rel=SLACK * eps)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: deadweight(LAWS[0], -1.0, 1e10), "N: expected a positive finite number"),
        (lambda: deadweight(LAWS[0], 1e3, 1e5, bounds=Bounds(N=(1e9, 1e10))), "no run of 6e\\+08 FLOP"),
        (lambda: flat_range(LAWS[0], 1e22, 0.0), "tolerance: expected a number of at least 1e-09"),
        (lambda: gain_multiplier(LAWS[0], 0.1, 1e22, ratio=-20.0), "ratio: expected a positive finite number"),
        (lambda: regret(LAWS[0], stacked(*LAWS), 1e22, paired=True), "paired: expected two ensembles"),
        (lambda: regret(stacked(*LAWS), stacked(*LAWS[:2]), 1e22, paired=True), "as many draws of both, got 3 and 2"),
    ],
)
def test_bad_input_is_refused(call: object, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        call()  # type: ignore[operator]
