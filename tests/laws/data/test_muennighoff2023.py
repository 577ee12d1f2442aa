"""DataConstrained: the printed formula in NumPy, its limits, derivatives at its kinks, range in float32; smoothed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.laws.data.muennighoff2023 import DataConstrained, SmoothDataConstrained
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.testing.rounding import rounding

RNG = np.random.default_rng(0)
PUBLISHED = DataConstrained.published["muennighoff2023"].values


def printed(N, D, U, *, E, A, B, alpha, beta, R_D, R_N):
    """The formula as the paper prints it, in float64."""
    U = np.minimum(D, U)
    repeats = np.maximum(D / U - 1, 0)
    D = U + U * R_D * (1 - np.exp(-repeats / R_D))
    G = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    U_N = np.minimum(N, (U * G) ** (beta / alpha) * G)
    excess = np.maximum(N / U_N - 1, 0)
    N = U_N + U_N * R_N * (1 - np.exp(-excess / R_N))
    return E + A / N**alpha + B / D**beta


def numbers(*values: float) -> list[jax.Array]:
    return [jnp.asarray(value, dtype=float) for value in values]


def test_equals_the_printed_formula() -> None:
    """On both sides of both kinks, with A and B, the exponents and the two R* apart."""
    n = 400
    inputs = {"N": np.exp(RNG.uniform(np.log(1e7), np.log(1e12), n))}
    inputs["U"] = np.exp(RNG.uniform(np.log(1e8), np.log(1e12), n))
    inputs["D"] = inputs["U"] * np.exp(RNG.uniform(-2, 7, n))
    spread = {"E": 0.2, "A": 1.0, "B": 1.0, "alpha": 0.3, "beta": 0.3, "R_D": 2.3, "R_N": 2.3}
    params = {name: PUBLISHED[name] * np.exp(RNG.uniform(-s, s, n)) for name, s in spread.items()}
    laws = jax.vmap(lambda p: DataConstrained(**p))({name: jnp.asarray(x, float) for name, x in params.items()})
    given = {name: jnp.asarray(x, float) for name, x in inputs.items()}
    expected = printed(**inputs, **params)
    got = jax.vmap(lambda law, x: law(**x))(laws, given)
    assert np.all(np.abs(np.asarray(got, np.float64) - expected) <= rounding(laws, given))


def test_worth_of_repeated_tokens() -> None:
    """D'/D after 2, 4, 8, 16 and 40 epochs (training-laws.md 9a, three digits); ceilings 16.4 U_D and 6.3 U_N."""
    U, law = 25e9, DataConstrained()
    for epochs, share in {2: 0.984, 4: 0.931, 8: 0.828, 16: 0.661, 40: 0.379}.items():
        _, worth = law.effective(*numbers(1e9, epochs * U, U))
        assert float(worth) / (epochs * U) == pytest.approx(share, abs=5e-4), epochs
    size, data = law.effective(*numbers(1e16, 1e6 * U, U))
    assert float(data) / U == pytest.approx(16.4, abs=0.05)
    optimal = (PUBLISHED["A"] / PUBLISHED["B"]) ** (1 / PUBLISHED["alpha"]) * U  # for equal exponents
    assert float(size) / optimal == pytest.approx(6.3, abs=0.05)


def test_optimal_size_of_the_authors(eps: float) -> None:
    """Their notebook prints N_opt and D_opt at 5.76e23 FLOP; at 2 N_opt the worth is known in closed form."""
    N, D = 69962173313.52132, 1372170066384.2363
    law = DataConstrained()
    below, above = (float(law.effective(*numbers(k * N, D, D))[0]) for k in (0.9, 2.0))
    # log N_opt is of size 25 and divided by the exponent .35: its rounding is that of N_opt itself.
    rtol = 8 * eps * np.log(D) / PUBLISHED["alpha"]
    assert below == pytest.approx(0.9 * N, rel=rtol)
    assert above == pytest.approx(N * (1 - PUBLISHED["R_N"] * np.expm1(-1 / PUBLISHED["R_N"])), rel=rtol)


def test_without_decay_it_is_chinchilla() -> None:
    names = ("E", "A", "B", "alpha", "beta")
    law = DataConstrained().replace(R_D=1e15, R_N=1e15)
    plain = Chinchilla(**{name: PUBLISHED[name] for name in names})
    N, D, U = numbers(8.67e9, 178e9, 1e9)
    slack = rounding(*jax.tree.map(lambda leaf: leaf[None], (law, {"N": N, "D": D, "U": U})))[0]
    # What decay is left is R / 2 R* < 1e-12 of N' and D'.
    assert abs(float(law(N, D, U)) - float(plain(N, D))) <= slack + 1e-12


@pytest.mark.parametrize("by", ["N", "D", "U"])
@pytest.mark.parametrize(("N", "D"), [(1e8, 1e9), (1e9, 4e9), (1e9, 1e9)], ids=["D = U", "N = N_opt", "both"])
def test_derivatives_at_the_kinks(N: float, D: float, by: str, eps: float) -> None:
    """Between the one-sided derivatives of the printed formula. A = B and alpha = beta put N_opt at U_D exactly."""
    params = {**PUBLISHED, "A": 1024.0, "B": 1024.0, "alpha": 0.5, "beta": 0.5}
    law, at = DataConstrained(**params), {"N": N, "D": D, "U": 1e9}
    there = dict(zip(at, numbers(*at.values()), strict=True))
    by_params, by_inputs = jax.grad(lambda law, x: law(**x), argnums=(0, 1))(law, there)
    got = float(by_inputs[by]) * at[by]
    h = 1e-6
    here = printed(**at, **params)
    right = (printed(**{**at, by: at[by] * (1 + h)}, **params) - here) / h
    left = (here - printed(**{**at, by: at[by] * (1 - h)}, **params)) / h
    # Second derivatives in log x are below 1; differences round to eps / h, the law to a hundred roundings.
    slack = h + 4 * 2.3e-16 * here / h + 100 * eps * here
    assert min(left, right) - slack <= got <= max(left, right) + slack
    assert all(bool(jnp.isfinite(g)) for g in jax.tree.leaves(by_params))


@pytest.mark.parametrize(("alpha", "beta", "A", "B"), [(0.02, 0.6, 1e-2, 1e6), (0.6, 0.02, 1e6, 1e-2)])
def test_far_excess_neither_overflows_nor_loses_the_limit(
    alpha: float, beta: float, A: float, B: float, eps: float
) -> None:
    """Far above N_opt the size term is (beta/alpha) B U^-beta (1 + R_N)^-alpha; N_opt is e^-700 in the first case."""
    law = DataConstrained(alpha=alpha, beta=beta, A=A, B=B, E=1.0)
    N, D, U = 1e13, 1e8, 1e8
    log_optimal = (np.log(alpha * A / (beta * B)) + beta * np.log(U)) / alpha
    if log_optimal < np.log(N):
        size = beta / alpha * B * U**-beta * (1 + PUBLISHED["R_N"]) ** -alpha
    else:
        size = A * N**-alpha
    expected = 1.0 + size + B * D**-beta
    value, gradients = jax.value_and_grad(lambda law: law(*numbers(N, D, U)))(law)
    # log N_opt (700) enters times alpha: a few roundings of 14, A and B as logarithms of the same size.
    assert float(value) == pytest.approx(expected, rel=64 * eps * 14)
    assert all(bool(jnp.isfinite(g)) for g in jax.tree.leaves(gradients))


def smooth(w: float, **params: float) -> SmoothDataConstrained:
    return SmoothDataConstrained(**{**PUBLISHED, **params, "w": w})


def test_smooth_law_tends_to_the_printed_one_to_a_derived_bound() -> None:
    r"""Softplus exceeds the maximum by $\delta = w \ln(1 + e^{-|x|/w})$, and neither rises faster than x.

    ln N' and ln D' fall by at most one per unit of ln(N/U_N) and ln(D/U_D), and ln N_opt by beta/alpha per unit of
    the latter. So the size term grows by a factor of at most exp(alpha delta_N + beta delta_D) and the data term by
    exp(beta delta_D), and none shrinks.
    """
    n = 400
    U = np.exp(RNG.uniform(np.log(1e8), np.log(1e12), n))
    D = U * np.exp(RNG.uniform(-3, 3, n))
    optimal = (PUBLISHED["A"] / PUBLISHED["B"]) ** (1 / PUBLISHED["alpha"]) * np.minimum(D, U)  # equal exponents
    N = optimal * np.exp(RNG.uniform(-3, 3, n))
    w = np.exp(RNG.uniform(np.log(0.003), np.log(0.3), n))
    laws = jax.vmap(smooth)(jnp.asarray(w, float))
    given = {name: jnp.asarray(x, float) for name, x in {"N": N, "D": D, "U": U}.items()}
    got = np.asarray(jax.vmap(lambda law, x: law(**x))(laws, given), np.float64)
    above_N, above_D = (w * np.log1p(np.exp(-np.abs(np.log(ratio)) / w)) for ratio in (N / optimal, D / U))
    reducible = printed(N, D, U, **{**PUBLISHED, "E": 0.0})
    bound = reducible * np.expm1(PUBLISHED["alpha"] * above_N + PUBLISHED["beta"] * above_D)
    slack = rounding(laws, given)
    off = got - printed(N, D, U, **PUBLISHED)
    assert np.all(off <= bound + slack)
    assert np.all(off >= -slack)
    far = np.minimum(np.abs(np.log(N / optimal)), np.abs(np.log(D / U))) > 40 * w
    assert far.sum() > 50
    assert np.all(np.abs(off[far]) <= slack[far])


def test_default_width_costs_less_than_a_thousandth(eps: float) -> None:
    """Along both kinks, where it costs most; the docstring says so."""
    U = 25e9
    optimal = (PUBLISHED["A"] / PUBLISHED["B"]) ** (1 / PUBLISHED["alpha"]) * U
    for N, D in [(optimal, U), (10 * optimal, U), (1e3 * optimal, U), (optimal, 10 * U), (optimal, 1e3 * U)]:
        law, rounded = (float(cls()(*numbers(N, D, U))) for cls in (DataConstrained, SmoothDataConstrained))
        assert -64 * eps < rounded / law - 1 < 1e-3


def test_smooth_derivative_is_continuous_where_the_printed_one_jumps() -> None:
    """At D = U with N far above N_opt, a step of h in ln U changes the slope by h times a curvature of order 1/w.

    The printed law's slope in ln U falls to zero there at once: for D < U only D counts.
    """
    N, D, w, h = 1e11, 1e10, 0.1, 1e-3

    def slope(law: DataConstrained | SmoothDataConstrained, log_U: float) -> float:
        return float(jax.grad(lambda u: law(*numbers(N, D), jnp.exp(u)))(jnp.asarray(log_U, float)))

    below, above = (slope(DataConstrained(), np.log(D) + side * h) for side in (-1, 1))
    assert above == 0
    assert below < -0.05
    curvatures = []
    for x in np.linspace(-8 * w, 8 * w, 33):
        left, right = (slope(smooth(w), np.log(D) + x + side * h) for side in (-1, 1))
        curvatures.append(abs(right - left) / (2 * h))
    # The slope `below` is switched off by a sigmoid, whose own slope is 1/4w; by itself it halves in no less than a
    # unit of ln U. The printed law would give below / 2h, 200 times as much.
    assert abs(below) / (8 * w) <= max(curvatures) <= abs(below) * (1 / (4 * w) + 1)
