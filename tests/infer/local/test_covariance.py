"""Covariances against ordinary least squares, White's estimator, maximum likelihood, and the bootstrap."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxscale.core.errors import BadInput
from jaxscale.core.runs import Runs
from jaxscale.infer.fit.fit import Fit, fit
from jaxscale.infer.local.covariance import covariance, dispersion, standard_errors
from jaxscale.infer.resample.bootstrap import bootstrap, resamples
from jaxscale.infer.resample.schemes import Wild
from jaxscale.infer.search.units import units
from jaxscale.objectives.likelihood import gaussian
from jaxscale.objectives.noise import ConstantNoise
from jaxscale.objectives.penalty import log_lad, raw_least_squares
from jaxscale.objectives.residual import RawResidual


def test_least_squares_is_ordinary_least_squares(line: Any, eps: float) -> None:
    found = covariance(line.squares, "hessian")
    assert found.names == ("c", "m")
    np.testing.assert_allclose(
        found.matrix, line.sigma2 * line.bread, rtol=line.tolerance(eps), atol=line.tolerance(eps)
    )
    # Residuals are measured in a hundredth of the runs' spread: the dispersion is in its square.
    measure = 1e-2 * float(line.squares.problem.unit)
    assert dispersion(line.squares) == pytest.approx(line.sigma2 / measure**2, rel=line.tolerance(eps))


def test_sandwich_is_white_with_leverage(line: Any, eps: float) -> None:
    leverage = np.einsum("ij,jk,ik->i", line.design, line.bread, line.design)
    meat = (line.design * (line.residual / (1 - leverage))[:, None] ** 2).T @ line.design
    matrix = covariance(line.squares, "sandwich").matrix
    tol = line.tolerance(eps)
    np.testing.assert_allclose(matrix, line.bread @ meat @ line.bread, rtol=tol, atol=tol * np.abs(matrix).max())


def test_sandwich_of_clusters_is_the_jackknife(line: Any, laws: dict[str, Any], eps: float) -> None:
    """Of a linear law by least squares, steps to the estimates without one cluster are exact: refit 15 times."""
    cluster = np.arange(60) // 4
    clustered = fit(laws["Line"](), Runs.of({"x": line.x}, line.y, cluster=cluster), raw_least_squares(), starts=2)
    without = [np.linalg.lstsq(line.design[cluster != c], line.y[cluster != c])[0] for c in range(15)]
    steps = np.array(without) - line.beta
    expected = steps.T @ steps
    tol = line.tolerance(eps)
    found = covariance(clustered)
    assert (found.kind, *found.freedom) == ("sandwich", 13, 13)
    np.testing.assert_allclose(found.matrix, expected, rtol=tol, atol=tol * np.abs(expected).max())


@pytest.fixture(scope="module")
def few(laws: dict[str, Any]) -> Fit:
    """A line through four points."""
    x = np.array([-2.0, -1.0, 0.5, 2.0])
    y = 5 + 0.5 * x + 0.125 * np.round(8 * np.random.default_rng(4).standard_normal(4)) / 8
    return fit(laws["Line"](), Runs.of({"x": x}, y), raw_least_squares(), starts=2)


def test_few_runs_have_the_covariance_of_own_residuals(few: Fit, eps: float) -> None:
    """By hand: HC2, and quantiles of Student's t with the freedom of Bell & McCaffrey for every parameter."""
    x, y = (np.asarray(v, np.float64) for v in (few.runs.inputs["x"], few.runs.target))
    design = np.stack([np.ones(4), x], axis=1)
    bread = np.linalg.inv(design.T @ design)
    left = np.eye(4) - design @ bread @ design.T
    weights = bread @ design.T / np.sqrt(np.diag(left))  # of corrected residuals
    steps = weights * (left @ y)
    expected = steps @ steps.T
    omega = [(w[:, None] * left) @ (left * w) for w in weights]
    freedom = [np.trace(o) ** 2 / np.sum(o**2) for o in omega]
    found = covariance(few)
    tol = 256 * float(np.linalg.cond(design.T @ design)) * eps
    assert found.kind == "wild"
    np.testing.assert_allclose(found.freedom, freedom, rtol=tol)
    np.testing.assert_allclose(found.matrix, expected, rtol=tol, atol=tol * np.abs(expected).max())
    half = stats.t.ppf(0.95, freedom[1]) * np.sqrt(expected[1, 1])
    np.testing.assert_allclose(found.interval(0.9)["m"], found.estimate[1] + np.array([-half, half]), rtol=tol)
    with pytest.raises(BadInput, match="expected a level between 0 and 1"):
        found.interval(90)


def test_few_runs_are_drawn_by_their_own_residuals(few: Fit, eps: float) -> None:
    """Of a linear law by least squares a refit is the estimate and the linear answer to the noise that was drawn."""
    draws = bootstrap(few, 64, key=2)
    assert draws.method == "bootstrap:wild"
    assert draws.failed == 0
    problem = few.problem
    made = resamples(problem, jax.random.key(2), Wild().ready(problem), units(problem.runs), jnp.asarray(0), 64)
    assert made.target is not None
    design = np.stack([np.ones(4), np.asarray(few.runs.inputs["x"], np.float64)], axis=1)
    drawn = np.asarray(made.target, np.float64)[:, :4]
    expected = drawn @ np.linalg.pinv(design).T
    found = np.stack([np.asarray(draws.params()[name], np.float64) for name in ("c", "m")], axis=1)
    np.testing.assert_allclose(found, expected, atol=1024 * eps * np.abs(drawn).max())


def test_intervals_of_positive_numbers_are_of_their_logarithms(simulated_mode: Fit) -> None:
    linear, logs = (covariance(simulated_mode, "hessian", scale) for scale in ("constrained", "unconstrained"))
    # Coordinates are of losses of the usual size: logarithms of the parameters, less one number each.
    best = dict(zip(logs.names, logs.estimate, strict=True))
    for name, estimate in zip(linear.names, linear.estimate, strict=True):
        if name in ("E", "A", "beta"):
            ends = estimate * np.exp(np.array(logs.interval()[name]) - best[name])
            np.testing.assert_allclose(linear.interval()[name], ends, rtol=1e-3)


def test_gaussian_likelihood(line: Any, eps: float) -> None:
    """Covariance of the line s^2 (X'X)^-1, of the scale s^2 / 2n, where s^2 is RSS / (n - 2), not the likeliest one."""
    n = len(line.x)
    variance = line.sigma2
    found = covariance(line.normal, "hessian")
    matrix = found.matrix
    assert found.names == ("c", "m", "objective.noise.sigma")
    tol = line.tolerance(eps)
    np.testing.assert_allclose(matrix[:2, :2], variance * line.bread, rtol=tol, atol=tol * variance)
    likeliest = variance * (n - 2) / n
    assert matrix[2, 2] == pytest.approx(likeliest / (2 * (n - 2)), rel=tol)
    logs = covariance(line.normal, "hessian", "unconstrained").matrix
    assert logs[2, 2] == pytest.approx(1 / (2 * (n - 2)), rel=tol)
    assert dispersion(line.normal) == 1.0


def test_a_known_scale_has_normal_quantiles(line: Any, laws: dict[str, Any], eps: float) -> None:
    """Least squares of noise of a known size: s^2 (X'X)^-1, and nothing is lost to an estimated scale."""
    known = gaussian(ConstantNoise(sigma=0.7), RawResidual())
    fitted = fit(laws["Line"](), line.runs, known, starts=2, fixed=("objective.noise.sigma",))
    found = covariance(fitted, "hessian")
    tol = line.tolerance(eps)
    np.testing.assert_allclose(found.matrix, 0.49 * line.bread, rtol=tol, atol=tol * np.abs(found.matrix).max())
    half = stats.norm.ppf(0.95) * 0.7 * np.sqrt(line.bread[1, 1])
    np.testing.assert_allclose(found.interval()["m"], found.estimate[1] + np.array([-half, half]), rtol=tol)


def test_fewer_runs_than_parameters_have_the_posteriors_curvature(laws: dict[str, Any], eps: float) -> None:
    """A line through two points and its priors leaves no residuals; the inverse Hessian needs none."""
    runs = Runs.of({"x": [-1.0, 1.0]}, [4.5, 5.5])
    fitted = fit(laws["Line"](), runs, gaussian(residual=RawResidual()), prior=True, starts=2)
    found = covariance(fitted, scale="unconstrained")
    assert (found.kind, *set(found.freedom)) == ("hessian", np.inf)
    np.testing.assert_allclose(
        found.matrix @ fitted.hessian, np.eye(3), atol=256 * np.linalg.cond(fitted.hessian) * eps
    )


def test_standard_errors_are_the_roots(line: Any) -> None:
    found = standard_errors(line.squares, "hessian")
    np.testing.assert_array_equal(
        [found["c"], found["m"]], np.sqrt(np.diag(covariance(line.squares, "hessian").matrix))
    )


def test_an_edge_has_no_number(edge: Fit, eps: float) -> None:
    assert edge.certificate.on_edge == ("m",)
    found = covariance(edge, "hessian")
    assert np.isnan(found.matrix[1, 1])
    assert np.isnan(found.matrix[0, 1])
    (remark,) = found.remarks()
    assert remark.startswith("No standard error for m. A parameter ended on the edge")
    y = np.asarray(edge.runs.target, np.float64)
    # With the slope gone the level is a mean. The edge threshold leaves a slope below a thousandth of a width.
    assert found.matrix[0, 0] == pytest.approx(y.var(ddof=1) / len(y), rel=1e-3)


def test_agrees_with_the_bootstrap(line: Any) -> None:
    """Pairs bootstrap and sandwich estimate one variance: they differ by p/n and the bootstrap's own error."""
    draws = 2000
    ensemble = bootstrap(line.squares, draws, key=3)
    assert ensemble.failed == 0
    for name, spread in ensemble.standard_errors().items():
        kurtosis_room = 2.0  # the draws' tails: a variance estimate's error grows by sqrt((kurtosis - 1) / 2)
        tolerance = 4 * kurtosis_room / np.sqrt(2 * draws) + 2 / len(line.x)
        assert spread == pytest.approx(standard_errors(line.squares)[name], rel=tolerance)


def test_least_absolute_deviations_are_refused(line: Any, laws: dict[str, Any]) -> None:
    fitted = fit(laws["Line"](), line.runs, log_lad(), starts=2)
    with pytest.raises(BadInput, match=r"in the curved part of the penalty, got \d+.*use `bootstrap"):
        covariance(fitted)


def test_a_wrong_kind_is_refused(line: Any) -> None:
    with pytest.raises(BadInput, match="expected kind 'sandwich', 'hessian' or 'wild'"):
        covariance(line.squares, "robust")  # pyright: ignore
    assert jnp.isfinite(covariance(line.squares).matrix).all()
