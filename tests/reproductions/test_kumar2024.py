"""Kumar et al. 2024: the compute-optimal training precision follows from the printed coefficients.

Oracle: the paper's 7 to 8 bits (`training-laws.md` 11b computes 7.00 with the offsets n), the 3.5 bits that come out
without them, and the 5.1 of the simplified form with the weights' constant for all three tensors. Runs are not public.
"""

from collections.abc import Callable

import jax.numpy as jnp
import pytest

from jaxscale.laws.precision.kumar2024 import PostTrainingPrecision, PrecisionTraining

Beside = Callable[[str, object, object], None]
NONE = (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("what", "law", "printed", "half"),
    [
        ("with the offsets n", {}, 7.00, 0.005),
        ("without n", {"n": NONE}, 3.5, 0.05),
        ("weights' gamma for all, without n", {"n": NONE, "gamma": (2.6745,) * 3}, 5.1, 0.05),
    ],
)
def test_optimal_precision(what: str, law: dict, printed: float, half: float, beside: Beside) -> None:
    got = float(PrecisionTraining(**law).optimal_bits())
    beside(f"optimal bits {what}", f"{got:.2f}", "7-8" if not law else printed)
    assert got == pytest.approx(printed, abs=half)


def test_over_training_hurts_models_that_are_rounded_later(beside: Beside) -> None:
    """At 3 bits the critical amount of data lies within reach, at 8 bits far beyond."""
    N, B, beta = (jnp.asarray(x, dtype=float) for x in (1e8, 18060.0, 0.4965))
    tokens = [
        float(PostTrainingPrecision().critical_tokens(N, jnp.asarray(bits, dtype=float), B, beta, jnp.full_like(N, 16)))
        for bits in (3.0, 4.0, 8.0)
    ]
    beside(
        "critical tokens of 100M rounded to 3, 4, 8 bits, B", " ".join(f"{x / 1e9:.3g}" for x in tokens), "none printed"
    )
    assert tokens[0] < 26e9 < tokens[2]
