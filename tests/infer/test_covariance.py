"""Covariances against ordinary least squares, White's estimator, maximum likelihood, and the bootstrap."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.errors import BadInput
from jaxscale.core.runs import Runs
from jaxscale.infer.bootstrap import bootstrap
from jaxscale.infer.covariance import covariance, dispersion, standard_errors
from jaxscale.infer.fit import Fit, fit
from jaxscale.objectives.penalty import log_lad, raw_least_squares


def test_least_squares_is_ordinary_least_squares(line: Any, eps: float) -> None:
    names, matrix = covariance(line.squares, "hessian")
    assert names == ("c", "m")
    np.testing.assert_allclose(matrix, line.sigma2 * line.bread, rtol=line.tolerance(eps), atol=line.tolerance(eps))
    # Residuals are measured in a hundredth of the runs' spread: the dispersion is in its square.
    measure = 1e-2 * float(line.squares.problem.unit)
    assert dispersion(line.squares) == pytest.approx(line.sigma2 / measure**2, rel=line.tolerance(eps))


def test_sandwich_is_white(line: Any, eps: float) -> None:
    meat = (line.design * line.residual[:, None] ** 2).T @ line.design
    _, matrix = covariance(line.squares, "sandwich")
    tol = line.tolerance(eps)
    np.testing.assert_allclose(matrix, line.bread @ meat @ line.bread, rtol=tol, atol=tol * np.abs(matrix).max())


def test_scores_are_summed_by_cluster(line: Any, laws: dict[str, Any], eps: float) -> None:
    cluster = np.arange(60) // 4
    clustered = fit(laws["Line"](), Runs.of({"x": line.x}, line.y, cluster=cluster), raw_least_squares(), starts=2)
    score = np.zeros((15, 2))
    np.add.at(score, cluster, line.design * line.residual[:, None])
    expected = line.bread @ score.T @ score @ line.bread
    tol = line.tolerance(eps)
    np.testing.assert_allclose(covariance(clustered).matrix, expected, rtol=tol, atol=tol * np.abs(expected).max())


def test_gaussian_likelihood(line: Any, eps: float) -> None:
    """Maximum likelihood: RSS / n, covariance of the line s^2 (X'X)^-1, of the scale s^2 / 2n."""
    n = len(line.x)
    variance = float(line.residual @ line.residual) / n
    names, matrix = covariance(line.normal, "hessian")
    assert names == ("c", "m", "objective.noise.sigma")
    tol = line.tolerance(eps)
    np.testing.assert_allclose(matrix[:2, :2], variance * line.bread, rtol=tol, atol=tol * variance)
    assert matrix[2, 2] == pytest.approx(variance / (2 * n), rel=tol)
    logs = covariance(line.normal, "hessian", "unconstrained").matrix
    assert logs[2, 2] == pytest.approx(1 / (2 * n), rel=tol)
    assert dispersion(line.normal) == 1.0


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
    """Pairs bootstrap and HC0 estimate one variance: they differ by p/n and the bootstrap's own error."""
    draws = 2000
    ensemble = bootstrap(line.squares, draws, key=3)
    assert ensemble.failed == 0
    for name, spread in ensemble.standard_errors().items():
        kurtosis_room = 2.0  # the draws' tails: a variance estimate's error grows by sqrt((kurtosis - 1) / 2)
        tolerance = 4 * kurtosis_room / np.sqrt(2 * draws) + 2 / len(line.x)
        assert spread == pytest.approx(standard_errors(line.squares)[name], rel=tolerance)


def test_least_absolute_deviations_are_refused(line: Any, laws: dict[str, Any]) -> None:
    fitted = fit(laws["Line"](), line.runs, log_lad(), starts=2)
    with pytest.raises(BadInput, match=r"in the curved part of the penalty, got \d+.*use bootstrap"):
        covariance(fitted)


def test_a_wrong_kind_is_refused(line: Any) -> None:
    with pytest.raises(BadInput, match="expected kind 'sandwich' or 'hessian'"):
        covariance(line.squares, "robust")  # pyright: ignore
    assert jnp.isfinite(covariance(line.squares).matrix).all()
