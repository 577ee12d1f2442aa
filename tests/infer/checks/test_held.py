"""Parameters held: on the edge of a support as a law without them, and against the data with a remark."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import least_squares as scipy_least_squares

from jaxscale import bootstrap, fit
from jaxscale import least_squares as squares
from jaxscale.core.errors import BadInput
from jaxscale.core.runs import Runs
from jaxscale.infer.checks.held import against
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.forecast.forecast import forecast
from jaxscale.laws.loss.hestness2017 import PowerLawWithFloor
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.laws.loss.videau2026 import Nested
from jaxscale.plan.plan_run import plan_run
from jaxscale.report.store.store import load, save

SEEDS = [0, 1, 2]


def floorless(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, Runs]:
    """Losses of A N^-alpha + B D^-beta, N and D drawn apart, so that no ray makes a valley."""
    rng = np.random.default_rng(seed)
    N, D = np.exp(rng.uniform(16, 23, 40)), np.exp(rng.uniform(19, 26, 40))
    loss = (12 * N**-0.12 + 30 * D**-0.16) * np.exp(0.002 * rng.standard_normal(40))
    return N, D, loss, Runs.of({"N": N, "D": D}, loss)


@pytest.fixture(scope="module", params=SEEDS)
def held(request: pytest.FixtureRequest) -> tuple[Fit, np.ndarray, np.ndarray, np.ndarray]:
    N, D, loss, runs = floorless(request.param)
    return fit(Chinchilla(), runs, squares(), fixed={"E": 0.0}, starts=16), N, D, loss


@pytest.mark.x64
def test_a_floor_of_zero_is_the_law_without_it(held: tuple[Fit, np.ndarray, np.ndarray, np.ndarray]) -> None:
    found, N, D, loss = held
    assert found.certificate.is_local_optimum
    assert found.remarks == () or not found.remarks[0].startswith("Fixed")
    assert float(found.params["E"]) == 0
    assert "E" not in found.problem.split.free
    theirs = scipy_least_squares(
        lambda p: np.log(np.exp(p[0] - p[1] * np.log(N)) + np.exp(p[2] - p[3] * np.log(D))) - np.log(loss),
        [np.log(12), 0.12, np.log(30), 0.16],
        x_scale="jac", xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=5000,
    )  # fmt: skip
    assert found.value == pytest.approx(theirs.cost, rel=1e-8)
    mine = [float(found.params[name]) for name in ("A", "alpha", "B", "beta")]
    a, alpha, b, beta = theirs.x
    np.testing.assert_allclose(mine, [np.exp(a), alpha, np.exp(b), beta], rtol=1e-5)


def test_draws_files_predictions_and_plans_keep_the_zero(
    held: tuple[Fit, np.ndarray, np.ndarray, np.ndarray], tmp_path: Path, eps: float
) -> None:
    found, *_ = held
    ensemble = bootstrap(found, 16)
    assert np.all(ensemble.params()["E"] == 0)
    save(tmp_path / "fit.nc", found, ensemble)
    back = load(tmp_path / "fit.nc")
    assert float(back.fit.params["E"]) == 0
    at = {"N": 1e11, "D": 1e12}
    p = {name: float(x) for name, x in found.params.items()}
    expected = p["A"] * 1e11 ** -p["alpha"] + p["B"] * 1e12 ** -p["beta"]
    assert float(forecast(back.fit, at, back.ensemble).point[0]) == pytest.approx(expected, rel=256 * eps)
    planned = plan_run(back.fit, back.ensemble, flops=1e23)
    N, _ = found.law.compute_optimal(jnp.asarray(1e23))  # pyright: ignore[reportAttributeAccessIssue]
    assert planned.point["N"] == pytest.approx(float(N), rel=2e4 * eps)


@pytest.mark.parametrize(
    ("law", "fixed", "words"),
    [
        (Nested(), {"A": 0.0}, "Nested or its derivatives are not finite at A = 0, on the edge"),
        (Chinchilla(), {"E": -0.1}, "E must lie inside its support (positive) or on its edge, got -0.1"),
        (Chinchilla(), {"alpha": np.nan}, "alpha must lie inside its support"),
        (Chinchilla(), {"alpha": np.inf}, "alpha must lie inside its support"),
        (Chinchilla(), {"E": [1.0, 2.0]}, "E has the shape (), got one of shape (2,)"),
        (Chinchilla().replace(E=-1.0), ("E",), "E must lie inside its support"),
    ],
)
def test_a_value_that_cannot_be_held_is_refused(law: Any, fixed: Any, words: str) -> None:
    with pytest.raises(BadInput) as refused:
        fit(law, floorless(0)[-1], squares(), fixed=fixed, starts=0)
    assert words in str(refused.value)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_floor_above_losses_is_told_with_its_rows(seed: int) -> None:
    """No loss of the law lies below its floor, so that of held 2 the runs below 2 are against it."""
    *_, loss, runs = floorless(seed)
    level = float(np.sort(loss)[7] + np.sort(loss)[8]) / 2
    law = Chinchilla().replace(E=level)
    rows = np.arange(100, 140)
    (said,) = against(law, runs, ("E", "alpha"), rows)
    assert said.startswith(
        f"Fixed E = {level:.4g}: under it no run, however large, has a loss below {level:.4g}, and 8"
    )
    assert f": the least is {loss.min():.4g}, in row {rows[np.argmin(loss)]}." in said
    assert against(law, runs, ("alpha",), rows) == ()  # a free floor is not held against the runs
    assert against(Chinchilla().replace(E=0.9 * loss.min()), runs, ("E",), rows) == ()
    kept = Runs.of(runs.inputs, loss, weight=(loss > level).astype(float))
    assert against(law, kept, ("E",), rows) == ()


def test_the_fit_says_so_and_of_other_laws_too() -> None:
    m = np.geomspace(1e3, 1e7, 12)
    runs = Runs.of({"m": m}, 1.5 + 20 * m**-0.3)
    found = fit(PowerLawWithFloor(), runs, squares(), fixed={"gamma": 1.8}, starts=2)
    count = int(np.sum(1.5 + 20 * m**-0.3 < 1.8))
    assert found.remarks[0].startswith("Fixed gamma = 1.8: ")
    assert f"and {count} of the runs have one" in found.remarks[0]
    assert f"in run {len(m) - 1} (counted from 0)" in found.remarks[0]


@pytest.mark.x64
def test_a_fit_stays_differentiable_in_what_is_held() -> None:
    """The exponent's derivative by a held floor is that of finite differences."""
    m = np.geomspace(1e3, 1e7, 12)
    runs = Runs.of({"m": m}, (1.5 + 20 * m**-0.3) * np.exp(0.01 * np.random.default_rng(0).standard_normal(12)))

    def exponent(floor: Any) -> Any:
        return fit(PowerLawWithFloor(), runs, squares(), fixed={"gamma": floor}, starts=2).law.beta  # type: ignore[attr-defined]

    slope = float(jax.grad(exponent)(jnp.asarray(1.2)))
    step = 1e-4
    expected = (float(exponent(1.2 + step)) - float(exponent(1.2 - step))) / (2 * step)
    assert slope == pytest.approx(expected, rel=1e-5)


def test_a_floor_held_at_zero_stays_differentiable_in_the_inputs() -> None:
    """Of alpha m^-beta, sizes s times as large have alpha s^beta."""
    m = np.geomspace(1e3, 1e7, 12)
    loss = 20 * m**-0.12 * np.exp(0.01 * np.random.default_rng(1).standard_normal(12))

    def scaled(s: Any) -> Any:
        runs = Runs.of({"m": s * jnp.asarray(m, float)}, loss)
        return fit(PowerLawWithFloor(), runs, squares(), fixed={"gamma": 0.0}, starts=2).law

    law = scaled(1.0)
    slope = float(jax.grad(lambda s: scaled(s).alpha)(1.0))
    assert slope == pytest.approx(float(law.beta) * float(law.alpha), rel=1e-3)
