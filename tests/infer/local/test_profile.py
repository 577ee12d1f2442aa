"""Profiles against closed forms of linear regression and against refits with `fixed=`."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2, norm, t

from jaxscale.core.errors import BadInput
from jaxscale.core.runs import Runs
from jaxscale.infer.fit.fit import Fit, fit
from jaxscale.infer.local.profile import profile
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.objectives.likelihood import student_t
from jaxscale.objectives.penalty import raw_least_squares

# Deviances are differences of sums: float32 leaves them three digits.
pytestmark = pytest.mark.x64

# The solver stops where 1e-12 of the value is left; the value is n / 2 dispersions, the deviance O(1).
STOP = 1e-12


@pytest.mark.parametrize(("name", "index"), [("c", 0), ("m", 1)])
def test_a_linear_law_gives_a_parabola_and_students_interval(line: Any, name: str, index: int) -> None:
    found = profile(line.squares, name, level=0.9)
    error = np.sqrt(line.sigma2 * line.bread[index, index])
    slack = 10 * STOP * len(line.x)
    np.testing.assert_allclose(found.deviance, ((found.values - line.beta[index]) / error) ** 2, rtol=1e-9, atol=slack)
    half = t.ppf(0.95, len(line.x) - 2) * error
    assert found.closed == (True, True)
    np.testing.assert_allclose(found.interval, [line.beta[index] - half, line.beta[index] + half], rtol=1e-9)
    assert found.remarks() == ()
    assert np.all(np.diff(found.values) > 0)


def test_a_function_of_the_law(line: Any) -> None:
    point = np.array([1.0, 3.0])
    found = profile(line.squares, lambda law: law.c + 3 * law.m, level=0.5)
    error = np.sqrt(line.sigma2 * point @ line.bread @ point)
    half = t.ppf(0.75, len(line.x) - 2) * error
    np.testing.assert_allclose(found.interval, point @ line.beta + np.array([-half, half]), rtol=1e-9)


def test_a_likelihood_uses_chi_square(line: Any) -> None:
    """Profiling the slope of a Gaussian likelihood: n log(1 + (m - m0)^2 / (n v)), v = RSS/n * bread."""
    n = len(line.x)
    v = float(line.residual @ line.residual) / n * line.bread[1, 1]
    found = profile(line.normal, "m")
    assert found.threshold == pytest.approx(chi2.ppf(0.9, 1), rel=1e-12)
    expected = n * np.log1p((found.values - line.beta[1]) ** 2 / (n * v))
    np.testing.assert_allclose(found.deviance, expected, rtol=1e-8, atol=1e-9)
    half = np.sqrt(n * v * np.expm1(found.threshold / n))
    np.testing.assert_allclose(found.interval, line.beta[1] + np.array([-half, half]), rtol=1e-8)


@pytest.fixture(scope="module")
def curved() -> tuple[Runs, Fit]:
    rng = np.random.default_rng(5)
    size, tokens = np.meshgrid(np.logspace(8, 10, 6), np.logspace(9.5, 11.5, 6))
    law = Chinchilla()
    N, D = size.ravel(), tokens.ravel()
    loss = law.E + law.A * N ** -float(law.alpha) + law.B * D ** -float(law.beta)
    runs = Runs.of({"N": N, "D": D}, np.asarray(loss) * np.exp(0.003 * rng.standard_normal(N.size)))
    return runs, fit(Chinchilla(), runs, student_t(), starts=4)


@pytest.mark.slow
def test_a_profile_is_a_refit_with_the_parameter_fixed(curved: tuple[Runs, Fit]) -> None:
    runs, fitted = curved
    found = profile(fitted, "alpha", points=2)
    assert found.closed == (True, True)
    for value, deviance in zip(found.values, found.deviance, strict=True):
        held = fit(fitted.law.replace(alpha=value), runs, student_t(), fixed=("alpha",), starts=4)
        again = 2 * (held.value - fitted.value)
        assert deviance == pytest.approx(again, rel=1e-8, abs=1e-8)
    lower, upper = found.interval
    assert lower is not None
    assert upper is not None
    # Near a parabola, whose half-width is 1.645 standard errors; the two sides differ by the curvature.
    width = norm.ppf(0.95) * np.sqrt(np.linalg.inv(fitted.hessian)[3, 3]) * float(fitted.params["alpha"])
    assert 0.5 * (upper - lower) == pytest.approx(width, rel=0.2)


@pytest.mark.slow
def test_the_optimum_of_a_budget(curved: tuple[Runs, Fit]) -> None:
    """A function of several parameters: a refit whose law is held at the end has the threshold's deviance."""
    _, fitted = curved
    found = profile(fitted, lambda law: law.compute_optimal(1e22)[0])
    lower, upper = found.interval
    best = float(fitted.law.compute_optimal(1e22)[0])
    assert lower is not None
    assert upper is not None
    assert lower < best < upper
    inside = (found.values > lower) & (found.values < upper)
    assert np.all(found.deviance[inside] <= found.threshold)
    assert np.all(np.diff(found.deviance[found.values >= best]) > 0)
    assert np.all(np.diff(found.deviance[found.values <= best]) < 0)


def test_one_sided_where_the_edge_is_as_good(laws: dict[str, Any]) -> None:
    """A positive slope within its error of zero has an upper end only; below it ends on the edge of its support."""
    x = np.linspace(-2, 2, 40)
    y = 5 + 0.02 * x + 0.1 * np.random.default_rng(0).choice([-1.0, 1.0], 40)
    found = profile(fit(laws["Rising"](), Runs.of({"x": x}, y), raw_least_squares(), starts=4), "m")
    assert found.closed == (False, True)
    lower, upper = found.interval
    assert lower == 0
    design = np.stack([np.ones_like(x), x], axis=1)
    beta, rss = np.linalg.lstsq(design, y)[:2]
    error = np.sqrt(rss[0] / 38 * np.linalg.inv(design.T @ design)[1, 1])
    assert upper == pytest.approx(beta[1] + t.ppf(0.95, 38) * error, rel=1e-8)
    assert found.remarks() == ("m reaches the edge of its support below, 0: its interval is one-sided.",)


def test_a_parameter_on_the_edge(edge: Fit) -> None:
    """The line's slope m >= 0 is best at zero: c is then a mean, and m's deviance a parabola about a negative slope."""
    x, y = (np.asarray(column, np.float64) for column in (edge.runs.inputs["x"], edge.runs.target))
    half = t.ppf(0.95, len(y) - 1) * y.std(ddof=1) / np.sqrt(len(y))
    np.testing.assert_allclose(profile(edge, "c").interval, [y.mean() - half, y.mean() + half], rtol=1e-8)
    found = profile(edge, "m")
    away = x - x.mean()
    slope = away @ y / (away @ away)
    assert slope < 0
    scale = y.var(ddof=1) / (away @ away)
    assert found.interval[0] == 0
    assert found.interval[1] == pytest.approx(
        slope + np.sqrt(slope**2 + scale * t.ppf(0.95, len(y) - 1) ** 2), rel=1e-8
    )
    # The first value stands for the edge itself.
    expected = (found.values[1:] * (found.values[1:] - 2 * slope)) / scale
    np.testing.assert_allclose(found.deviance[1:], expected, rtol=1e-7)
    assert found.closed == (False, True)
    assert "one-sided" in found.remarks()[0]


def test_clusters_are_said(line: Any, laws: dict[str, Any]) -> None:
    runs = Runs.of({"x": line.x}, line.y, cluster=np.arange(60) // 4)
    clustered = fit(laws["Line"](), runs, line.squares.objective, starts=2)
    assert any("60 rows as independent, but they are 15 clusters" in r for r in profile(clustered, "m").remarks())


def test_what_cannot_be_profiled_is_refused(line: Any) -> None:
    with pytest.raises(BadInput, match=r"expected a free parameter, one of \['c', 'm'\], got 'k'"):
        profile(line.squares, "k")
    with pytest.raises(BadInput, match="gives one finite number"):
        profile(line.squares, lambda law: law.c * np.ones(2))
    with pytest.raises(BadInput, match="does not change"):
        profile(line.squares, lambda law: 0 * law.c)
    with pytest.raises(BadInput, match="profile: level: expected a number of at most 1, got 90"):
        profile(line.squares, "m", level=90)
