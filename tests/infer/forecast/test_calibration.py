"""Bands: the posterior against SciPy's densities summed by hand, coverage by simulation, what is taken out."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, stats

from jaxscale import BadInput
from jaxscale.infer.forecast import calibration as module
from jaxscale.infer.forecast.calibration import BEYOND, FLOOR, GROWTH, LEVELS, SPREAD, calibrate

GRID = module._GRID


def simulated(
    origins: int, seed: int, noise: float, floor: float, growth: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Misses (origins, 4) half a decade apart, each an independent look, of the model that the bands assume."""
    rng = np.random.default_rng(seed)
    far = np.broadcast_to(np.array([0.2, 0.7, 1.2, 1.7]), (origins, 4))
    scale = np.hypot(noise, floor + growth * far)
    return scale * rng.standard_t(5, far.shape), far, scale


def by_hand(miss: np.ndarray, far: np.ndarray, known: float) -> np.ndarray:
    """The posterior on the grid, one pair at a time."""
    prior = {
        median: np.r_[0.1, 0.9 * (bell := stats.norm.pdf(np.log(GRID[1:]), np.log(median), SPREAD)) / bell.sum()]
        for median in (FLOOR, GROWTH)
    }
    found = np.empty((len(GRID), len(GRID)))
    for i, a in enumerate(GRID):
        for j, b in enumerate(GRID):
            scale = np.sqrt(known**2 + (a + b * far) ** 2)
            found[i, j] = stats.t.logpdf(miss, 5, scale=scale).sum() + np.log(prior[FLOOR][i] * prior[GROWTH][j])
    found = np.exp(found - found.max())
    return found / found.sum()


def test_the_posterior_and_its_quantiles_are_those_of_scipy() -> None:
    miss, far, _ = simulated(3, 0, 0.003, 0.001, 0.01)
    bands, weight = calibrate(miss, far, 0.003), by_hand(miss, far, 0.003)
    assert bands.looks == 12
    np.testing.assert_allclose(bands.weight, weight, rtol=1e-8, atol=1e-14)
    d, known = 1.4, 0.004
    scale = np.sqrt(known**2 + (BEYOND * (GRID[:, None] + GRID * d)) ** 2)

    def off(half: float) -> float:
        return float(np.sum(weight * (2 * stats.t.cdf(half / scale, 5) - 1))) - 0.9

    # Pairs of a hundred-thousandth of the mode's weight are left out.
    expected = optimize.brentq(off, 1e-6, 1.0, xtol=1e-12)
    np.testing.assert_allclose(bands.half_width(0.9, np.array([d]), known), expected, rtol=1e-3)


def test_an_origin_with_twice_the_credit_counts_as_two() -> None:
    miss, far, _ = simulated(3, 1, 0.003, 0.001, 0.01)
    once, twice = (
        calibrate(miss, far, 0.003, np.array([2.0, 1.0, 1.0])),
        calibrate(miss[[0, 0, 1, 2]], far[[0] * 4], 0.003),
    )
    np.testing.assert_allclose(once.weight, twice.weight, rtol=1e-9, atol=1e-14)


def test_an_unknown_spread_bounds_nothing() -> None:
    bands = calibrate(*simulated(3, 1, 0.003, 0.001, 0.01)[:2], 0.003)
    half = bands.half_width(0.9, np.ones(3), np.array([0.01, np.nan, np.inf]))
    assert half[1] == half[2] == np.inf
    assert half[0] == bands.half_width(0.9, np.ones(1), 0.01)[0]


@pytest.mark.parametrize(("floor", "growth"), [(0.0, 0.0), (0.002, 0.0), (0.0, 0.01), (0.002, 0.02)])
def test_bands_cover_what_they_say_at_new_misses(floor: float, growth: float) -> None:
    # A band learnt from many looks is the model's own: coverage to the binomial error of the new ones, and a few per
    # cent more where a and b are almost nothing, which the prior does not quite believe.
    # Misses of the model itself are no larger beyond the data than inside.
    bands = calibrate(*simulated(400, 2, 0.003, floor, growth)[:2], 0.003, beyond=1.0)
    new, far, _ = simulated(4000, 3, 0.003, floor, growth)
    for level in LEVELS:
        held = np.mean(np.abs(new) <= bands.half_width(level, far[0], 0.003))
        assert -4 * np.sqrt(level * (1 - level) * (1 / far.size + 1 / 1600)) <= held - level <= 0.06


def test_only_the_law_s_own_error_counts_more_beyond_the_data() -> None:
    bands = calibrate(*simulated(20, 8, 0.003, 0.001, 0.01)[:2], 0.003)
    plain, far = replace(bands, beyond=1.0), np.array([1.0])
    assert bands.beyond == BEYOND
    wide, total = bands.half_width(0.9, far), bands.half_width(0.9, far, BEYOND * 0.01)
    np.testing.assert_allclose(wide, BEYOND * plain.half_width(0.9, far), rtol=1e-9)
    np.testing.assert_allclose(total, BEYOND * plain.half_width(0.9, far, 0.01), rtol=1e-9)


def test_what_the_parameters_explain_is_not_the_law_s() -> None:
    rng = np.random.default_rng(4)
    far = np.broadcast_to(np.array([0.2, 0.7, 1.2, 1.7]), (100, 4))
    spread = rng.uniform(0.002, 0.05, far.shape)
    miss = np.hypot(0.003, spread) * rng.standard_t(5, far.shape)
    told, untold = calibrate(miss, far, np.hypot(0.003, spread)), calibrate(miss, far, 0.003)
    at = np.array([1.0])
    assert told.half_width(0.9, at)[0] < 0.15 * untold.half_width(0.9, at)[0]


def test_few_looks_are_trusted_less() -> None:
    miss, far, _ = simulated(200, 5, 0.003, 0.0, 0.01)
    # The same misses again and again: one bin of one origin holds them all, and they count as one look.
    many, few = calibrate(miss, far, 0.003), calibrate(miss[:2], far[:2], 0.003)
    once, again = (calibrate(np.repeat(miss[:2], k, axis=1), np.repeat(far[:2], k, axis=1), 0.003) for k in (1, 30))
    np.testing.assert_allclose(again.weight, once.weight, rtol=1e-9, atol=1e-15)
    spread = [np.sqrt(b.weight.sum(axis=0) @ GRID**2 - (b.weight.sum(axis=0) @ GRID) ** 2) for b in (many, few)]
    assert spread[0] < 0.5 * spread[1]


def test_widths_grow_with_level_distance_and_what_is_known() -> None:
    bands = calibrate(*simulated(20, 6, 0.003, 0.001, 0.01)[:2], 0.003)
    far = np.linspace(0, 3, 7)
    widths = np.array([bands.half_width(level, far, 0.003) for level in LEVELS])
    assert np.all(np.diff(widths, axis=0) > 0)
    assert np.all(np.diff(widths, axis=1) > 0)
    assert np.all(bands.half_width(0.9, far, 0.01) > bands.half_width(0.9, far, 0.003))


def test_bad_questions_are_refused() -> None:
    with pytest.raises(BadInput, match="at least 3 origins or distances, got 1"):
        calibrate(np.full((1, 5), 0.1), np.ones((1, 5)), 0.01)
    bands = calibrate(*simulated(5, 7, 0.003, 0.0, 0.01)[:2], 0.003)
    with pytest.raises(BadInput, match="a level between 0 and 1, got 90"):
        bands.half_width(90, np.ones(1))
