"""Comparison of laws whose posteriors are Gaussian: scores against closed forms; the averaged ensemble."""

from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float
from scipy.stats import norm

import jaxscale
from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.errors import BadInput
from jaxscale.core.law import AbstractLaw
from jaxscale.core.parametric import Change, param
from jaxscale.core.runs import Runs
from jaxscale.infer.compare.average import average
from jaxscale.infer.compare.compare import CUTS, Comparison, compare
from jaxscale.infer.compare.leave_out import score_left_out
from jaxscale.infer.fit.fit import Fit, fit
from jaxscale.infer.posterior.diagnosis import Gates
from jaxscale.infer.posterior.posterior import Posterior
from jaxscale.objectives.likelihood import gaussian
from jaxscale.objectives.noise import ConstantNoise
from jaxscale.objectives.residual import RawResidual
from jaxscale.report.store.store import save

pytestmark = pytest.mark.slow  # compiling the programs of several laws takes a minute

MCSE = 4
SIGMA = 0.25  # as the closed form of `exact` has it
PRIOR_MEAN, PRIOR_PRECISION = np.array([5.0, 0.0]), np.diag([1 / 5.0**2, 1.0])  # as Trend declares
C = np.geomspace(1e18, 1e22, 60).astype(np.float32).astype(float)
RNG = np.random.default_rng(4)
LOSS = (5 - 0.4 * np.log10(C / 1e20) + SIGMA * RNG.standard_normal(60)).astype(np.float32).astype(float)
GROUP = np.arange(60) % 2


class Trend(AbstractLaw):
    """A power of log compute, linear in c and m."""

    c: q.Nats = param(s.real, init=5.0, prior=p.Normal(5.0, 5.0), doc="level", linear=True)
    m: q.Nats = param(s.real, init=0.0, prior=p.Normal(0.0, 1.0), doc="slope", linear=True)
    even: q.Pure = param(s.real, init=0.0, prior=p.Normal(0.0, 1.0), doc="1 for a parabola, 0 for a line")

    def scaling(self, c: Float[Array, ""]) -> dict[str, Change]:
        return {}  # the closed forms have its priors as they are

    def __call__(self, C: q.Flops) -> q.Nats:
        t = (jnp.log(C) - jnp.log(1e20)) / jnp.log(10.0)
        return self.c + self.m * ((1 - self.even) * t + self.even * t**2)


def design(even: float) -> np.ndarray:
    t = np.log10(C / 1e20)
    return np.stack([np.ones_like(t), (1 - even) * t + even * t**2], axis=1)


def mode_of(even: float, loss: np.ndarray = LOSS) -> Fit:
    """Both laws are one program: `even` is a value."""
    known, runs = gaussian(ConstantNoise(SIGMA), RawResidual()), Runs.of({"C": C}, loss, group=GROUP)
    return fit(Trend(even=even), runs, known, fixed=("even", "objective.noise.sigma"), prior=True, starts=2)


@pytest.fixture(scope="module")
def posteriors(exact: Callable[..., Posterior]) -> dict[str, Posterior]:
    line, parabola = (exact(mode_of(even), design(even)) for even in (0.0, 1.0))
    return {"parabola": parabola, "line": line, "again": line}


@pytest.fixture(scope="module")
def compared(posteriors: dict[str, Posterior]) -> Comparison:
    return compare(posteriors)


def exact_score(even: float, i: int, left_out: np.ndarray) -> tuple[float, float]:
    """Log density of run i given the runs that are not left out, and its Monte-Carlo error by a lane at its gate."""
    x, kept = design(even), ~left_out
    precision = x[kept].T @ x[kept] / SIGMA**2 + PRIOR_PRECISION
    mean = np.linalg.solve(precision, x[kept].T @ LOSS[kept] / SIGMA**2 + PRIOR_PRECISION @ PRIOR_MEAN)
    at, variance = x[i] @ mean, x[i] @ np.linalg.solve(precision, x[i])
    log_once = norm.logpdf(LOSS[i], at, np.sqrt(SIGMA**2 + variance))
    log_twice = norm.logpdf(LOSS[i], at, np.sqrt(SIGMA**2 / 2 + variance)) - np.log(2 * SIGMA * np.sqrt(np.pi))
    return float(log_once), float(np.sqrt(np.expm1(log_twice - 2 * log_once) / Gates(ess=100.0).ess))


def test_the_law_that_made_the_runs_wins(compared: Comparison) -> None:
    assert compared.labels == ("parabola", "line", "again")
    assert compared.best == "line"
    worst = compared.differences.diff[0]
    assert worst < -2 * compared.differences.se[0] < 0
    by_hand = compared.elpd[:, 0].astype(float) - compared.elpd[:, 1].astype(float)
    np.testing.assert_allclose(worst, by_hand.sum(), rtol=1e-12)
    np.testing.assert_allclose(compared.differences.se[0], np.sqrt(60) * by_hand.std(ddof=1), rtol=1e-12)


def test_identical_laws_share(compared: Comparison) -> None:
    np.testing.assert_array_equal(compared.elpd[:, 1], compared.elpd[:, 2])
    assert compared.differences.diff[1:].tolist() == [0, 0]
    for weights in (compared.stacking, compared.pseudo_bma):
        assert weights.sum() == pytest.approx(1, abs=1e-12)
        assert np.all(weights >= 0)
        assert weights[1] == pytest.approx(weights[2], abs=1e-12)
        assert weights[0] < 0.05
    assert any(remark.startswith("The runs do not tell line from again ") for remark in compared.remarks())


def test_scores_of_whole_data_sets(compared: Comparison) -> None:
    assert compared.groups is not None
    for k, even in enumerate((1.0, 0.0)):
        for i in range(60):
            score, error = exact_score(even, i, GROUP[i] == GROUP)
            assert abs(compared.groups[i, k] - score) < MCSE * error


def test_scores_beyond_the_cuts(compared: Comparison) -> None:
    assert compared.beyond is not None
    assert compared.scale == "C"
    np.testing.assert_array_equal(compared.cuts, [C[int(np.ceil(cut * 60)) - 1] for cut in CUTS])
    for k, even in enumerate((1.0, 0.0)):
        for j, cut in enumerate(compared.cuts):
            scores = [exact_score(even, i, cut <= C) for i in np.flatnonzero(cut <= C)]
            # The draws are shared by all runs of a row: their errors add up at worst.
            score, error = np.mean(scores, axis=0)
            assert abs(compared.beyond[j, k] - score) < MCSE * error


def test_the_runs_beyond_do_not_matter_below(compared: Comparison) -> None:
    """Another loss for the largest run changes the score of that run only."""
    above = (compared.cuts[1] <= C)[None]
    loss = LOSS.copy()
    loss[-1] += 1
    one, other = (score_left_out(mode_of(0.0, y), above, jax.random.key(0))[0] for y in (LOSS, loss))
    rest = np.flatnonzero(above[0])[:-1]
    for i in rest:
        assert abs(other[i] - one[i]) < MCSE * np.sqrt(2) * exact_score(0.0, i, above[0])[1]
    assert other[-1] < one[-1] - 1


def test_what_is_refused(posteriors: dict[str, Posterior], exact: Callable[..., Posterior]) -> None:
    line = posteriors["line"]
    with pytest.raises(BadInput, match=r"expected at least two laws, got \['line'\]"):
        compare({"line": line})
    moved = exact(mode_of(0.0, LOSS + 0.5), design(0.0))
    with pytest.raises(BadInput, match="expected every law on the same runs, got 60 for moved and 60 for the first"):
        compare({"line": line, "moved": moved})
    for weights in ([0.5, 0.6], [1.5, -0.5], [1.0]):
        with pytest.raises(BadInput, match="average: expected 2 weights that sum to one"):
            average({"line": line, "other": line}, np.array(weights))


def test_the_averaged_ensemble_is_the_mixture(posteriors: dict[str, Posterior], eps: float) -> None:
    """Each law in proportion, with draws from all over its posterior, also where that has fewer than are asked."""
    two = {label: posteriors[label] for label in ("parabola", "line")}
    weights, draws = np.array([0.3, 0.7]), 4000
    _, ensemble = average(two, weights, draws=draws)
    share = np.asarray(ensemble.law.weight)
    assert ensemble.failed == 0
    assert share.sum(axis=0).tolist() == [0.7 * draws, 0.3 * draws]  # in sorted order of the labels
    points = np.array([1e18, 1e21, 1e24], np.float32).astype(float)
    found = np.asarray(ensemble(C=points))
    for k, label in enumerate(("line", "parabola")):
        here, z = share[:, k] == 1, two[label].z.reshape(-1, 2)
        c, m = (np.asarray(getattr(ensemble.law.laws[label], name))[here] for name in ("c", "m"))
        # Every draw of the posterior is there, as evenly as 2,800 or 1,200 places allow 2,000 draws.
        drawn = set(zip(c.tolist(), m.tolist(), strict=True))
        assert len(drawn) == min(len(z), here.sum())
        assert drawn <= set(map(tuple, z.tolist()))
        even = float(label == "parabola")
        t = np.log10(points / 1e20)
        expected = c[:, None] + m[:, None] * ((1 - even) * t + even * t**2)
        scale = np.abs(c)[:, None] + np.abs(m[:, None]) * 16
        assert np.all(np.abs(found[here] - expected) < 64 * eps * scale)


def test_forecasts_take_the_averaged_ensemble(posteriors: dict[str, Posterior], tmp_path: Path, eps: float) -> None:
    two = {label: posteriors[label] for label in ("parabola", "line")}
    mixture, ensemble = average(two, np.array([0.25, 0.75]))
    found = jaxscale.forecast(mixture, {"C": 1e22}, ensemble)
    alone = {label: jaxscale.forecast(x.fit, {"C": 1e22}) for label, x in two.items()}
    point = 0.25 * alone["parabola"].point + 0.75 * alone["line"].point
    np.testing.assert_allclose(found.point, point, rtol=64 * eps)
    assert found.quantiles is not None
    assert found.quantiles["0.05"] < found.point < found.quantiles["0.95"]
    with pytest.raises(BadInput, match="save the fit as `fit` returned it"):
        save(tmp_path / "a.nc", mixture, ensemble)
    with pytest.raises(BadInput, match="got one of Averaged; save it with its own fit"):
        save(tmp_path / "a.nc", two["line"].fit, ensemble)
    assert list(tmp_path.iterdir()) == []
