"""Pearce: exponents around an anchor, and what separate regressions of N and D can and cannot give."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.law import from_published
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.laws.optimum.pearce2025 import PearceSize, PearceTokens

SETS = tuple(PearceSize.published)


@pytest.mark.parametrize("name", SETS)
def test_passes_through_the_anchor_with_the_printed_exponent(name: str, eps: float) -> None:
    size = from_published(PearceSize, name, N1=2e8, C1=3e19)
    tokens = from_published(PearceTokens, name, D1=2.5e10, C1=3e19)
    for law, anchor, exponent in ((size, size.N1, size.a), (tokens, tokens.D1, tokens.b)):
        np.testing.assert_allclose(law(law.C1), anchor, rtol=2 * eps)
        ratio = law(100 * law.C1) / law(law.C1)
        np.testing.assert_allclose(ratio, 100 ** float(exponent), rtol=32 * eps)


def test_only_the_task_of_the_paper_s_run_has_an_anchor() -> None:
    """894M parameters at 1.58e21 FLOP were a world model at 256 tokens per image; agents need runs of theirs."""
    C = jnp.asarray(1.58e21)
    for name in SETS:
        answers = [from_published(law, name)(C) for law in (PearceSize, PearceTokens)]
        assert all(bool(jnp.isnan(answer)) == (name != "pearce2025_wm_token_256") for answer in answers), name
        assert "C1" not in PearceSize.published[name].values or name == "pearce2025_wm_token_256"


def test_separate_regressions_on_one_count_of_compute_add_up_to_one() -> None:
    """Least squares is linear and ln D = ln C - ln 6 - ln N: whatever the noise in N, a + b = 1."""
    rng = np.random.default_rng(0)
    log_C = np.linspace(np.log(1e17), np.log(1e21), 12)
    log_N = 0.62 * log_C - 10 + rng.normal(0, 0.3, 12)
    a, b = (np.polyfit(log_C, y, 1)[0] for y in (log_N, log_C - np.log(6) - log_N))
    np.testing.assert_allclose(a + b, 1, rtol=1e-12)


def test_printed_exponents_add_up_to_one_within_their_rounding() -> None:
    for name in SETS:
        a, b = PearceSize.published[name].values["a"], PearceTokens.published[name].values["b"]
        assert isinstance(a, float)
        assert isinstance(b, float)
        assert abs(a + b - 1) <= 0.01 + 1e-12, name


def test_parametric_exponents_are_those_of_chinchilla() -> None:
    """a = beta / (alpha + beta): any coefficients with the ratio .32 : .68 give the exponents of bc_token_540."""
    law = Chinchilla(A=400.0, B=900.0, alpha=0.68 * 0.6, beta=0.32 * 0.6)
    low, high = (law.compute_optimal(jnp.asarray(C)) for C in (1e18, 1e22))
    slopes = [np.log(float(top / bottom)) / np.log(1e4) for top, bottom in zip(high, low, strict=True)]
    printed = PearceSize.published["pearce2025_bc_token_540"].values["a"]
    np.testing.assert_allclose(slopes, [printed, 1 - printed], rtol=1e-5)
