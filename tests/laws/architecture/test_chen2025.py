"""ParallelStreams: the printed formula, and what streams are worth in parameters."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.law import from_published
from jaxscale.laws.architecture.chen2025 import ParallelStreams

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("name", ParallelStreams.published)
def test_equals_the_printed_formula(name: str, agree: Callable[..., None]) -> None:
    N, P = 10 ** RNG.uniform(7, 12, 200), 2 ** RNG.uniform(0, 6, 200)
    v = ParallelStreams.published[name].values
    expected = v["E"] + (v["A"] / (N * (v["k"] * np.log(P) + 1))) ** v["alpha"]
    agree(from_published(ParallelStreams, name), {"N": N, "P": P}, expected)


def test_streams_are_worth_parameters(eps: float) -> None:
    law = ParallelStreams()
    N, P = jnp.asarray(1.6e9), jnp.asarray(8.0)
    larger = law.effective_parameters(N, P)
    np.testing.assert_allclose(law(larger, jnp.asarray(1.0)), law(N, P), rtol=32 * eps)
    np.testing.assert_allclose(larger / N, 1 + 0.334456 * 3 * np.log(2), rtol=8 * eps)
    np.testing.assert_allclose(law.streams_for(larger / N), P, rtol=64 * eps)
