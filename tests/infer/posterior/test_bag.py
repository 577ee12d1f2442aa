"""Bagged posteriors against the closed form of the mixture, and the mismatch index where it is known."""

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.errors import BadInput
from jaxscale.core.runs import Runs
from jaxscale.infer.fit.fit import Fit, fit
from jaxscale.infer.posterior.bag import Bagged, bag
from jaxscale.infer.posterior.batched import ENGINES, Engine, LaneSettings
from jaxscale.infer.posterior.importance import Importance
from jaxscale.infer.resample.bootstrap import resamples
from jaxscale.infer.resample.schemes import Pairs
from jaxscale.infer.search.units import units
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.objectives.likelihood import gaussian, student_t
from jaxscale.objectives.noise import ConstantNoise
from jaxscale.objectives.residual import RawResidual

MCSE = 4
ROWS, N = 32, 90
SIGMA = 0.25  # of the fixture's likelihood
PRIOR_MEAN, PRIOR_PRECISION = np.array([5.0, 0.0]), np.diag([1 / 5.0**2, 1.0])  # as Line declares


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("jaxscale.infer.posterior.bag"), "lanes_per_call", lambda *_: ROWS)


@pytest.fixture(scope="module")
def bagged(conjugate: Any) -> Bagged:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.import_module("jaxscale.infer.posterior.bag"), "lanes_per_call", lambda *_: ROWS)
        return bag(conjugate.mode, N, key=3)


def columns(mode: Fit) -> tuple[np.ndarray, np.ndarray]:
    x, y = (np.asarray(column, np.float64) for column in (mode.runs.inputs["x"], mode.runs.target))
    return np.stack([np.ones_like(x), x], axis=1), y


def lane_moments(mode: Fit, n: int, key: int) -> tuple[np.ndarray, np.ndarray]:
    """Closed-form mean (n, 2) and covariance (n, 2, 2) of every resample that `bag(mode, n, key=key)` makes."""
    design, y = columns(mode)
    sigma = float(mode.problem.template.objective.noise.sigma)
    first = jax.random.split(jax.random.key(key))[0]
    drawn = resamples(mode.problem, first, Pairs(), units(mode.problem.runs), jnp.asarray(0), n)
    weight = np.asarray(drawn.weight, np.float64)[:, : len(y)]
    precision = np.einsum("ni,ij,ik->njk", weight, design, design) / sigma**2 + PRIOR_PRECISION
    right = (weight * y) @ design / sigma**2 + PRIOR_PRECISION @ PRIOR_MEAN
    return np.linalg.solve(precision, right[..., None])[..., 0], np.linalg.inv(precision)


def variances(mode: Fit, n: int, key: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Variance of (c, m) in the plain posterior and in the bag, and the Monte-Carlo error of the latter's estimate."""
    design, _ = columns(mode)
    sigma = float(mode.problem.template.objective.noise.sigma)
    plain = np.diag(np.linalg.inv(design.T @ design / sigma**2 + PRIOR_PRECISION))
    mean, covariance = lane_moments(mode, n, key)
    own, away = np.diagonal(covariance, axis1=1, axis2=2), mean - mean.mean(axis=0)
    # Of z^2 around the mixture's mean, lane by lane, from the least effective draws that pass the gate.
    error = np.sqrt(np.sum(2 * own**2 + 4 * own * away**2, axis=0) / LaneSettings().importance.ess) / n
    return plain, np.mean(own + away**2, axis=0), error


@pytest.mark.parametrize("engine", ["importance", "nuts"])
def test_the_mixture_of_the_posteriors(conjugate: Any, bagged: Bagged, engine: Engine) -> None:
    chains = engine == "nuts"
    bagged = bag(conjugate.mode, N, key=3, engine=engine) if chains else bagged
    assert (bagged.size, bagged.failed, bagged.by_nuts, bagged.scheme) == (N, 0, N if chains else 0, "pairs")
    assert bagged.passed
    mean, covariance = lane_moments(conjugate.mode, N, 3)
    own = np.diagonal(covariance, axis1=1, axis2=2)
    away = bagged.lanes.z.astype(np.float64).mean(axis=1) - mean
    effective = np.minimum(bagged.lanes.ess, bagged.lanes.z.shape[1])  # of the draws kept
    far = away / np.sqrt(own / effective)
    # 180 means: the largest of as many normals is below this with all but 1e-4 of the probability.
    assert np.max(np.abs(far)) < 5.2
    assert np.all(np.abs(away.mean(axis=0)) < MCSE * np.sqrt(np.mean(own / effective, axis=0) / N))
    _, wide, error = variances(conjugate.mode, N, 3)
    found = np.var(bagged.lanes.z.astype(np.float64).reshape(-1, 2), axis=0)
    assert np.all(np.abs(found - wide) < MCSE * error)


def test_widths_and_mismatch_are_of_the_closed_form(conjugate: Any, bagged: Bagged) -> None:
    plain, wide, error = variances(conjugate.mode, N, 3)
    relative = np.sqrt(2 / LaneSettings().importance.ess)  # of the plain variance, from one lane
    index, widths = bagged.mismatch(), bagged.widths()
    for i, name in enumerate(("c", "m")):
        assert abs(widths[name][0] / np.sqrt(plain[i]) - 1) < MCSE * relative / 2
        assert abs(widths[name][1] / np.sqrt(wide[i]) - 1) < MCSE * error[i] / wide[i] / 2
        ratio = 2 * plain[i] / wide[i]
        assert abs(index[name] - (1 - ratio)) < MCSE * ratio * np.hypot(relative, error[i] / wide[i])


def test_the_ensemble_is_the_mixture(bagged: Bagged) -> None:
    draws = bagged.lanes.z.shape[1]
    assert bagged.ensemble.size == N * draws
    assert bagged.ensemble.failed == 0
    assert bagged.ensemble.method == "bagged:pairs"
    np.testing.assert_array_equal(bagged.ensemble.law.c, bagged.lanes.z[..., 0].reshape(-1))


def test_failed_lanes_are_left_out_and_told(bagged: Bagged, eps: float) -> None:
    ok = bagged.lanes.ok.copy()
    ok[[4, 7]] = False
    lanes = replace(bagged.lanes, ok=ok)
    found = Bagged(bagged.fit, lanes, bagged.plain, bagged.scheme)
    draws = lanes.z.shape[1]
    assert (found.failed, found.passed, found.ensemble.failed) == (2, False, 2 * draws)
    np.testing.assert_array_equal(found.ensemble.ok().law.c, lanes.z[ok, :, 0].reshape(-1))
    kept = np.asarray(lanes.z[ok, :, 0], np.float64)
    # Mean and sum of squares are summed in pairs: as many roundings as halvings, on each CPU in its own order.
    assert float(found.widths()["c"][1]) == pytest.approx(np.std(kept, ddof=1), rel=2 * np.log2(kept.size) * eps)
    assert any(r.startswith("Bagged posterior not converged: 2 of 90 lanes") for r in found.ensemble.remarks)


def refitted(conjugate: Any, y: np.ndarray, sigma: float) -> Fit:
    runs, known = conjugate.mode.runs, gaussian(ConstantNoise(sigma), RawResidual())
    made = Runs.of(runs.inputs, y)
    return fit(conjugate.mode.law, made, known, fixed=("objective.noise.sigma",), prior=True, starts=2)


def test_no_mismatch_where_the_model_is_right(conjugate: Any) -> None:
    """The bagged variance is twice the posterior's, up to what the squares of these runs' noise happen to be."""
    design, _ = columns(conjugate.mode)
    y = design @ [5.0, 0.4] + SIGMA * np.random.default_rng(2).standard_normal(len(design))
    index = bag(refitted(conjugate, y, SIGMA), N).mismatch()
    lanes, effective = np.sqrt(2 / N), np.sqrt(2 / LaneSettings().importance.ess)
    for name, column in zip(("c", "m"), (design[:, 0], design[:, 1] - design[:, 1].mean()), strict=True):
        share = column**2 / np.sum(column**2)
        # Var of the resampled means over the posterior's: sum share_i (r_i / sigma)^2, of mean one.
        ratio = np.sqrt(2 * np.sum(share**2) + lanes**2 + effective**2)
        # At a ratio of 1 + d the index is d / (2 + d), to which the means' part counts half.
        assert abs(index[name]) < MCSE * ratio / 2


def test_a_mismatch_near_one_where_the_noise_is_far_too_small(conjugate: Any) -> None:
    small = SIGMA / 20
    found = bag(refitted(conjugate, columns(conjugate.mode)[1], small), N, key=3)
    plain, wide, error = variances(found.fit, N, 3)
    relative = np.sqrt(2 / LaneSettings().importance.ess)
    for i, name in enumerate(("c", "m")):
        ratio = 2 * plain[i] / wide[i]
        assert ratio < 0.05  # 20^2 times too little variance
        assert abs(found.mismatch()[name] - (1 - ratio)) < MCSE * ratio * np.hypot(relative, error[i] / wide[i])
    assert any(r.startswith("Mismatch: the plain posterior of") for r in found.remarks)
    assert found.ensemble.remarks == found.remarks


def same(one: Bagged, other: Bagged, n: int) -> None:
    for mine, theirs in zip(jax.tree.leaves(one.lanes), jax.tree.leaves(other.lanes), strict=True):
        np.testing.assert_array_equal(mine[:n], theirs[:n])


def test_the_key_decides(conjugate: Any, bagged: Bagged) -> None:
    seen: list[tuple[int, int]] = []
    typed = bag(conjugate.mode, N, key=jax.random.key(3), progress=lambda *x: seen.append(x))
    same(typed, bagged, N)
    np.testing.assert_array_equal(typed.plain.z, bagged.plain.z)
    assert seen == [(32, 90), (64, 90), (90, 90)]
    other = bag(conjugate.mode, 8, key=4)
    assert not np.any(other.lanes.z[:, 0] == bagged.lanes.z[:8, 0])


def test_a_folder_goes_on_from_what_is_there(conjugate: Any, bagged: Bagged, tmp_path: Path) -> None:
    folder = tmp_path / "chunks"
    same(bag(conjugate.mode, 60, key=3, folder=folder), bagged, 60)
    before = {x.name: x.stat().st_mtime_ns for x in folder.glob("chunk-*")}
    same(bag(conjugate.mode, N, key=3, folder=folder), bagged, N)
    after = {x.name: x.stat().st_mtime_ns for x in folder.glob("chunk-*")}
    # The first is whole; the second had 28 of 32 lanes.
    assert {name for name in after if after[name] == before.get(name)} == {"chunk-000000.npz"}
    same(bag(conjugate.mode, 40, key=3, folder=folder), bagged, 40)
    assert {x.name: x.stat().st_mtime_ns for x in folder.glob("chunk-*")} == after


def test_a_folder_of_another_run_is_refused(conjugate: Any, tmp_path: Path) -> None:
    folder, fewer = tmp_path / "chunks", LaneSettings(importance=Importance(draws=100))
    bag(conjugate.mode, 2, key=3, folder=folder)
    moved = refitted(conjugate, columns(conjugate.mode)[1] + 0.125, SIGMA)
    for mode, key, settings, differs in (
        (conjugate.mode, 4, None, "key"),
        (conjugate.mode, 3, fewer, "settings"),
        (moved, 3, None, "content"),
    ):
        with pytest.raises(BadInput, match=rf"those of another \({differs} differ\); choose another folder"):
            bag(mode, 2, key=key, settings=settings, folder=folder)


def test_bad_settings(conjugate: Any) -> None:
    with pytest.raises(BadInput, match="engine: expected one of importance, nuts, got 'hmc'"):
        bag(conjugate.mode, 2, engine="hmc")  # pyright: ignore[reportArgumentType]
    with pytest.raises(BadInput, match="bag: n: expected a whole number of at least 2, got 1"):
        bag(conjugate.mode, 1)
    with pytest.raises(BadInput, match="expected a fit made with prior=True"):
        bag(replace(conjugate.mode, problem=replace(conjugate.mode.problem, prior=False)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_engines_agree_on_a_scaling_law(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """100 resamples of 40 simulated runs, the same for both: chains pass their gates in 99 % of them."""
    monkeypatch.setattr(importlib.import_module("jaxscale.infer.posterior.bag"), "lanes_per_call", lambda *_: 100)
    rng = np.random.default_rng(seed)
    n, d = (x.ravel() for x in np.meshgrid(np.geomspace(5e7, 5e9, 8), np.geomspace(2e9, 2e11, 5)))
    truth = Chinchilla(E=1.8, A=400.0, B=1100.0, alpha=0.34, beta=0.37)
    loss = np.asarray(truth(N=n, D=d)) * np.exp(0.003 * rng.standard_t(5, len(n)))
    mode = fit(Chinchilla(), Runs.of({"N": n, "D": d}, loss), student_t(5), prior=True)
    first, second = (bag(mode, 100, key=seed, engine=engine) for engine in ENGINES)
    assert second.by_nuts == 100
    assert second.failed <= 1
    both = first.lanes.ok & second.lanes.ok
    means, errors = [], []
    for lanes in (first.lanes, second.lanes):
        z = lanes.z.astype(np.float64)
        means.append(z.mean(axis=1))
        errors.append(z.var(axis=1, ddof=1) / np.minimum(lanes.ess, z.shape[1]))
    far = ((means[0] - means[1]) / np.sqrt(errors[0] + errors[1]))[both]
    # The square of each has mean 1, as effective sizes say, and variance 2.
    assert np.all(np.mean(far**2, axis=0) < 1 + MCSE * np.sqrt(2 / both.sum()))
    assert np.all(np.abs(np.mean(far, axis=0)) < MCSE / np.sqrt(both.sum()))
    wide = [np.std(b.lanes.z[both].astype(np.float64).reshape(-1, far.shape[1]), axis=0) for b in (first, second)]
    # Lanes are the same resamples: what is left is the draws' own error, of no less than the gate's effective size.
    np.testing.assert_allclose(
        wide[1] / wide[0], 1, atol=MCSE * np.sqrt(1 / (LaneSettings().importance.ess * both.sum()))
    )
