"""Conformal bands: quantiles by hand, and coverage against its exact law where misses can be exchanged."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from jaxscale import BadInput
from jaxscale.infer.forecast import conformal
from jaxscale.infer.forecast.conformal import Conformal

HERE = np.zeros(1)
VARIANTS: tuple[Callable[[np.ndarray, np.ndarray], Conformal], ...] = (
    conformal.split,
    conformal.normalised,
    conformal.weighted,
    conformal.by_origin,
    lambda miss, far: conformal.by_origin(miss, far, whole=True),
)


def simulated(seed: int, origins: int = 6, runs: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Misses that grow with distance; later origins have fewer runs beyond them."""
    rng = np.random.default_rng(seed)
    far = rng.uniform(0, 2, (origins, runs))
    far[np.arange(runs) < 4 * np.arange(origins)[:, None]] = np.nan
    return (0.003 + 0.01 * far) * rng.standard_normal((origins, runs)), far


def test_split_is_the_order_statistic() -> None:
    # Nine misses, of either sign: level q is the ceil(10 q)-th smallest; .7 * 10 must not round up to the eighth.
    miss = np.array([[0.3, -0.1, 0.2, np.nan, -0.9], [0.5, 0.4, -0.8, 0.7, 0.6]])
    band = conformal.split(miss, np.ones_like(miss))
    for level, expected in ((0.05, 0.1), (0.5, 0.5), (0.51, 0.6), (0.7, 0.7), (0.8, 0.8), (0.9, 0.9), (0.91, np.inf)):
        np.testing.assert_array_equal(band.half_width(np.array([0.0, 3.0]), level), [expected, expected])
    np.testing.assert_allclose(band.attainable(HERE), [0.9])


def test_split_covers_as_its_beta_law_says() -> None:
    # The coverage of uniform misses is the half-width itself; given the misses seen it is Beta(k, n + 1 - k).
    n, level, times = 39, 0.9, 4000
    miss = np.random.default_rng(1).uniform(-1, 1, (times, 3, n // 3))
    held = [conformal.split(m, np.ones_like(m)).half_width(HERE, level)[0] for m in miss]
    k = 36  # of 40
    # Dvoretzky-Kiefer-Wolfowitz: a distance above this has probability 1e-6.
    bound = np.sqrt(np.log(2 / 1e-6) / (2 * times))
    assert stats.kstest(held, stats.beta(k, n + 1 - k).cdf).statistic < bound
    # One rank off would be seen.
    assert stats.kstest(held, stats.beta(k + 1, n - k).cdf).statistic > bound


def test_weights_by_hand() -> None:
    # At distance 0 the misses weigh 1, 1/2 and 1/4, the one to come 1: of 2.75, .5 lies up to .1, .75 to .2, 1.75 to .3
    far = np.log(2) * np.array([[0.0, 1.0, 2.0]])
    band = conformal.weighted(np.array([[0.3, 0.1, 0.2]]), far, bandwidth=1.0)
    for level, expected in ((0.18, 0.1), (0.19, 0.2), (0.27, 0.2), (0.28, 0.3), (0.63, 0.3), (0.64, np.inf)):
        assert band.half_width(HERE, level)[0] == expected
    np.testing.assert_allclose(band.attainable(HERE), [1.75 / 2.75])


def test_equal_weights_are_none() -> None:
    miss, far = simulated(2)
    at = np.linspace(0, 3, 7)
    for level in (0.1, 0.5, 0.9, 0.99):
        np.testing.assert_array_equal(
            conformal.weighted(miss, far, bandwidth=np.inf).half_width(at, level),
            conformal.split(miss, far).half_width(at, level),
        )


def test_nothing_near_is_said_so() -> None:
    miss, far = simulated(3)
    band = conformal.weighted(miss, far, bandwidth=0.2)
    # Some 24 of 120 misses lie within the bandwidth of the middle; 3 decades beyond the last, e^-15 is left of each.
    assert np.isfinite(band.half_width(np.array([1.0]), 0.9)).all()
    np.testing.assert_array_equal(band.half_width(np.array([5.0]), 0.01), [np.inf])
    assert band.attainable(np.array([5.0]))[0] < 120 * np.exp(-15)


def test_misses_on_a_line_are_carried_along_it() -> None:
    # Every line, fitted without an origin, is the line itself: the half-width is the line at every distance and level.
    _, far = simulated(4)
    band = conformal.normalised(np.where(np.isnan(far), np.nan, -(0.01 + 0.02 * far)), far)
    at = np.array([[0.0, 1.0], [2.0, 5.0]])
    for level in (0.2, 0.9):
        # Rounding of least squares on some hundred rows.
        np.testing.assert_allclose(band.half_width(at, level), 0.01 + 0.02 * at, rtol=1e-12)


def test_a_growing_scale_covers_alike_at_all_distances() -> None:
    rng = np.random.default_rng(5)
    far = rng.uniform(0, 2, (10, 4000))
    miss = (0.003 + 0.01 * far) * rng.standard_normal(far.shape)
    at = np.array([0.2, 1.8])
    sigma = 0.003 + 0.01 * at

    def covered(band: Conformal) -> np.ndarray:
        return 2 * stats.norm.cdf(band.half_width(at, 0.9) / sigma) - 1

    # 40,000 sizes have a standard deviation of about .6 times .015; the line errs at an end by twice that over 200,
    # .00009, 2 % of .8 sigma(.2). Coverage moves by 2 z phi(z) = .34 of that: four such errors are .03.
    np.testing.assert_allclose(covered(conformal.normalised(miss, far)), 0.9, atol=0.03)
    near, out = covered(conformal.split(miss, far))
    assert near > 0.98
    assert out < 0.82


def test_the_scale_leaves_its_own_origin_out() -> None:
    # Two origins, each with misses on its own line through (1, s): each is carried by the other's line.
    far = np.array([[1.0, 2.0], [1.0, 2.0]])
    miss = np.array([[0.01, 0.02], [0.05, 0.06]])
    band = conformal.normalised(miss, far)
    # The first line, through the origin, has the least floor: 5 % of its mean, with the slope that then fits best.
    least = 0.05 * 0.015
    slope = ((0.01 - least) * 1 + (0.02 - least) * 2) / 5
    np.testing.assert_allclose(band.floor, [0.04, 0.04, least, least], rtol=1e-12)
    np.testing.assert_allclose(band.growth, [0.01, 0.01, slope, slope], rtol=1e-12)


def test_the_scale_is_no_less_than_the_noise() -> None:
    far = np.tile(np.linspace(0, 2, 20), (3, 1))
    band = conformal.normalised(0.01 * far, far, noise=0.004)
    np.testing.assert_allclose(
        band.floor, 0.004 * np.mean(np.abs(stats.norm.ppf((np.arange(10**6) + 0.5) / 10**6))), rtol=1e-4
    )


def test_a_law_without_misses_has_no_width() -> None:
    zero = np.zeros((2, 10))
    for variant in VARIANTS:
        np.testing.assert_array_equal(variant(zero, zero).half_width(HERE, 0.6), [0.0])


def test_misses_of_an_origin_that_are_one_count_once() -> None:
    rng = np.random.default_rng(6)
    one = rng.uniform(size=(9, 1))
    many = np.where(np.arange(9) <= np.arange(9)[:, None], one, np.nan)  # 1 to 9 runs
    for level in (0.3, 0.5, 0.9, 0.95):
        expected = conformal.split(one, np.ones((9, 1))).half_width(HERE, level)
        for whole in (False, True):
            np.testing.assert_array_equal(
                conformal.by_origin(many, np.ones((9, 9)), whole).half_width(HERE, level), expected
            )
    # Nine origins speak for .9 and no more. Pooled, their 45 misses pass for 45 and give the largest for .95.
    assert expected[0] == np.inf
    assert conformal.split(many, np.ones((9, 9))).half_width(HERE, 0.95)[0] == one.max()


def test_coverage_of_a_new_origin() -> None:
    # Runs of an origin share a scale. Ten origins can be exchanged, of which one is still to come: its largest miss
    # has any rank alike.
    level, times, m, n = 0.8, 2000, 9, 5
    rng = np.random.default_rng(7)
    miss = rng.lognormal(0, 1, (times, m + 1, 1)) * rng.standard_normal((times, m + 1, n))
    far = np.ones((m, n))
    runs, whole = np.array(
        [
            [
                np.mean(np.abs(new) <= conformal.by_origin(seen, far).half_width(HERE, level)),
                np.all(np.abs(new) <= conformal.by_origin(seen, far, whole=True).half_width(HERE, level)),
            ]
            for seen, new in ((x[:m], x[m]) for x in miss)
        ]
    ).T
    # A share that varies between 0 and 1 has a variance of at most .25; of all or nothing, level (1 - level).
    assert abs(whole.mean() - level) < 4 * np.sqrt(level * (1 - level) / times)
    error = runs.std() / np.sqrt(times)
    assert level - 4 * error < runs.mean() < level + 1 / (m + 1) + 4 * error


@pytest.mark.parametrize("variant", VARIANTS)
def test_wider_for_more(variant: Callable[[np.ndarray, np.ndarray], Conformal]) -> None:
    miss, far = simulated(8)
    band = variant(miss, far)
    at = np.linspace(0, 3, 13)
    half = np.stack([band.half_width(at, level) for level in np.linspace(0.01, 0.995, 60)])
    assert (half[1:] >= half[:-1]).all()
    # The last level that can be had has a width, the next one has none.
    for d, highest in zip(at, band.attainable(at), strict=True):
        assert np.isfinite(band.half_width(np.array([d]), highest * (1 - 1e-9)))
        assert np.isinf(band.half_width(np.array([d]), highest + 1e-9 * (1 - highest)))


def test_a_law_that_explodes_is_a_miss() -> None:
    miss = np.array([[0.1, -np.inf], [0.2, 0.3]])
    far = np.array([[1.0, 2.0], [1.0, 2.0]])
    for variant in (conformal.split, conformal.by_origin, conformal.normalised):
        assert np.isfinite(variant(miss, far).half_width(HERE, 0.3)).all()
    # Of five, the fourth is the infinite one.
    np.testing.assert_array_equal(conformal.split(miss, far).half_width(HERE, 0.6), [0.3])
    np.testing.assert_array_equal(conformal.split(miss, far).half_width(HERE, 0.8), [np.inf])
    np.testing.assert_array_equal(conformal.by_origin(miss, far, whole=True).half_width(HERE, 0.6), [np.inf])


def test_refusals() -> None:
    some = np.ones((2, 3))
    with pytest.raises(BadInput, match=r"one shape \(origins, runs\), got \(4, 2, 3\) and \(2, 3\)"):
        conformal.split(np.ones((4, 2, 3)), some)
    with pytest.raises(BadInput, match="forecasts of known outcome, got none"):
        conformal.by_origin(np.full((2, 3), np.nan), some)
    with pytest.raises(BadInput, match="at least two origins"):
        conformal.normalised(np.array([[1.0, 2.0], [np.inf, np.nan]]), np.ones((2, 2)))
    with pytest.raises(BadInput, match=r"positive number of decades, got 0\.0"):
        conformal.weighted(some, some, bandwidth=0.0)
    with pytest.raises(BadInput, match=r"between 0 and 1, got 90"):
        conformal.split(some, some).half_width(HERE, 90)
