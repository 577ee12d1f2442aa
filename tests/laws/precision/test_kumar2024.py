"""The two terms and their sum: the printed formula in NumPy, optima by numerical search, limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from jaxscale.core.law import from_published
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.laws.precision.kumar2024 import PostTrainingPrecision, PrecisionTraining, UnifiedPrecision

TRAINED = {k: np.asarray(v) for k, v in PrecisionTraining.published["integers"].values.items()}
POST = {k: float(v) for k, v in PostTrainingPrecision.published["gptq"].values.items()}


def numbers(*values: float):
    return tuple(jnp.asarray(value, dtype=float) for value in values)


def printed(N, D, *P):
    worth = np.prod(1 - np.exp(-np.array(P) / TRAINED["gamma"] + TRAINED["n"]))
    return TRAINED["A"] * (N * worth) ** -TRAINED["alpha"] + TRAINED["B"] * D ** -TRAINED["beta"] + TRAINED["E"]


def printed_post(N, D, *P):
    *train, post = P
    helped = np.prod([1 - np.exp(-POST["b"] * (x - post)) for x in train])
    return POST["C_T"] * D ** POST["gamma_D"] / N ** POST["gamma_N"] * np.exp(-post / POST["gamma_post"]) * helped


def test_equal_the_printed_formulas(eps: float) -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        N, D, post = 10 ** rng.uniform(7.5, 10), 10 ** rng.uniform(9.2, 12), rng.uniform(3, 6)
        P = rng.uniform(7, 16, 3)
        assert float(PrecisionTraining()(*numbers(N, D, *P))) == pytest.approx(printed(N, D, *P), rel=64 * eps)
        got = float(PostTrainingPrecision()(*numbers(N, D, *P, post)))
        # Exponents up to 14 and 10 in size are rounded.
        assert got == pytest.approx(printed_post(N, D, *P, post), rel=64 * eps)


def test_full_precision_is_chinchilla(eps: float) -> None:
    law = PrecisionTraining()
    plain = Chinchilla(E=law.E, A=law.A, B=law.B, alpha=law.alpha, beta=law.beta)
    # 200 bits leave exp(-75).
    assert float(law(*numbers(1e9, 1e11, 200, 200, 200))) == pytest.approx(
        float(plain(*numbers(1e9, 1e11))), rel=32 * eps
    )


@pytest.mark.parametrize("name", PrecisionTraining.published)
def test_optimal_bits_are_best_at_equal_compute(name: str) -> None:
    """N goes as 1 / P; another size and amount of data have the same optimum."""
    law = from_published(PrecisionTraining, name)
    gamma, n = (np.asarray(x, float) for x in (law.gamma, law.n))

    def loss(P: float) -> float:
        worth = np.prod(1 - np.exp(-P / gamma + n))
        return (worth * 1e9 / P) ** -float(law.alpha)

    found = minimize_scalar(loss, bounds=(3.2, 16), method="bounded", options={"xatol": 1e-9})
    eps = float(jnp.finfo(law.gamma.dtype).eps)
    # The slope of order 1e-2 per bit is a difference of numbers of order one tenth.
    assert float(law.optimal_bits()) == pytest.approx(found.x, abs=1e-6 + 1000 * eps)


@pytest.mark.parametrize("n", [(0.3037, 1.4072, 2.4185), (-0.1, -0.2, -0.1)])
def test_derivatives_of_the_optimal_bits(n: tuple[float, ...]) -> None:
    """By the offsets: the slope sum 1/(gamma (e^x - 1)) - 1/P, x = P/gamma - n, differentiated by n and by P."""
    law = PrecisionTraining().replace(n=jnp.asarray(n, float))
    bits, slopes = jax.value_and_grad(lambda n: law.replace(n=n).optimal_bits())(law.n)
    gamma, P = np.asarray(law.gamma, np.float64), float(bits)
    up = np.exp(P / gamma - np.asarray(n))
    assert np.sum(1 / (gamma * (up - 1))) == pytest.approx(1 / P, rel=1e-4)
    by_n, by_P = up / (gamma * (up - 1) ** 2), 1 / P**2 - np.sum(up / (gamma * (up - 1)) ** 2)
    np.testing.assert_allclose(slopes, -by_n / by_P, rtol=1e-3)


def test_no_optimal_bits_are_not_a_number() -> None:
    """Where even no bits leave most of the worth, fewer are always better."""
    assert np.isnan(float(PrecisionTraining().replace(n=jnp.full(3, -5.0)).optimal_bits()))


def test_a_format_that_leaves_nothing_stays_finite() -> None:
    """3 bits in activations, where the printed factor is negative."""
    value, slopes = jax.value_and_grad(lambda law: law(*numbers(1e8, 1e10, 3, 3, 3)))(PrecisionTraining())
    assert bool(jnp.isfinite(value))
    assert all(bool(jnp.all(jnp.isfinite(x))) for x in jax.tree.leaves(slopes))


def test_no_coarser_than_training_adds_nothing() -> None:
    law = PostTrainingPrecision()
    assert float(law(*numbers(1e8, 1e10, 4, 8, 8, 4))) == 0
    assert float(law(*numbers(1e8, 1e10, 4, 8, 8, 6))) == 0


def test_critical_tokens_are_where_the_sum_is_least() -> None:
    law, B, beta = PostTrainingPrecision(), 18060.0, 0.4965

    def slope(x: float) -> float:
        D = np.exp(x)
        return POST["gamma_D"] * printed_post(1e8, D, 16, 16, 16, 3) - beta * B * D**-beta

    want = brentq(slope, 15, 40, xtol=1e-12)
    got = float(jnp.log(law.critical_tokens(*numbers(1e8, 3, B, beta, 16))))
    assert got == pytest.approx(want, rel=1e-6)


def test_the_unified_law_is_the_sum_and_loses_its_last_term_with_bits(eps: float) -> None:
    law = UnifiedPrecision()
    rng = np.random.default_rng(1)
    for _ in range(30):
        N, D, post = 10 ** rng.uniform(7.5, 9.3), 10 ** rng.uniform(9.2, 10.5), rng.uniform(3, 6)
        P = rng.uniform(7, 16, 3)
        trained = printed(N, D, *P)
        want = trained + printed_post(N, D, *P, post)
        assert float(law(*numbers(N, D, *P, post))) == pytest.approx(want, rel=64 * eps)
        # Where rounding is finer than training nothing is added, nor with training exact: exp(-60 / 0.59) is 1e-44.
        assert float(law(*numbers(N, D, *P, 60))) == pytest.approx(trained, rel=64 * eps)
        exact = float(law(*numbers(N, D, 100, 100, 100, 60)))
        assert exact == pytest.approx(printed(N, D, 100, 100, 100), rel=64 * eps)
        assert float(law(*numbers(N, D, *P, 3))) > trained
