"""`fit(solver=...)` with a transformation of optax: the same optimum and certificate, and refits by it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxscale import Runs, bootstrap, fit
from jaxscale.core.errors import BadInput
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.resample.bootstrap import resamples
from jaxscale.infer.resample.schemes import Pairs
from jaxscale.infer.search.units import units
from jaxscale.objectives.penalty import raw_least_squares
from jaxscale.report.store.store import load, save
from jaxscale.solve.first_order import Optax
from jaxscale.solve.gauss_newton import GaussNewton

TRANSFORMATION = optax.chain(optax.clip_by_global_norm(10.0), optax.sgd(0.5, momentum=0.3))


@pytest.fixture(scope="module")
def descended(line: Any) -> Fit:
    return fit(type(line.squares.law)(), line.runs, raw_least_squares(), starts=2, solver=TRANSFORMATION)


def test_a_fit_by_optax_is_least_squares(line: Any, descended: Fit, eps: float) -> None:
    assert descended.certificate.certified
    assert descended.settings == Optax(TRANSFORMATION)
    found = [float(descended.params[name]) for name in ("c", "m")]
    np.testing.assert_allclose(found, line.beta, atol=line.tolerance(eps))


def test_refits_are_by_it(line: Any, descended: Fit, eps: float) -> None:
    """Each resample's refit is weighted least squares, in closed form."""
    drawn = bootstrap(descended, 6, key=3, scheme=Pairs())
    assert drawn.failed == 0
    problem = descended.problem
    weight = resamples(problem, jax.random.key(3), Pairs(), units(problem.runs), jnp.asarray(0), 6).weight
    for i, w in enumerate(np.asarray(weight, float)[:, : len(line.x)]):
        root = np.sqrt(w)
        theirs = np.linalg.lstsq(line.design * root[:, None], line.y * root)[0]
        ours = np.array([float(drawn.params()[name][i]) for name in ("c", "m")])
        # The stopping rule: what is still to be had is rtol of the value, as a distance in the chart of that resample.
        allowed = 4 * np.sqrt(descended.settings.tolerance(problem.runs.target.dtype) * len(line.x))
        error = np.linalg.norm(np.linalg.cholesky(line.design.T @ (w[:, None] * line.design)).T @ (ours - theirs))
        assert error / np.sqrt(line.sigma2) <= allowed + line.tolerance(eps)


def test_one_transformation_compiles_once(
    line: Any, descended: Fit, compiles_counted: Callable[[], Any], eps: float
) -> None:
    other = Runs.of({"x": line.x}, line.y + 1)
    law = type(descended.law)()
    fit(law, other, raw_least_squares(), starts=2, solver=TRANSFORMATION)
    with compiles_counted() as seen:
        fit(law, Runs.of({"x": line.x}, line.y + 2), raw_least_squares(), starts=2, solver=Optax(TRANSFORMATION))
    assert not seen


def test_a_file_says_what_it_cannot_keep(descended: Fit, tmp_path: Path, laws: Any) -> None:
    save(tmp_path / "fit.nc", descended)
    back = load(tmp_path / "fit.nc", trust=True).fit
    assert back.settings == GaussNewton()
    assert any("cannot keep" in remark for remark in back.remarks)


def test_what_is_no_solver_is_refused(line: Any) -> None:
    with pytest.raises(BadInput, match="solver: expected GaussNewton"):
        fit(type(line.squares.law)(), line.runs, solver="adam")  # pyright: ignore[reportArgumentType]
