"""Hernandez et al. 2022 from its coefficients: there are no public runs.

The edges are the paper's and the height of the bump comes from two of its figures (a tenth of the parameters at 50 %
repeated, one part in 73 at 90 %), so the headline is a prediction: 800M parameters with 10 % of tokens repeated 100
times. It comes out at 294M, below the abstract's 400M and the text's 340M: the damage in ln N is 17 to 44 % too
large. A bump with one more number, its height at 10 %, would meet it by construction.
"""

from collections.abc import Callable

import jax.numpy as jnp
import pytest

from jaxscale.laws.data.hernandez2022 import RepeatedShare


def test_headline(beside: Callable[[str, object, object], None]) -> None:
    law = RepeatedShare()
    N, f, R = (jnp.asarray(x, float) for x in (8e8, 0.1, 100.0))
    left, right = law.edges(N)
    effective = float(law(N, f, R))
    beside(
        "800M, 10 % repeated 100 times: effective parameters, M", f"{effective / 1e6:.0f}", "400 (abstract), 340 (text)"
    )
    beside("band of an 800M model, repeats", f"{float(left):.0f} to {float(right):.0f}", "around 100")
    # By hand: ln R is 4.605, the edges 3.770 and 7.497, x = -.5519; ln 10 (1/9)^.28325 2^-.3046 = 1.0007.
    assert effective / 8e8 == pytest.approx(0.3676, abs=5e-4)
    assert float(left) < 100 < float(right)
    assert float(law.tolerated(N, f, jnp.asarray(0.9, float))) < 100


@pytest.mark.parametrize(("f", "penalty"), [(0.5, 10.0), (0.9, 73.0)])
def test_penalties_at_the_worst_number_of_repeats(
    f: float, penalty: float, beside: Callable[[str, object, object], None]
) -> None:
    law = RepeatedShare()
    N = jnp.asarray(8e8, float)
    left, right = law.edges(N)
    ours = float(N / law(N, jnp.asarray(f, float), jnp.sqrt(left * right)))
    beside(f"penalty in parameters at {100 * f:.0f} % repeated", f"{ours:.1f}", f"about {penalty:.0f}")
    assert ours == pytest.approx(penalty, rel=1e-4)
