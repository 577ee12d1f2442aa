"""Corrections against dense Gaussian conditioning, against simulated truths, and that no origin looks ahead."""

from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import multivariate_normal

from jaxscale import BadInput, Fit, Runs, crossvalidate, gaussian, learn_discrepancy, log_huber, outlook, student_t
from jaxscale.compose import Pooled
from jaxscale.core.evaluate import at_points
from jaxscale.infer.backtest.backtest import Origins
from jaxscale.infer.correction import correction as module
from jaxscale.infer.correction.correction import correctable, correction
from jaxscale.infer.correction.kernel import AMPLITUDE, coordinates, length_grid
from jaxscale.infer.forecast.calibration import BEYOND, CORRECTED
from jaxscale.infer.local.linearised import Linear, Tangent, at_runs, linear
from jaxscale.laws.architecture.chen2025 import ParallelStreams
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.laws.loss.kaplan2020 import KaplanND
from jaxscale.objectives.residual import RawResidual

from ..conftest import FAR

BOTH = ["Chinchilla", "Chinchilla + discrepancy"]


def bent(law: Tangent) -> Tangent:
    """The same runs, and a law that leaves out 2 % of them, smoothly."""
    x = coordinates(law.inputs)
    return replace(law, residual=law.residual + 0.02 * np.sin(1.5 * x[:, 0]) * np.cos(2 * x[:, 1]))


def by_hand(law: Tangent, points: Linear) -> np.ndarray:
    """Mean over amplitudes and lengths of dense conditioning, weighed by prior and multivariate normal evidence."""
    n = len(law.rows)
    x = np.concatenate([coordinates(law.inputs), coordinates(points.inputs)])
    jacobian = np.concatenate([law.jacobian, points.jacobian])
    weighed = law.jacobian.T / law.variance
    less = np.eye(len(x))
    less[:, :n] -= jacobian @ np.linalg.solve(weighed @ law.jacobian + law.precision, weighed)
    log_share, means = [], []
    for lengths, prior in length_grid():
        shape = less @ np.exp(-0.5 * cdist(x, x, "seuclidean", V=np.square(lengths)) ** 2) @ less.T
        for amplitude in module._AMPLITUDES:
            total = amplitude**2 * shape[:n, :n] + np.diag(law.variance)
            size = -0.5 * (np.log(amplitude / AMPLITUDE.median) / AMPLITUDE.sigma) ** 2
            log_share.append(prior + size + multivariate_normal(cov=total).logpdf(law.residual))
            means.append(amplitude**2 * shape[n:, :n] @ np.linalg.solve(total, law.residual))
    share = np.exp(np.array(log_share) - max(log_share))
    return share @ np.array(means) / share.sum()


@pytest.mark.parametrize("curve", [False, True])
def test_it_is_dense_conditioning(law: Tangent, points: Linear, curve: bool) -> None:
    law = bent(law) if curve else law
    found = replace(correction(law), limit=np.inf)
    # 25 pairs of lengths may be left out for a hundred-thousandth of the mass each, with corrections of the same size;
    # what the factorisation leaves unexplained is less.
    for at in (points, law):
        exact = by_hand(law, at)
        np.testing.assert_allclose(found.at(at), exact, rtol=0, atol=25e-5 * np.max(np.abs(exact)))


def test_it_is_never_larger_than_at_the_runs(law: Tangent, simulated_mode: Fit) -> None:
    found = correction(bent(law))
    assert found.limit == np.max(np.abs(found.at(law)))
    grid = np.geomspace(1e6, 1e13, 40)
    everywhere = linear(simulated_mode, {"N": np.repeat(grid, 40), "D": np.tile(grid, 40)})
    assert np.max(np.abs(replace(found, limit=np.inf).at(everywhere))) > found.limit
    assert np.max(np.abs(found.at(everywhere))) == found.limit


def test_freedom_is_the_trace_of_what_it_does_to_residuals(law: Tangent, monkeypatch: pytest.MonkeyPatch) -> None:
    """By moving every residual, at one amplitude and one pair of lengths, where the map is linear."""
    monkeypatch.setattr(module, "_AMPLITUDES", np.array([0.01]))
    monkeypatch.setattr(module, "length_grid", lambda d: (((1.3, 0.8), 0.0),))
    free = replace(correction(law), limit=np.inf).at(law)
    moved = 0.0
    for i in range(len(law.rows)):
        aside = replace(law, residual=law.residual + 0.01 * np.eye(len(law.rows))[i])
        moved += (replace(correction(aside), limit=np.inf).at(law)[i] - free[i]) / 0.01
    # Priors let the law's refit take up a little less than all of its tangent.
    assert correction(law).freedom == pytest.approx(moved, rel=1e-2)


def test_an_exact_law_is_left_alone(law: Tangent, points: Linear) -> None:
    """Runs with the law's own noise: their correction is less than the noise of one of them."""
    assert np.max(np.abs(correction(law).at(law))) < law.noise
    passes = replace(law, residual=np.zeros(len(law.rows)))
    assert np.max(np.abs(correction(passes).at(points))) == 0


def curved(seed: int) -> Runs:
    """Chinchilla's law times a wave of one percent in D/N, with a noise of a thousandth: 90 runs."""
    rng = np.random.default_rng(seed)
    C, ratio = 10 ** rng.uniform(18, 21.5, 90), np.exp(rng.uniform(*np.log([3, 300]), 90))
    N = np.sqrt(C / 6 / ratio)
    wave = 0.01 * np.sin(3 * np.log10(ratio))
    loss = (1.7 + 480 * N**-0.34 + 2000 * (N * ratio) ** -0.37) * np.exp(wave + 1e-3 * rng.standard_normal(90))
    return Runs.of({"N": N, "D": N * ratio}, loss)


@pytest.fixture(scope="module")
def found() -> Origins:
    return crossvalidate({"Chinchilla": Chinchilla()}, curved(0), student_t(), cuts=4, prior=True, discrepancy=True)


def test_what_a_law_leaves_out_is_forecast(found: Origins) -> None:
    assert list(found.labels) == BOTH
    alone, corrected = np.nanmean(np.abs(found.miss[:, -1]), axis=1)
    # A wave of one percent is .64 of one in the mean, of which the law's own curvature takes up a part; it is the same
    # at any compute, so that all of it can be known from below.
    assert alone > 0.004
    assert corrected < alone / 2
    assert found.noise(BOTH[0]).scale > 2e-3
    # Of a normal's 1e-3; the scale of a Student-t of five degrees of freedom is .85 of it, known to a tenth.
    assert found.noise(BOTH[1]).scale == pytest.approx(0.85e-3, rel=0.3)


def test_an_origin_does_not_look_ahead(found: Origins) -> None:
    """Runs beyond the last cut are changed: no correction that was learnt below it may change."""
    runs, last = curved(0), found.parts.scored[-1]
    other = eqx.tree_at(lambda r: r.target, runs, runs.target * jnp.where(last, 1.05, 1.0).astype(runs.target.dtype))
    laws = {"Chinchilla": Chinchilla()}
    again = crossvalidate(laws, other, student_t(), cuts=4, prior=True, discrepancy=True)
    left, after = (x.miss[0] - x.miss[1] for x in (found, again))
    # Starts differ by the fit to all runs, and optima of one problem by the root of what the objective resolves.
    np.testing.assert_allclose(after[:, last], left[:, last], rtol=0, atol=1e-5)
    assert not np.allclose(again.miss[0, -1, last], found.miss[0, -1, last], rtol=0, atol=0.04)


def test_residuals_are_those_about_the_corrected_law(found: Origins) -> None:
    alone, corrected = (found.log_residuals(label) for label in BOTH)
    here = at_runs(found.fits[BOTH[1]])
    left = found.corrections[BOTH[1]].at(here)
    np.testing.assert_allclose(alone - corrected, left, rtol=0, atol=1e-15 * np.max(np.abs(alone)))


def test_an_outlook_forecasts_with_it() -> None:
    made = outlook({"Chinchilla": Chinchilla()}, curved(1), cuts=4, resamples=8, draws=16)
    assert made.chosen == BOTH[1]
    assert set(made.weights) == {"Chinchilla"}
    at = made.at(FAR, allow_far=True)
    law = np.array([float(made.fit.law(N=n, D=d)) for n, d in zip(FAR["N"], FAR["D"], strict=True)])
    np.testing.assert_allclose(at.point, law * np.exp(at.correction), rtol=1e-6)
    np.testing.assert_allclose(at.others["Chinchilla"], law, rtol=1e-6)
    assert any(r.startswith("Corrected: Chinchilla + discrepancy adds") for r in at.remarks())
    assert made.bands.beyond == CORRECTED
    assert made.of("Chinchilla").bands.beyond == BEYOND
    with pytest.raises(BadInput, match="expected a law alone"):
        learn_discrepancy(made.origins, made.chosen)


def test_the_corrected_law_is_the_outlook(found: Origins, eps: float) -> None:
    """One law that says what law and correction say apart, at the runs and beyond."""
    fitted, law = found.fits[BOTH[1]], found.law(BOTH[1])
    at = {name: np.asarray(x) for name, x in fitted.runs.inputs.items()} if eps < 1e-10 else FAR
    told = at_points(fitted.law, at) * np.exp(found.correction_at(BOTH[1], at))
    # Weights of many kernels cancel: each is told to rounding, and their sum to that of the largest.
    largest = max(float(np.max(np.abs(w))) for _, w in found.corrections[BOTH[1]].kernels.values())
    np.testing.assert_allclose(at_points(law, at), told, rtol=100 * eps * max(1.0, largest))
    assert found.law("Chinchilla") is fitted.law


def test_streams_are_corrected_too() -> None:
    """A law of N and P, which has no compute: origins go along N, and a wave along it is learnt."""
    rng = np.random.default_rng(3)
    N, P = np.repeat(np.geomspace(3e7, 3e11, 10), 6), np.tile(4.0 ** np.arange(6), 10)
    truth = ParallelStreams()
    wave = 0.01 * np.sin(3 * np.log10(P))
    runs = Runs.of({"N": N, "P": P}, at_points(truth, {"N": N, "P": P}) * np.exp(wave + 5e-4 * rng.normal(size=60)))
    both = crossvalidate({"streams": truth}, runs, student_t(), cuts=3, prior=True, discrepancy=True)
    assert list(both.labels) == ["streams", "streams + discrepancy"]
    assert all(label.startswith("N < ") for label in both.parts.labels)
    alone, corrected = np.nanmean(np.abs(both.miss[:, -1]), axis=1)
    assert alone > 0.002
    assert corrected < alone / 2


def test_laws_along_sizes_are_corrected(simulated_mode: Fit) -> None:
    assert correctable(simulated_mode) == ("N", "D")
    assert correctable(replace(simulated_mode, law=KaplanND())) == ("N", "D")
    grouped = replace(simulated_mode, law=Pooled(Chinchilla(), ["E"], ("a", "b")))
    assert not correctable(grouped)
    # A penalty says nothing of noise, and a Student-t of log residuals is taken; another likelihood says what it is.
    assert correctable(replace(simulated_mode, objective=log_huber(1e-3)))
    assert not correctable(replace(simulated_mode, objective=gaussian(residual=RawResidual())))
