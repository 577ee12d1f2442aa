"""Penalties against SciPy's formulas, their majorisers, weights, stages and names."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import huber

from jaxscale.core.runs import Runs
from jaxscale.objectives import Penalty, least_squares, log_huber, log_lad, lower_envelope
from jaxscale.objectives.penalty import raw_least_squares

GRID = np.linspace(-6, 6, 121)
PENALTIES = [log_huber(1e-3), least_squares(), lower_envelope(1e-3, 0.1), raw_least_squares()]


def runs_of(target: np.ndarray, **options: np.ndarray) -> Runs:
    return Runs.of({"N": np.linspace(1, 2, len(target))}, target, **options)


def values_of(objective: Penalty, u: np.ndarray) -> np.ndarray:
    return np.asarray(jax.vmap(objective.penalty)(jnp.asarray(u, dtype=float)[:, None]), np.float64)


def test_huber_is_scipys(eps: float) -> None:
    np.testing.assert_allclose(values_of(log_huber(), GRID), huber(1.0, GRID), rtol=8 * eps, atol=8 * eps)


def test_squares(eps: float) -> None:
    np.testing.assert_allclose(values_of(least_squares(), GRID), 0.5 * GRID**2, rtol=8 * eps, atol=8 * eps)


def test_the_envelope_is_lopsided(eps: float) -> None:
    """A negative residual is a run above the law."""
    expected = np.where(GRID < 0, 0.1, 1.0) * huber(1.0, GRID)
    np.testing.assert_allclose(values_of(lower_envelope(1e-3, 0.1), GRID), expected, rtol=8 * eps, atol=8 * eps)


@pytest.mark.parametrize("objective", PENALTIES, ids=lambda o: o.name)
def test_the_majoriser_majorises(objective: Penalty, eps: float) -> None:
    """rho(t + h) <= rho(t) + rho'(t) h + w h^2 / 2, for every t on the grid and every h along which the side stays."""
    rho = values_of(objective, GRID)
    u = jnp.asarray(GRID, dtype=float)[:, None]
    slope = np.asarray(jax.vmap(jax.grad(objective.penalty))(u), np.float64)[:, 0]
    weight = np.asarray(jax.vmap(objective.majoriser)(u), np.float64)[:, 0, 0]
    assert np.all(weight > 0)
    same_side = (GRID[:, None] * GRID[None, :] >= 0) & (GRID[:, None] != 0)
    step = GRID[None, :] - GRID[:, None]
    bound = rho[:, None] + slope[:, None] * step + 0.5 * weight[:, None] * step**2
    assert np.all((rho[None, :] <= bound + 64 * eps * (1 + bound)) | ~same_side)


@pytest.mark.parametrize(
    ("objective", "formula"),
    [
        (log_huber(2e-3), lambda r, w: np.sum(w * huber(2e-3, r))),
        (least_squares(), lambda r, w: 0.5 * np.sum(w * r**2)),
        (log_lad(), lambda r, w: np.sum(w * np.abs(r))),
    ],
    ids=["huber", "squares", "lad"],
)
def test_reported_is_the_papers_sum(objective: Penalty, formula: object, eps: float) -> None:
    rng = np.random.default_rng(0)
    target, prediction, weight = rng.uniform(2, 4, 30), rng.uniform(2, 4, 30), rng.integers(0, 3, 30).astype(float)
    runs = runs_of(target, weight=weight)
    u = objective.outputs(jnp.asarray(prediction, dtype=float), runs)
    expected = formula(np.log(prediction) - np.log(target), weight)  # pyright: ignore[reportCallIssue]
    # A log residual of rounding eps, over residuals of about a half, summed over 30 rows.
    assert float(objective.reported(u, runs.weight)) == pytest.approx(float(expected), rel=128 * eps)


def test_raw_residuals(eps: float) -> None:
    runs = runs_of(np.array([2.0, 3.0, 4.0]))
    u = raw_least_squares().outputs(jnp.asarray([2.5, 2.5, 4.0]), runs)
    np.testing.assert_allclose(np.asarray(u)[:, 0], [50, -50, 0], rtol=8 * eps)


def test_simulated_spread_is_robust() -> None:
    """1.4826 times the median of the residuals' size, one of which is an outlier."""
    n = 4001
    prediction = jnp.full(n, 3.0)
    residual = np.where(np.arange(n) % 2 == 0, 0.01, -0.01)
    residual[0] = 5.0
    runs = runs_of(3.0 * np.exp(-residual))
    drawn = log_huber().simulate(jax.random.key(0), prediction, runs)
    spread = float(jnp.std(jnp.log(prediction) - jnp.log(drawn)))
    assert spread == pytest.approx(0.014826, rel=4 / np.sqrt(2 * n))


def test_lad_is_reached_by_narrowing() -> None:
    stages = log_lad().stages(np.dtype(float))
    widths = np.array([float(stage.width) for stage in stages])
    assert widths[0] == pytest.approx(1e-3)
    assert widths[-1] == pytest.approx(float(log_lad().width))
    assert np.all(np.diff(np.log10(widths)) < -0.4)
    assert all(stage.kind == "lad" for stage in stages)
    assert log_huber().stages(np.dtype(float)) == (log_huber(),) or len(log_huber().stages(np.dtype(float))) == 1


def test_widths_must_be_positive() -> None:
    with pytest.raises(ValueError, match="delta: expected a number of at least 1e-12, got 0"):
        log_huber(0)
    with pytest.raises(ValueError, match="above: expected a number of at least 1e-06"):
        lower_envelope(1e-3, -1)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("objective", "formula"),
    [
        (log_huber(2e-3), lambda t, w: np.sum(w * huber(2e-3, t))),
        (least_squares(), lambda t, w: 0.5 * np.sum(w * t**2)),
        (log_lad(), lambda t, w: np.sum(w * np.abs(t))),
        (lower_envelope(2e-3, 0.1), lambda t, w: np.sum(w * np.where(t < 0, 0.1, 1.0) * huber(2e-3, t))),
    ],
    ids=["huber", "squares", "lad", "envelope"],
)
def test_known_noise_divides_residuals(objective: Penalty, formula: object, seed: int, eps: float) -> None:
    """By what is known of a run, relative to the geometric mean; a run of unknown noise counts as that one."""
    rng = np.random.default_rng(seed)
    target, prediction, weight = rng.uniform(2, 4, 30), rng.uniform(2, 4, 30), rng.integers(0, 3, 30).astype(float)
    noise = np.where(rng.random(30) < 0.3, 0.0, np.exp(rng.normal(-4, 1, 30)))
    runs = runs_of(target, weight=weight, noise=noise)
    relative = np.where(noise > 0, noise, 1) / target
    scale = np.where(noise > 0, relative / np.exp(np.mean(np.log(relative[noise > 0]))), 1.0)
    u = objective.outputs(jnp.asarray(prediction, dtype=float), runs)
    expected = formula((np.log(prediction) - np.log(target)) / scale, weight)  # pyright: ignore[reportCallIssue]
    assert float(objective.reported(u, runs.weight)) == pytest.approx(float(expected), rel=256 * eps)


@pytest.mark.parametrize("objective", PENALTIES, ids=lambda o: o.name)
def test_the_same_noise_everywhere_changes_nothing(objective: Penalty, eps: float) -> None:
    rng = np.random.default_rng(5)
    target, prediction = rng.uniform(2, 4, 30), jnp.asarray(rng.uniform(2, 4, 30), dtype=float)
    # Of the residual, that is: relative for log residuals.
    noise = 0.037 * (np.ones(30) if objective.residual.name == "raw" else target)
    plain = objective.outputs(prediction, runs_of(target))
    known = objective.outputs(prediction, runs_of(target, noise=noise))
    np.testing.assert_allclose(np.asarray(known), np.asarray(plain), rtol=64 * eps)


def test_simulated_spread_follows_the_known_noise() -> None:
    n = 4001
    noise = np.where(np.arange(n) % 2, 0.3, 0.03)
    truth = 5 + noise * np.random.default_rng(3).standard_normal(n)
    runs = runs_of(truth, noise=noise)
    made = raw_least_squares().simulate(jax.random.key(1), jnp.full(n, 5.0), runs)
    for size in (0.3, 0.03):
        # Of 2,000 normal draws the spread is known to 1/sqrt(4000), and of the median size to 1.64 times that.
        got = float(np.std(np.asarray(made, np.float64)[noise == size]))
        assert got == pytest.approx(size, rel=4 * 1.93 / np.sqrt(4000))
