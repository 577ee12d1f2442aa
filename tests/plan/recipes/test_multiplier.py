"""Two recipes beside each other, against closed forms, SciPy, and ensembles built to cross where they should."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import norm

from jaxscale import BadInput, Ensemble
from jaxscale.core.law import AbstractLaw
from jaxscale.core.results import RESULTS
from jaxscale.laws.downstream.gadre2024 import GadreError
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.laws.loss.kaplan2020 import KaplanND
from jaxscale.laws.loss.videau2026 import Nested
from jaxscale.plan.recipes import Crossover, crossover, multiplier, probability_better
from jaxscale.plan.recipes.pairs import paired_laws

from ..conftest import BUDGETS, LAWS, OTHERS, SLACK, compute_for, least, stacked


def test_multiplier_against_the_closed_form_draw_by_draw(eps: float) -> None:
    found = multiplier(stacked(*LAWS), stacked(*OTHERS), BUDGETS, paired=True)
    expected = [compute_for(b, least(a, BUDGETS)) / BUDGETS for a, b in zip(LAWS, OTHERS, strict=True)]
    np.testing.assert_allclose(found, np.where(np.isnan(expected), np.inf, expected), rtol=SLACK * eps)


@pytest.mark.parametrize("reference", [KaplanND(), Nested(k=jnp.asarray(0.8))], ids=["KaplanND", "Nested"])
def test_multiplier_between_laws_against_scipy(reference: AbstractLaw, eps: float) -> None:
    """The compute at which the reference's own minimum, found by SciPy, reaches the loss of the recipe."""

    def best(log_C: float) -> float:
        def loss(log_N: float) -> float:
            return float(reference(N=jnp.exp(jnp.asarray(log_N)), D=jnp.exp(jnp.asarray(log_C - np.log(6) - log_N))))

        half = log_C / 2
        return float(minimize_scalar(loss, bounds=(half - 8, half + 8), method="bounded", options={"xatol": 1e-6}).fun)

    target = float(least(LAWS[0], np.array(1e21)))
    expected = brentq(lambda c: best(c) - target, np.log(1e15), np.log(1e28), xtol=1e-9)
    found = float(multiplier(LAWS[0], reference, 1e21))
    # SciPy minimises a loss that the law rounds too.
    assert np.log(found * 1e21) == pytest.approx(expected, abs=1e-8 + 2 * SLACK * eps)


def family(E: np.ndarray, K: np.ndarray, gamma: np.ndarray) -> Ensemble:
    """alpha = beta and A = B make N = D: L*(C) = E + K (C / 6)^-gamma."""
    draws = [Chinchilla(E=e, A=k / 2, B=k / 2, alpha=2 * g, beta=2 * g) for e, k, g in np.broadcast(E, K, gamma)]
    return stacked(*draws)


def twice(low: float, high: float, a2: float) -> tuple[float, float]:
    """E and K of a law with gamma 0.2 that meets 1 + a2 (C/6)^-0.15 at `low` and at `high`: linear in both."""
    y = np.array([low, high]) / 6
    return tuple(np.linalg.solve(np.stack([np.ones(2), y**-0.2], axis=1), 1 + a2 * y**-0.15))


# One draw for each of what may happen between 1e18 and 1e26: the recipe overtakes, is overtaken, is better, is worse,
# crosses twice, is the same. (The reference is 1 + 1e3 (C / 6)^-0.15.)
_E2, _K2 = twice(1e20, 1e24, 1e3)
_REFERENCE = family(np.ones(6), 1e3, 0.15)
_RECIPE = family(
    np.array([0.95, 1.05, 0.9, 1.1, _E2, 1.0]),
    np.array([1075.0, 930.0, 900.0, 1100.0, _K2, 1e3]),
    [0.15, 0.15, 0.15, 0.15, 0.2, 0.15],
)


def test_every_kind_of_crossover_is_told_apart(eps: float) -> None:
    found = crossover(_RECIPE, _REFERENCE, (1e18, 1e26), paired=True)
    # E - 1 = (1e3 - K) y^-0.15 where only E and K differ.
    overtakes, overtaken = (6 * (gap / 0.05) ** (1 / 0.15) for gap in (75.0, 70.0))
    expected = [overtakes, overtaken, np.nan, np.nan, 1e20, np.nan]
    # Between the floors the lead changes by 0.15 * 0.05 of a loss of 1.1 per unit of log C: 1e3 roundings of it.
    np.testing.assert_allclose(found.flops, expected, rtol=1e3 * 16 * eps)
    np.testing.assert_array_equal(found.count, [1, 1, 0, 0, 2, 0])
    np.testing.assert_array_equal(found.first, [-1, 1, 1, -1, -1, 0])
    shares = found.shares()
    assert shares == pytest.approx(dict.fromkeys(shares, 1 / 6))
    assert set(shares) == {"better", "worse", "overtakes", "overtaken", "several", "same"}
    once = found.quantiles((0.0, 0.5, 1.0))
    assert once is not None
    middle = np.sqrt(overtakes * overtaken)
    assert list(once.values()) == pytest.approx(sorted([overtaken, middle, overtakes]), rel=1e3 * 16 * eps)


def test_no_crossing_has_no_quantiles() -> None:
    never = Crossover(flops=jnp.array([jnp.nan]), count=jnp.array([0]), first=jnp.array([1]))
    assert never.quantiles() is None


def test_pairing_cancels_what_draws_share(eps: float) -> None:
    """B is 0.01 nats below A in every draw, while the draws differ by 0.1: sure if paired, a coin if not."""
    floors = np.array([1.7, 1.8, 1.9, 2.0])
    a, b = family(floors, 1e3, 0.15), family(floors - 0.01, 1e3, 0.15)
    shared, apart = (probability_better(b, a, BUDGETS, paired=p) for p in (True, False))
    np.testing.assert_array_equal(shared.average, 1)
    # Unpaired, draw i meets draw i + 2: below it twice, above it twice.
    np.testing.assert_array_equal(apart.average, 0.5)
    first, second, drawn = paired_laws(a, b, paired=False)
    assert drawn
    np.testing.assert_allclose(second.E, np.roll(first.E, -2) - 0.01, rtol=4 * eps)


def test_noise_tells_one_run_from_the_average(eps: float) -> None:
    """P(lead + noise of both runs > 0), normal."""
    a, b = family(np.array([1.70, 1.72, 1.69]), 1e3, 0.15), family(np.array([1.70, 1.70, 1.70]), 1e3, 0.15)
    found = probability_better(b, a, BUDGETS, noise=(0.003, 0.004), paired=True)
    loss_a, loss_b = (
        np.array([[1.70], [1.72], [1.69]]) + 1e3 * (BUDGETS / 6) ** -0.15,
        1.7 + 1e3 * (BUDGETS / 6) ** -0.15,
    )
    lead = np.log(loss_a / loss_b)
    np.testing.assert_allclose(found.average, 0.5)  # one tie, one better, one worse
    # The density of a standard normal stays below 0.4, and the noise magnifies roundings of log loss.
    np.testing.assert_allclose(found.one_run, norm.cdf(lead / 0.005).mean(axis=0), atol=0.4 * 16 * eps / 0.005)


def test_the_same_run_by_both_laws(eps: float) -> None:
    law, other = LAWS[0], LAWS[1]
    N, D = np.array([1e9, 1e11]), np.array([1e12, 1e10])
    lead = [
        float(jnp.log(other(N=jnp.asarray(n), D=jnp.asarray(d)) / law(N=jnp.asarray(n), D=jnp.asarray(d))))
        for n, d in zip(N, D, strict=True)
    ]
    found = probability_better(law, other, N=N, D=D, noise=0.01)
    np.testing.assert_array_equal(found.average, np.array(lead) > 0)
    np.testing.assert_allclose(
        found.one_run, norm.cdf(np.array(lead) / np.hypot(0.01, 0.01)), atol=0.4 * 64 * eps / 0.01
    )


def test_failed_draws_are_left_out_in_pairs() -> None:
    codes = jnp.array([RESULTS.converged, RESULTS.singular, RESULTS.converged], jnp.int32)
    first = Ensemble(stacked(*LAWS).law, jnp.zeros(3), codes)
    second = Ensemble(stacked(*OTHERS).law, jnp.zeros(3), codes[::-1].at[0].set(RESULTS.max_steps))
    a, b, _ = paired_laws(first, second, paired=True)
    np.testing.assert_array_equal(a.E, [LAWS[2].E])
    np.testing.assert_array_equal(b.E, [OTHERS[2].E])


def test_a_law_meets_every_draw_in_order() -> None:
    alone, draws, drawn = paired_laws(LAWS[0], stacked(*OTHERS), paired=False)
    assert drawn
    np.testing.assert_array_equal(draws.E, [law.E for law in OTHERS])
    np.testing.assert_array_equal(alone.E, [LAWS[0].E] * 3)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: multiplier(stacked(*LAWS), stacked(*LAWS[:2]), 1e22, paired=True), "as many draws of both, got 3"),
        (lambda: multiplier(LAWS[0], GadreError(), 1e22), "needs a law of N and D"),
        (lambda: probability_better(*LAWS[:2]), "either flops, or N and D"),
        (lambda: probability_better(*LAWS[:2], 1e22, N=1e9, D=1e10), "either flops, or N and D"),
        (lambda: probability_better(*LAWS[:2], N=1e9), "either flops, or N and D"),
        (lambda: probability_better(*LAWS[:2], 1e22, noise=-0.1), "noise: expected the standard deviation"),
        (lambda: crossover(*LAWS[:2], (1e24, 1e20)), "two rising budgets"),
        (lambda: multiplier(*LAWS[:2], 0.0), "flops: expected a positive"),
    ],
)
def test_bad_input_is_refused(call: object, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        call()  # type: ignore[operator]
