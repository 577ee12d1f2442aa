"""Tao et al. 2024: best vocabularies by three approaches, and the third fitted anew to the 1054 checkpoints used.

Oracles: the vocabularies of the paper's table (`training-laws.md` 10), the coefficients at the precision of the
authors' repository, the data folder's own SciPy fit (with V / 1000 in the token formula: 1.829 .191 2.122 5.535 .445
.664). Twenty checkpoints of each run are correlated, and the width follows from the size: the objective cares, the
coefficients' error bars would.

What comes out otherwise. The plain optimum of the authors' objective is 4e-7 lower than theirs, with coefficients
that differ by up to 2.7 %, as their search stopped. With the tokens there are (`per` = 1) the cost of a small
vocabulary vanishes: A_2 ends on the edge of its support, the fit says so, and there is no best vocabulary. The folder's
own fit there has E 5.582 and .420 where ours has 5.542 and .434: it lets alpha_2 become negative, we do not.
"""

from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale import Fit, Runs, fit, from_published, load
from jaxscale.core.evaluate import predict
from jaxscale.laws.architecture.tao2024 import VocabularyByCompute, VocabularyBySize, VocabularyLoss, tabled_width
from jaxscale.objectives.penalty import raw_huber

Beside = Callable[[str, object, object], None]
DELTA = 1e-3
UNITS = {"A_1": ("alpha", 1e6), "A_2": ("alpha_2", 1e6), "B": ("alpha", 1e9)}


@pytest.fixture(scope="module")
def runs(data_dir: Path) -> Runs:
    study = load("vocab_scaling", where="flops >= 2.18e17")
    columns = {"N_nv": "params_non_vocab", "V": "vocab", "d": "width", "H": "characters"}
    return Runs.of(
        {name: study.table[column] for name, column in columns.items()}, study.table["loss_unigram_normalized"]
    )


@pytest.fixture(scope="module")
def fitted(runs: Runs) -> Fit:
    return fit(VocabularyLoss(), runs, raw_huber(DELTA))


def objective(law: VocabularyLoss, runs: Runs) -> float:
    r = np.abs(np.asarray(jax.jit(predict)(law, runs)) - np.asarray(runs.target))
    return float(np.where(r <= DELTA, 0.5 * r**2, DELTA * (r - 0.5 * DELTA)).sum())


def in_their_units(law: VocabularyLoss) -> dict[str, float]:
    """Coefficients for millions of parameters and billions of tokens."""
    plain = {name: float(getattr(law, name)) for name in ("A_1", "A_2", "B", "E", "alpha", "alpha_2")}
    return plain | {name: plain[name] * unit ** -plain[exponent] for name, (exponent, unit) in UNITS.items()}


@pytest.mark.parametrize(
    ("N", "printed"),
    [(2.87e9, (37.9, 41.0, 35.3)), (7e9, (62.3, 67.5, 59.5)), (70e9, (211.9, 230.9, 218.0))],
    ids=["2.87B", "7B", "70B"],
)
def test_best_vocabularies(N: float, printed: tuple[float, ...], beside: Beside) -> None:
    """Thousands of entries, one decimal, at the compute for which N non-vocabulary parameters are best."""
    size = jnp.asarray(N, dtype=float)
    C = from_published(VocabularyByCompute, "non_vocabulary").compute_for(size)
    best = (VocabularyByCompute()(C), VocabularyBySize()(size), VocabularyLoss().optimal_params(size, C))
    got = [float(x / tabled_width(size)) / 1e3 for x in best]
    beside(f"V* at {N:.3g}, approaches 1 2 3, thousands", " ".join(f"{x:.1f}" for x in got), printed)
    # 59.548 and 67.450 are printed as 59.5 and 67.5.
    assert got == pytest.approx(printed, abs=0.0501)


@pytest.mark.x64
def test_the_runs(runs: Runs) -> None:
    assert runs.size == 1054


@pytest.mark.x64
@pytest.mark.slow
def test_coefficients_as_the_authors_count(runs: Runs, fitted: Fit, beside: Beside) -> None:
    assert fitted.certificate.certified
    theirs = from_published(VocabularyLoss, "tao2024")
    beside("objective with V / 1000", f"{fitted.value:.7f}", f"{objective(theirs, runs):.7f}")
    assert fitted.value < objective(theirs, runs) < fitted.value + 1e-6
    folder = {"A_1": 1.829, "A_2": 0.191, "B": 2.122, "E": 5.535, "alpha": 0.445, "alpha_2": 0.664}
    ours, published = in_their_units(fitted.law), in_their_units(theirs)
    for name, value in ours.items():
        beside(f"{name} with V / 1000", f"{value:.4g}", f"{published[name]:.4g}")
        assert value == pytest.approx(folder[name], abs=5e-4), name
        assert value == pytest.approx(published[name], rel=0.03), name


@pytest.mark.x64
@pytest.mark.slow
def test_share_of_variance(runs: Runs, fitted: Fit) -> None:
    """R2 .9715 of the data folder's check, for the same optimum."""
    off = np.asarray(jax.jit(predict)(fitted.law, runs)) - np.asarray(runs.target)
    assert 1 - off.var() / np.asarray(runs.target).var() == pytest.approx(0.9715, abs=5e-4)


@pytest.mark.x64
@pytest.mark.slow
def test_refitted_vocabulary_at_7b(fitted: Fit, beside: Beside) -> None:
    size = jnp.asarray(7e9)
    C = from_published(VocabularyByCompute, "non_vocabulary").compute_for(size)
    got = float(fitted.law.optimal_params(size, C) / tabled_width(size)) / 1e3
    beside("V* at 7B of our own fit, thousands", f"{got:.1f}", 59.5)
    assert got == pytest.approx(59.5, abs=0.05)


@pytest.mark.x64
@pytest.mark.slow
def test_with_the_tokens_there_are_the_fit_is_worse(runs: Runs, fitted: Fit, beside: Beside) -> None:
    """By 8 % of the sum, with a vocabulary term that falls faster; without that term it is worse still."""
    true = fit(VocabularyLoss(per=1.0), runs, raw_huber(DELTA))
    published = in_their_units(from_published(VocabularyLoss, "tao2024"))
    for name, value in in_their_units(true.law).items():
        beside(f"{name} without the quirk", f"{value:.4g}", f"{published[name]:.4g} (with it)")
    assert true.value > 1.07 * fitted.value
    assert float(true.law.alpha_2) > 1.5 * float(fitted.law.alpha_2)
    without = fit(VocabularyLoss(per=1.0), runs, raw_huber(DELTA), fixed={"A_2": 0.0, "alpha_2": 1.0})
    beside("objective without a vocabulary term", f"{without.value:.5f}", f"{true.value:.5f} (with it)")
    assert without.value > true.value
