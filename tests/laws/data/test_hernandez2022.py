"""RepeatedShare: hand algebra at the edges, the planner's bound as an inverse, and what the paper's figures give."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.laws.data.hernandez2022 import RepeatedShare
from jaxscale.laws.loss.kaplan2020 import KaplanN


def numbers(*values: float) -> list[jax.Array]:
    return [jnp.asarray(value, dtype=float) for value in values]


@pytest.mark.parametrize("N", [1.5e6, 8e8])
def test_damage_at_the_edges_is_half_of_the_greatest(N: float, eps: float) -> None:
    law = RepeatedShare()
    left, right = (float(edge) for edge in law.edges(*numbers(N)))
    # As printed, for N = 1; the law has eight digits of the left one at 1e8 parameters.
    assert left == pytest.approx(4.2e6 * N**-0.56, rel=4e-8 + 64 * eps)
    assert right == pytest.approx(5.1e7 * N**-0.50, rel=64 * eps)
    repeats = np.geomspace(left / 30, right * 30, 4001)
    damage = -np.log([float(x) / N for x in jax.vmap(lambda R: law(*numbers(N, 0.5), R))(jnp.asarray(repeats, float))])
    assert repeats[damage.argmax()] == pytest.approx(np.sqrt(left * right), rel=0.01)
    assert damage.max() == pytest.approx(np.log(10), rel=1e-5)
    for edge in (left, right):
        assert np.interp(np.log(edge), np.log(repeats), damage) == pytest.approx(np.log(10) / 2, rel=1e-3)


def test_larger_models_are_hurt_by_fewer_repeats_and_more_repeats_of_the_data_hurt_more() -> None:
    law = RepeatedShare()
    middles = [np.sqrt(np.prod([float(e) for e in law.edges(*numbers(N))])) for N in (1e7, 1e8, 1e9)]
    assert middles == sorted(middles, reverse=True)
    left = [float(law(*numbers(1e8, f, middles[1]))) for f in (0.01, 0.1, 0.5, 0.9)]
    assert left == sorted(left, reverse=True)


def test_tolerated_repeats_are_where_the_share_is_left(eps: float) -> None:
    """The law at the answer gives the share back, below the left edge; where all leave it, any number is tolerated."""
    law = RepeatedShare()
    N, f, share = 8e8, 0.3, 0.9
    most = law.tolerated(*numbers(N, f, share))
    assert float(most) < float(law.edges(*numbers(N))[0])
    # d ln N_eff / d ln R is at most h (odds)^gamma x / half width, below 5; ln R carries roundings of a size of 10.
    assert float(law(*numbers(N, f), most)) / N == pytest.approx(share, rel=5 * 10 * 16 * eps)
    assert np.isinf(float(law.tolerated(*numbers(N, 0.01, 0.3))))


def test_far_from_the_band_repeats_do_no_harm() -> None:
    """Through a law of loss: nothing is lost one hundredth of the left edge below it, and at most h in the band."""
    law, loss = RepeatedShare(), KaplanN()
    N, f = 8e8, 0.5
    left, right = (float(e) for e in law.edges(*numbers(N)))
    clean = float(loss(*numbers(N)))
    assert float(loss(law(*numbers(N, f, left / 100)))) == pytest.approx(clean, rel=1e-4)
    worst = float(loss(law(*numbers(N, f, np.sqrt(left * right)))))
    assert worst / clean == pytest.approx(10**0.076, rel=1e-5)
