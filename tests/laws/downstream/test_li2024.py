"""Li: the printed laws in their own units, the misprint, the bounded law beside them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.law import from_published
from jaxscale.laws.downstream.li2024 import BoundedScore, TifaC, TifaD, TifaN


@pytest.mark.parametrize(("low", "high", "scores"), [(1.0e11, 1.22e12, (0.78, 0.82))])
def test_compute_law_gives_the_observed_scores(low: float, high: float, scores: tuple[float, float]) -> None:
    law = from_published(TifaC, "printed")
    # C = (S / 0.47)^50 GFLOP, by hand.
    for gflop, score in zip((low, high), scores, strict=True):
        assert float(law(jnp.asarray(gflop * 1e9))) == pytest.approx(score, abs=5e-4)


def test_data_law_gives_the_observed_scores() -> None:
    law = from_published(TifaD, "printed")
    # D = (S / 0.64)^(100/3) million pairs, by hand.
    for million, score in ((1702, 0.80), (8643, 0.84)):
        assert float(law(jnp.asarray(million * 1e6))) == pytest.approx(score, abs=5e-5)


def test_the_printed_law_of_size_is_a_misprint() -> None:
    """More than perfect for every model of the study, twice as much for the largest; .011 fits what was observed."""
    printed, corrected = (from_published(TifaN, name) for name in ("printed", "corrected"))
    assert float(printed.perfect_at()) == pytest.approx(1e6 * (1 / 0.77) ** (1 / 0.11), rel=1e-4)
    low, high = TifaN.domain["N"]
    assert float(printed.perfect_at()) < low / 20
    assert float(printed(jnp.asarray(2.4e9))) == pytest.approx(1.81, abs=0.005)
    for N in (low, 2.4e9, high):
        assert 0.81 < float(corrected(jnp.asarray(N))) < 0.85


def test_power_laws_pass_a_perfect_score_and_the_bounded_law_does_not() -> None:
    law, bounded = from_published(TifaC, "printed"), from_published(BoundedScore, "compute")
    perfect = law.perfect_at()
    np.testing.assert_allclose(float(law(perfect)), 1, rtol=1e-5)
    assert float(law(2 * perfect)) > 1
    assert 0.99 < float(bounded(1e10 * perfect)) < 1


@pytest.mark.x64
@pytest.mark.parametrize(
    ("name", "axis", "printed"),
    [("compute", TifaC, "printed"), ("size", TifaN, "corrected"), ("data", TifaD, "printed")],
)
def test_bounded_law_touches_the_printed_one(
    name: str, axis: type[TifaC] | type[TifaN] | type[TifaD], printed: str
) -> None:
    bounded = from_published(BoundedScore, name)
    here = jax.value_and_grad(bounded)(bounded.x_r)
    there = jax.value_and_grad(from_published(axis, printed))(bounded.x_r)
    np.testing.assert_allclose(here, there, rtol=1e-12)


def test_scale_for_undoes_the_bounded_law(eps: float) -> None:
    law = BoundedScore()
    for score in (0.5, 0.9, 0.99):
        at = law.scale_for(jnp.asarray(score))
        # A relative error of x enters the log-odds times a, and the score times 1 - S: nothing is amplified.
        np.testing.assert_allclose(float(law(at)), score, rtol=64 * eps)
