"""Each gate refuses what it is for, with a sentence that names the culprit, and nothing else."""

from typing import Any

import numpy as np
import pytest

from jaxscale.infer.diagnosis import Gates, diagnose

NAMES = ("E", "alpha")
SHAPE = (4, 1000)


def good() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    stats = {
        "steps": np.full(SHAPE, 7),
        "diverging": np.zeros(SHAPE, bool),
        "energy": rng.standard_normal(SHAPE).astype(np.float32),
    }
    return rng.standard_normal((*SHAPE, 2)), stats


def test_independent_draws_pass() -> None:
    x, stats = good()
    found = diagnose(x, NAMES, stats, depth=8)
    assert found.passed
    assert found.remarks() == ()
    assert found.draws == 4000
    assert found.leapfrogs == 7


def apart(x: np.ndarray, stats: dict[str, Any]) -> None:
    x[0, :, 1] += 0.4


def sluggish(x: np.ndarray, stats: dict[str, Any]) -> None:
    """Every draw a hundred times: the chains agree with one another no better than 40 draws can."""
    x[..., 1] = np.repeat(x[:, ::100, 1], 100, axis=1)


def divergent(x: np.ndarray, stats: dict[str, Any]) -> None:
    stats["diverging"][2, :3] = True


def heavy(x: np.ndarray, stats: dict[str, Any]) -> None:
    stats["energy"][3] = np.cumsum(stats["energy"][3])


def deep(x: np.ndarray, stats: dict[str, Any]) -> None:
    stats["steps"][:, :20] = 255


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (apart, r"R-hat is 1\.0\d+ for alpha, expected below 1.01: the chains do not agree"),
        (sluggish, r"The bulk effective sample size is [\d.]+ for alpha, expected above 400; draw more"),
        (sluggish, r"The tail effective sample size is [\d.]+ for alpha, expected above 400; draw more"),
        (divergent, "3 of 4000 transitions diverged"),
        (heavy, r"E-BFMI is 0\.0\d in the worst chain, expected above 0.3"),
        (deep, r"2\.0% of trajectories used the full tree depth, expected at most 1%"),
    ],
)
def test_a_gate_refuses(spoil: Any, sentence: str) -> None:
    x, stats = good()
    spoil(x, stats)
    found = diagnose(x, NAMES, stats, depth=8)
    assert not found.passed
    with pytest.raises(AssertionError, match=sentence):  # one of the sentences
        raise AssertionError("\n".join(found.failures()))
    assert all(remark.startswith("Posterior not converged: ") for remark in found.remarks())
    if spoil not in (sluggish, apart):
        assert len(found.failures()) == 1


def test_gates_are_settings() -> None:
    x, stats = good()
    divergent(x, stats)
    assert not diagnose(x, NAMES, stats, 8, Gates(ess=1e5)).passed
    stats["diverging"][:] = False
    assert diagnose(x, NAMES, stats, 8, Gates(ess=1000.0)).passed
    assert diagnose(x, NAMES, {**stats, "steps": np.full(SHAPE, 255)}, 10).passed  # 255 of 1023


def test_chains_that_never_moved_are_refused_without_a_warning() -> None:
    x, stats = np.zeros((*SHAPE, 2)), {**good()[1], "energy": np.zeros(SHAPE)}
    found = diagnose(x, NAMES, stats, depth=8)
    assert len(found.failures()) == 4  # R-hat, both sizes, E-BFMI
    assert "R-hat is nan for E" in found.failures()[0]


def test_draws_that_are_not_finite_are_refused() -> None:
    x, stats = good()
    x[1, 5, 1] = np.nan
    assert any("for alpha" in sentence for sentence in diagnose(x, NAMES, stats, 8).failures())
