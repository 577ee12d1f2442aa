"""KnowledgeCapacity: the published anchors, and planners that undo the law. Its result tables are not public."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.laws.precision.allenzhu2024 import BITS_PER_PERSON, KnowledgeCapacity

Beside = Callable[[str, object, object], None]


def numbers(*values: float):
    return tuple(jnp.asarray(value, dtype=float) for value in values)


@pytest.mark.parametrize(("exposures", "printed"), [(100, 1.0), (1000, 2.0)])
def test_bits_per_parameter(exposures: float, printed: float, beside: Beside) -> None:
    """Half a unit of "2 bits" would be .5; the docstring claims 5 %."""
    got = float(KnowledgeCapacity().bits_per_param(*numbers(exposures)))
    beside(f"bits per parameter after {exposures} exposures", f"{got:.2f}", printed)
    assert got == pytest.approx(printed, rel=0.05)


def test_what_7b_parameters_hold(eps: float) -> None:
    """14e9 bits, in the limit of exposures."""
    assert float(KnowledgeCapacity()(*numbers(7e9, 1e12))) == pytest.approx(14e9, rel=16 * eps)


def test_planners_undo_the_law(eps: float) -> None:
    law = KnowledgeCapacity()
    facts, bits, e = numbers(1e8, BITS_PER_PERSON, 300)
    N = law.least_params(facts, bits, e)
    assert float(law(N, e)) == pytest.approx(1e8 * BITS_PER_PERSON, rel=16 * eps)
    assert float(law.least_exposures(facts, bits, N)) == pytest.approx(300, rel=128 * eps)
    assert np.isinf(float(law.least_exposures(facts, bits, facts * bits / 2.1)))
