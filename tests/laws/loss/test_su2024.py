"""Su: the implicit loss against bracketing, its derivatives against algebra, the cheapest run against minimisation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array
from scipy.optimize import brentq, minimize_scalar

from jaxscale.core.law import from_published
from jaxscale.core.parametric import values
from jaxscale.laws.loss.kaplan2020 import KaplanN, KaplanNS
from jaxscale.laws.loss.su2024 import SuNSB
from jaxscale.laws.optimum.kaplan2020 import KaplanCriticalBatch
from jaxscale.testing.draws import law_and_inputs

N, S, B = 1e9, 1e5, 5e5
SETS = tuple(SuNSB.published)


def bracketed(law: dict[str, float], N: float, S: float, B: float) -> float:
    """The loss by Brent's method on the equation as printed."""
    size = (law["Nc"] / N) ** law["alpha_N"]

    def excess(L: float) -> float:
        critical = law["Bstar"] * L ** (-1 / law["alpha_B"])
        return L - size - (law["Sc"] / S * (1 + critical / B)) ** law["alpha_S"]

    return brentq(excess, size, 1e6, xtol=1e-14, rtol=8.9e-16)


@pytest.mark.parametrize("name", SETS)
def test_loss_solves_the_printed_equation(name: str, eps: float) -> None:
    law = from_published(SuNSB, name)
    plain = {key: float(v) for key, v in values(law).items()}
    for run in ((1e6, 1e2, 1e3), (6e7, 2e4, 1e5), (N, S, B), (1e12, 1e6, 1e8)):
        got = float(law(*(jnp.asarray(x) for x in run)))
        np.testing.assert_allclose(got, bracketed(plain, *run), rtol=8 * eps * np.log(1e14))


@pytest.mark.x64
def test_newton_reaches_the_root_all_over_the_prior() -> None:
    laws, inputs = law_and_inputs(SuNSB, 1000)
    got = np.asarray(jax.jit(jax.vmap(lambda law, x: law(**x)))(laws, inputs))
    plain = {key: np.asarray(v) for key, v in values(laws).items()}
    for i in range(0, 1000, 10):
        want = bracketed({k: v[i] for k, v in plain.items()}, *(float(inputs[name][i]) for name in "NSB"))
        np.testing.assert_allclose(got[i], want, rtol=1e-13)


def slopes(law: SuNSB, x: Array) -> np.ndarray:
    """d ln L / d ln (N, S, B), by hand from the implicit equation."""
    N, S, B = np.exp(np.asarray(x, np.float64))
    a_N, a_S, a_B = (float(a) for a in (law.alpha_N, law.alpha_S, law.alpha_B))
    L = float(law(*jnp.exp(x)))
    ratio = float(law.Bstar) * L ** (-1 / a_B) / B
    size = (float(law.Nc) / N) ** a_N
    steps = (float(law.Sc) / S * (1 + ratio)) ** a_S
    slowed = ratio / (1 + ratio)
    total = L + steps * a_S * slowed / a_B
    return -np.array([a_N * size, a_S * steps, a_S * steps * slowed]) / total


@pytest.mark.parametrize("transform", [jax.jacfwd, jax.jacrev, jax.grad])
def test_first_derivatives_under_jit_and_vmap(transform, eps: float) -> None:
    law = SuNSB()
    x = jnp.log(jnp.asarray([[N, S, B], [6e7, 2e4, 1e5], [3e10, 3e5, 4e6]]))
    got = jax.jit(jax.vmap(transform(lambda x: jnp.log(law(*jnp.exp(x))))))(x)
    want = np.stack([slopes(law, row) for row in x])
    np.testing.assert_allclose(got, want, rtol=64 * eps * np.log(1e14))


@pytest.mark.x64
@pytest.mark.parametrize(
    ("outer", "inner"), [(jax.jacfwd, jax.jacfwd), (jax.jacfwd, jax.jacrev), (jax.jacrev, jax.jacrev)]
)
def test_second_derivatives_in_inputs_and_parameters(outer, inner) -> None:
    law = SuNSB()
    leaves, tree = jax.tree.flatten(law)

    def log_loss(x: Array) -> Array:
        return jnp.log(jax.tree.unflatten(tree, list(jnp.exp(x[3:])))(*jnp.exp(x[:3])))

    x = jnp.log(jnp.asarray([N, S, B, *leaves]))
    got = jax.jit(outer(inner(log_loss)))(x)
    step = 1e-4
    above, below = (jax.jit(jax.vmap(jax.grad(log_loss)))(x[None] + h * jnp.eye(9)) for h in (step, -step))
    want = (above - below) / (2 * step)
    # Central differences err by step^2 and eps / step.
    np.testing.assert_allclose(got, want, atol=1e-7)
    np.testing.assert_allclose(got, got.T, atol=1e-14)


def test_limits(eps: float) -> None:
    law = SuNSB()
    far = jnp.asarray(1e30)
    size = KaplanN(Nc=law.Nc, alpha_N=law.alpha_N)
    steps = KaplanNS(Nc=law.Nc, Sc=law.Sc, alpha_N=law.alpha_N, alpha_S=law.alpha_S)
    rtol = 8 * eps * np.log(1e30)
    np.testing.assert_allclose(
        law(jnp.asarray(N), jnp.asarray(S), far), steps(jnp.asarray(N), jnp.asarray(S)), rtol=rtol
    )
    np.testing.assert_allclose(law(jnp.asarray(N), far, jnp.asarray(B)), size(jnp.asarray(N)), rtol=rtol)


@pytest.mark.parametrize("batch", [1e4, 1e6, 1e8])
def test_steps_and_tokens_lie_on_the_hyperbola(batch: float, eps: float) -> None:
    law = SuNSB()
    L = jnp.asarray(3.0)
    fewest = law.least_steps(jnp.asarray(N), L)
    tokens = law.tokens(jnp.asarray(N), L, jnp.asarray(batch))
    steps = tokens / batch
    least = fewest * law.critical_batch(L)
    rtol = 64 * eps * np.log(1e14)
    np.testing.assert_allclose(
        (steps / fewest - 1) * (tokens / least - 1), 1, rtol=rtol * max(batch / 1e6, 1e6 / batch)
    )
    # Forward again: that many steps of that batch reach the loss; 3 - L(N) = 0.65 is a difference of terms near 3.
    np.testing.assert_allclose(law(jnp.asarray(N), steps, jnp.asarray(batch)), 3.0, rtol=rtol)


def test_steps_to_a_loss_that_is_never_reached() -> None:
    assert np.isnan(SuNSB().least_steps(jnp.asarray(1e6), jnp.asarray(2.0)))


@pytest.mark.parametrize("name", SETS)
def test_cheapest_run_is_the_minimum_over_sizes(name: str) -> None:
    """Brent on the printed formulas: at fixed L, over N, of 6 N S_min B_crit."""
    law = from_published(SuNSB, name)
    c = {key: float(v) for key, v in values(law).items()}
    L = 2.0

    def log_compute(log_N: float) -> float:
        room = L - (c["Nc"] / np.exp(log_N)) ** c["alpha_N"]
        steps = c["Sc"] * room ** (-1 / c["alpha_S"])
        return float(np.log(6 * steps * c["Bstar"] * L ** (-1 / c["alpha_B"])) + log_N)

    # Below the smallest size that converges to L there is no run.
    smallest = np.log(c["Nc"]) - np.log(L) / c["alpha_N"]
    bounds = (smallest + 1e-3, smallest + 10)
    best = minimize_scalar(log_compute, bounds=bounds, method="bounded", options={"xatol": 1e-10})
    got = law.cheapest(jnp.asarray(L))
    # A minimiser finds its argument to the root of the rounding of the minimum, about 1e-7 here.
    np.testing.assert_allclose(np.log(float(got.N)), best.x, atol=1e-5)
    np.testing.assert_allclose(np.log(float(got.C_min)), best.fun, rtol=1e-6)
    # The share above the converged loss: 10.1 % for Kaplan et al.
    np.testing.assert_allclose(
        L / (c["Nc"] / np.exp(best.x)) ** c["alpha_N"], 1 + c["alpha_N"] / c["alpha_S"], rtol=1e-6
    )


def test_the_cheapest_run_reaches_its_loss_in_twice_the_steps(eps: float) -> None:
    law = SuNSB()
    L = jnp.asarray(2.3)
    run = law.cheapest(L)
    rtol = 32 * eps * np.log(1e24)
    np.testing.assert_allclose(law(run.N, 2 * run.S_min, run.B), 2.3, rtol=rtol)
    np.testing.assert_allclose(6 * run.N * run.B * run.S_min, run.C_min, rtol=rtol)
    np.testing.assert_allclose(law.frontier(run.C_min), 2.3, rtol=rtol)
    np.testing.assert_allclose(run.B, KaplanCriticalBatch(law.Bstar, law.alpha_B)(L), rtol=rtol)


@pytest.mark.x64
@pytest.mark.parametrize("batch", [1e4, 1e8])
def test_no_size_does_better_at_that_compute(batch: float) -> None:
    """Least loss of the law over N, with the steps that C_min = 6 N S B / (1 + B / B_crit) pays for at this batch."""
    law = SuNSB()
    C = 1e22
    floor = float(law.frontier(jnp.asarray(C)))
    B = jnp.asarray(batch)

    @jax.jit
    def loss(log_N: Array) -> Array:
        # The steps paid for depend on the loss reached: iterate to their agreement.
        def again(_: int, L: Array) -> Array:
            return law(jnp.exp(log_N), C * (1 + B / law.critical_batch(L)) / (6 * jnp.exp(log_N) * B), B)

        return jax.lax.fori_loop(0, 200, again, jnp.asarray(floor))

    found = minimize_scalar(lambda x: float(loss(jnp.asarray(x))), bounds=(20.0, 28.0), method="bounded")
    np.testing.assert_allclose(found.fun, floor, rtol=1e-9)
    # The loss is flat to second order in ln N: its minimum is known to the root of that accuracy.
    np.testing.assert_allclose(found.x, np.log(float(law.cheapest(jnp.asarray(floor)).N)), atol=1e-3)


def test_exponents_of_the_frontier() -> None:
    law = from_published(SuNSB, "kaplan2020")
    low, high = (law.cheapest(jnp.asarray(L)) for L in (3.0, 2.0))
    span = np.log(float(high.C_min / low.C_min))
    got = [np.log(float(top / bottom)) / span for top, bottom in zip(high[:3], low[:3], strict=True)]
    # By hand: 1 / (1/.077 + 1/.21 + 1/.76) = .052453, over .077, .76 and .21.
    np.testing.assert_allclose(got, [0.6812, 0.0690, 0.2498], atol=1e-4)
