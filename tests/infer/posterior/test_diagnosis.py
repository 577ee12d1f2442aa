"""Each gate refuses what it is for, with a sentence that names the culprit, and nothing else."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from jaxscale.infer.posterior import convergence
from jaxscale.infer.posterior.diagnosis import Gates, diagnose

NAMES = ("E", "alpha")
SHAPE = (4, 1000)


def good() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    stats = {
        "steps": np.full(SHAPE, 7),
        "accept": rng.uniform(0.5, 1, SHAPE),
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


def refused(x: np.ndarray, stats: dict[str, Any]) -> None:
    stats["accept"][1, :40] = 0.01


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (apart, r"R-hat is 1\.0\d+ for alpha, expected below 1.01: the chains do not agree"),
        (sluggish, r"The bulk effective sample size is [\d.]+ for alpha, expected above 400; draw more"),
        (sluggish, r"The tail effective sample size is [\d.]+ for alpha, expected above 400; draw more"),
        (divergent, "3 of 4000 transitions diverged"),
        (heavy, r"E-BFMI is 0\.0\d in the worst chain, expected above 0.3"),
        (refused, r"1\.00% of transitions were all but rejected, expected at most 0\.25%: a region"),
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


def test_an_acceptance_that_is_no_number_is_a_rejection() -> None:
    x, stats = good()
    stats["accept"][0, :11] = np.nan
    assert diagnose(x, NAMES, stats, depth=8).rejected == 11 / 4000


NECK = 2.0  # where it begins, in standard deviations of x


def necks(depth: float, times: int = 20) -> tuple[np.ndarray, list[dict[str, np.ndarray]]]:
    """Metropolis draws of x and y (time, chain, draw, 2), both standard normal but that sd(y) is e^-depth beyond NECK.

    x itself is standard normal whatever the depth. Proposals are what an exact flow through the body gives, so that
    nothing goes wrong there: few that enter the neck are accepted, and what is inside leaves it rarely.
    """
    random = np.random.default_rng(0)

    def rise(q: np.ndarray) -> np.ndarray:
        inside = 0.5 * q[..., 1] ** 2 * np.expm1(2 * depth) - depth
        return np.where(q[..., 0] > NECK, inside, 0)

    chains, draws = SHAPE
    state = random.standard_normal((times, chains, 2))
    state[..., 0] = np.minimum(state[..., 0], NECK)
    x, error = np.empty((times, *SHAPE, 2)), np.empty((times, *SHAPE))
    for i in range(draws):
        to = random.standard_normal(state.shape)
        error[:, :, i] = rise(to) - rise(state)
        taken = random.uniform(size=(times, chains)) < np.exp(-np.maximum(error[:, :, i], 0))
        state = x[:, :, i] = np.where(taken[..., None], to, state)
    energy, steps = random.standard_normal(error.shape), np.full(SHAPE, 7)
    accept, diverging = np.exp(-np.maximum(error, 0)), error > 1000
    return x, [
        {"steps": steps, "energy": e, "accept": a, "diverging": d}
        for e, a, d in zip(energy, accept, diverging, strict=True)
    ]


def astray(x: np.ndarray) -> float:
    """The share of draws in the neck against the closed form, in standard errors by the effective size of x."""
    share = norm.sf(NECK)
    return float(np.mean(x[..., 0] > NECK) - share) / np.sqrt(share * (1 - share) / convergence.ess_bulk(x)[0])


def test_a_tail_that_lets_few_in_is_refused_by_its_rejections_alone() -> None:
    """A neck of 1/12 holds 2.3 % of the draws: the other gates pass nearly all, and among those some very wrong."""
    found = [(x, diagnose(x, NAMES, stats, 8)) for x, stats in zip(*necks(2.5), strict=True)]
    lucky = [(x, d) for x, d in found if replace(d, gates=Gates(rejected=1.0)).passed]
    assert len(lucky) > 10
    assert max(abs(astray(x)) for x, _ in lucky) > 4
    for _, diagnosis in lucky:
        (sentence,) = diagnosis.failures()
        assert "all but rejected" in sentence
        assert diagnosis.rough


def test_a_tail_that_lets_most_in_is_passed() -> None:
    """A neck of 4/5: right to 4 standard errors, which 20 runs exceed once in 800."""
    for x, stats in zip(*necks(0.2), strict=True):
        assert diagnose(x, NAMES, stats, 8).passed
        assert abs(astray(x)) < 4


def test_chains_that_never_moved_are_refused_without_a_warning() -> None:
    x, stats = np.zeros((*SHAPE, 2)), {**good()[1], "energy": np.zeros(SHAPE)}
    found = diagnose(x, NAMES, stats, depth=8)
    assert len(found.failures()) == 4  # R-hat, both sizes, E-BFMI
    assert "R-hat is nan for E" in found.failures()[0]


def test_draws_that_are_not_finite_are_refused() -> None:
    x, stats = good()
    x[1, 5, 1] = np.nan
    assert any("for alpha" in sentence for sentence in diagnose(x, NAMES, stats, 8).failures())
