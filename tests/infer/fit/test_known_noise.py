"""A known noise of the runs: weighted least squares as SciPy has them, robust fits on the same scale, resamples."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import curve_fit, least_squares

from jaxscale import bootstrap, fit, from_published, log_huber
from jaxscale.core.errors import BadInput
from jaxscale.core.evaluate import predict
from jaxscale.core.runs import Runs
from jaxscale.infer.local.covariance import covariance
from jaxscale.infer.resample.schemes import Parametric
from jaxscale.laws.loss.hestness2017 import PowerLawWithFloor
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.objectives.penalty import raw_least_squares

SEEDS = [1, 2, 3]


def line_runs(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, Runs]:
    """x, y and the noise of each y, over a decade and a half, all exact in float32."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 3, 40).astype(np.float32).astype(float)
    noise = (0.02 * np.exp(rng.uniform(0, np.log(30), 40))).astype(np.float32).astype(float)
    y = (5 + 0.7 * x + noise * rng.standard_normal(40)).astype(np.float32).astype(float)
    return x, y, noise, Runs.of({"x": x}, y, noise=noise)


@pytest.mark.parametrize("seed", SEEDS)
def test_squares_are_scipys_weighted_ones(laws: Any, seed: int, eps: float) -> None:
    """Values and covariance of `curve_fit(sigma=...)`."""
    x, y, noise, runs = line_runs(seed)
    found = fit(laws["Line"](), runs, raw_least_squares(), starts=2)
    exact: Any = {"jac": lambda x, c, m: np.column_stack([np.ones_like(x), x]), "ftol": 1e-15, "xtol": 1e-15}
    values, matrix = curve_fit(lambda x, c, m: c + m * x, x, y, sigma=noise, absolute_sigma=False, **exact)
    plain, _ = curve_fit(lambda x, c, m: c + m * x, x, y)
    error = np.sqrt(np.diag(matrix))
    mine = np.array([float(found.params["c"]), float(found.params["m"])])
    # What the certificate leaves of the gradient, as steps of Newton in standard errors; SciPy's ends at about 1e-8.
    room = found.certificate.tolerance * np.sqrt(len(x)) * error + 64 * eps * np.abs(values)
    assert np.all(np.abs(mine - values) <= room)
    assert np.any(np.abs(plain - values) > 0.1 * error)
    loose = 2 * found.certificate.tolerance * error.max() ** 2
    np.testing.assert_allclose(covariance(found, "hessian").matrix, matrix, rtol=0, atol=loose)


def ladder(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Runs]:
    """Chinchilla's law; the small runs, of many seeds, are known twenty times as well as the large ones."""
    rng = np.random.default_rng(seed)
    law = from_published(Chinchilla, "besiroglu2024")
    N = np.exp(rng.uniform(np.log(5e7), np.log(5e9), 60))
    D = N * np.exp(rng.uniform(np.log(5), np.log(200), 60))
    clean = np.asarray(predict(law, Runs.of({"N": N, "D": D}, np.ones(60))), np.float64)
    noise = 0.0005 * clean * np.exp(rng.uniform(0, np.log(20), 60))
    loss = clean + noise * rng.standard_t(4, 60)
    return N, D, loss, noise, Runs.of({"N": N, "D": D}, loss, noise=noise)


@pytest.mark.x64
@pytest.mark.parametrize("seed", SEEDS)
def test_the_default_objective_is_scipys_huber_of_scaled_residuals(seed: int) -> None:
    N, D, loss, noise, runs = ladder(seed)
    found = fit(Chinchilla(), runs, log_huber(1e-3), starts=8)
    relative = noise / loss
    relative = relative / np.exp(np.mean(np.log(relative)))

    def residual(p: np.ndarray, scale: Any = relative) -> np.ndarray:
        law = np.exp(p[0]) + np.exp(p[1] - p[3] * np.log(N)) + np.exp(p[2] - p[4] * np.log(D))
        return (np.log(law) - np.log(loss)) / scale

    truth = np.log([1.8172, 482.01, 2085.43])
    start = np.array([*truth, 0.3478, 0.3658])
    tight: Any = {"loss": "huber", "f_scale": 1e-3, "xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15, "max_nfev": 5000}
    theirs = least_squares(residual, start, x_scale="jac", **tight)
    # SciPy's Huber cost is half of rho, as ours is.
    assert found.value == pytest.approx(theirs.cost, rel=1e-8)
    assert float(found.params["E"]) == pytest.approx(np.exp(theirs.x[0]), rel=1e-6)
    unweighted = least_squares(lambda p: residual(p, 1.0), start, x_scale="jac", **tight)
    assert np.max(np.abs(unweighted.x - theirs.x)) > 1e-2


def test_resamples_from_the_fit_scatter_as_the_weighted_squares_say(laws: Any) -> None:
    """Parametric resamples: new losses scatter by each run's own noise, so refits do by the weighted covariance."""
    x, _, noise, runs = line_runs(7)
    found = fit(laws["Line"](), runs, raw_least_squares(), starts=2)
    draws = bootstrap(found, 400, scheme=Parametric(), key=1).params()
    # The known noise enters up to a factor, which the residuals' robust spread gives.
    relative = noise / np.exp(np.mean(np.log(noise)))
    left = (np.asarray(runs.target, np.float64) - float(found.params["c"]) - float(found.params["m"]) * x) / relative
    design = np.column_stack([np.ones(40), x]) / relative[:, None]
    expected = 1.4826 * np.median(np.abs(left)) * np.sqrt(np.diag(np.linalg.inv(design.T @ design)))
    for name, size in zip("cm", expected, strict=True):
        # The standard deviation of 400 normal draws is known to 1/sqrt(800): four of these.
        assert np.std(draws[name]) == pytest.approx(size, rel=4 / np.sqrt(800))


@pytest.mark.parametrize("bad", [-0.1, np.nan, np.inf])
def test_a_noise_that_is_none_is_refused(laws: Any, bad: float) -> None:
    noise = np.full(12, 0.1)
    noise[3] = bad
    with pytest.raises(BadInput, match=r"noise must be .* in run 3"):
        fit(laws["Line"](), Runs.of({"x": np.arange(12.0)}, np.ones(12), noise=noise), raw_least_squares(), starts=0)


def test_padding_has_no_noise_and_no_say(eps: float) -> None:
    runs = line_runs(4)[-1]
    small = jax.tree.map(lambda x: x[:9], runs)
    padded, objective = small.padded(), raw_least_squares()
    assert padded.size > 9
    ours = objective.outputs(jnp.zeros(padded.size), padded)[:9]
    np.testing.assert_allclose(np.asarray(ours), np.asarray(objective.outputs(jnp.zeros(9), small)), rtol=64 * eps)


def test_noise_of_a_run_that_does_not_count_is_not_missed() -> None:
    m = np.geomspace(1e3, 1e7, 8)
    noise, weight = np.full(8, 0.01), np.ones(8)
    noise[2] = weight[2] = 0
    runs = Runs.of({"m": m}, (1.5 + 20 * m**-0.3) * np.exp(0.01 * np.cos(m)), noise=noise, weight=weight)
    found = fit(PowerLawWithFloor(), runs, log_huber(), starts=2)
    assert not any(remark.startswith("Noise") for remark in found.remarks)
