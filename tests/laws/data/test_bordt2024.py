"""Contamination: odds by hand, its limits, the planner's inverse; an update's decay against products and AdamW."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from jaxscale.laws.data.bordt2024 import Contamination, retained


def numbers(*values: float) -> list[jax.Array]:
    return [jnp.asarray(value, dtype=float) for value in values]


def test_odds_by_hand(eps: float) -> None:
    """Round exponents: at r = 4 r_0 and 8e10 tokens, 20 per parameter, the odds grow by 1 + 4 x 2; at 40, by 4 x 2 / e.

    Of runs of 20 tokens per parameter nothing is forgotten beyond the reference's share.
    """
    law = Contamination(r_0=3.0, a=1.0, c=0.5, m=20.0)
    for N, grown in ((4e9, 9.0), (2e9, 1 + 8 / np.e)):
        y = float(law(*numbers(12.0, N, 8e10, 0.5)))
        assert y / (1 - y) == pytest.approx(grown, rel=200 * eps)


def test_no_repeats_are_no_gain_and_have_derivatives() -> None:
    law = Contamination()
    at = numbers(0.0, 1e9, 2e10, 0.45)
    assert float(law(*at)) == pytest.approx(0.45, rel=1e-6)
    slopes = jax.grad(lambda law, r, *rest: law(r, *rest), argnums=(0, 1))(law, *at)
    assert all(float(slope) == 0 for slope in jax.tree.leaves(slopes))


def test_never_below_the_holdout_and_never_above_one() -> None:
    law = Contamination()
    r = jnp.asarray(np.geomspace(1e-3, 1e5, 50), float)
    y = np.asarray(jax.vmap(lambda r: law(r, *numbers(1e9, 2e10, 0.45)))(r))
    assert np.all(np.diff(y) >= 0)
    assert 0 <= y[0] - 0.45 < 1e-4
    assert 0.999 < y[-1] <= 1


def test_tokens_that_wash_out(eps: float) -> None:
    """The law at the answer gives the excess, more tokens less, and more repeats need more tokens."""
    law = Contamination()
    answers = []
    for r in (12.0, 24.0, 144.0):
        tokens = law.washed_out(*numbers(r, 1e9, 0.45, 0.02))
        # y is near .5 and known to eps; the excess is .02, its rounding that of y.
        assert float(law(*numbers(r, 1e9), tokens, *numbers(0.45))) - 0.45 == pytest.approx(0.02, abs=200 * eps)
        assert float(law(*numbers(r, 1e9), 1.1 * tokens, *numbers(0.45))) - 0.45 < 0.02
        answers.append(float(tokens))
    assert answers == sorted(answers)


def test_tokens_that_wash_out_agree_with_scipy() -> None:
    """The larger root of the excess in D, by bracketing from the tokens at which the gain is largest."""
    law = Contamination()
    for r, N, excess in ((12.0, 124e6, 0.014), (32.0, 124e6, 0.05), (144.0, 1.6e9, 0.3)):
        most = float(law.c * law.m) * N

        def off(log_D: float, r: float = r, N: float = N, excess: float = excess) -> float:
            return float(law(*numbers(r, N, np.exp(log_D), 0.46))) - 0.46 - excess

        expected = np.exp(brentq(off, np.log(most), np.log(100 * most), xtol=1e-12))
        # Accuracies of .5 round by eps, an excess of .014 of them by 1e-5 in float32, and D goes with the gain's log.
        assert float(law.washed_out(*numbers(r, N, 0.46, excess))) == pytest.approx(expected, rel=1e-4)


def test_nothing_to_wash_out_where_no_run_gains_so_much() -> None:
    """At its most, c m tokens per parameter, one repeat of a small model gains less than that."""
    law = Contamination()
    assert float(law.washed_out(*numbers(1.0, 1e8, 0.45, 0.2))) == 0
    slope = jax.grad(lambda e: law.washed_out(*numbers(1.0, 1e8, 0.45), e))(jnp.asarray(0.2))
    assert float(slope) == 0


def test_retained_is_the_product_of_later_decays(eps: float) -> None:
    rate, decay = np.random.default_rng(0).uniform(0, 0.5, 200), 0.3
    got = np.asarray(retained(jnp.asarray(rate, float), jnp.asarray(decay, float)))
    expected = [np.prod(1 - rate[step + 1 :] * decay) for step in range(rate.size)]
    assert got[-1] == 1
    # Logarithms add up to 15, each term rounded.
    assert got == pytest.approx(np.array(expected), rel=15 * rate.size * eps)


def test_retained_does_what_adamw_does(eps: float) -> None:
    """Weights from decoupled decay, step by step, are the start and every update, each by what is retained of it."""
    rng = np.random.default_rng(1)
    rate, updates, decay = 0.1 * rng.random(50), rng.standard_normal(50), 0.2
    weight = start = 1.5
    for eta, update in zip(rate, updates, strict=True):
        weight = (1 - eta * decay) * weight - eta * update
    share = np.asarray(retained(jnp.asarray(rate, float), jnp.asarray(decay, float)))
    from_start = start * float(share[0]) * (1 - rate[0] * decay)
    assert from_start - np.sum(rate * updates * share) == pytest.approx(weight, abs=100 * eps)
