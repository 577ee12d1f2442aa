"""Designs that cannot determine a law are named; two runs off the ray mend them."""

import equinox as eqx
import numpy as np
import pytest

from jaxscale import BadInput, Fit, Runs, fit, from_published
from jaxscale.core.evaluate import predict
from jaxscale.core.parametric import replace
from jaxscale.core.results import RESULTS
from jaxscale.laws.loss.hoffmann2022 import Chinchilla

SIZES = np.geomspace(5e7, 5e9, 20)


def simulated(N: np.ndarray, D: np.ndarray, seed: int = 0) -> Runs:
    law = from_published(Chinchilla, "besiroglu2024")
    runs = Runs.of({"N": N, "D": D}, np.ones(len(N)))
    noise = np.exp(0.003 * np.random.default_rng(seed).standard_normal(len(N)))
    return eqx.tree_at(lambda r: r.target, runs, predict(law, runs) * noise.astype(runs.target.dtype))


def on_ray_and(*off: tuple[float, float]) -> Runs:
    extra = np.array(off).reshape(-1, 2)
    return simulated(np.r_[SIZES, extra[:, 0]], np.r_[20 * SIZES, extra[:, 1]])


@pytest.fixture(scope="module")
def ray() -> Fit:
    return fit(Chinchilla(), on_ray_and())


def test_a_ray_is_named_with_its_ridge(ray: Fit) -> None:
    text = " ".join(ray.remarks)
    assert "ray D = 20 N" in text
    assert "Ridge" in text
    leading = [name for name, weight in ray.identifiability.ridge.items() if abs(weight) > 0.3]
    assert set(leading) <= {"A", "B", "alpha", "beta"}


def test_a_ray_is_never_certified(ray: Fit) -> None:
    assert not ray.certificate.certified
    assert any("Not certified" in remark for remark in ray.remarks)


def test_terms_that_can_change_places_are_never_certified() -> None:
    """Exponents far apart leave no ridge on a ray D = r N: two optima, each round, of the same value."""
    truth = replace(from_published(Chinchilla, "besiroglu2024"), {"A": 50.0, "alpha": 0.25, "B": 1e6, "beta": 0.75})
    runs = on_ray_and()
    runs = eqx.tree_at(lambda r: r.target, runs, predict(truth, runs))
    # B D^-beta = (B r^-beta) N^-beta, and the other way about.
    swapped = {"A": 1e6 * 20**-0.75, "alpha": 0.75, "B": 50 * 20**0.25, "beta": 0.25}
    np.testing.assert_allclose(predict(replace(truth, swapped), runs), runs.target, rtol=1e-5)
    found = fit(truth, runs)
    assert not found.certificate.certified
    if runs.target.dtype == np.float64:  # float32 does not resolve so much as the Jacobian
        assert found.certificate.code == RESULTS.ambiguous


@pytest.mark.x64
def test_two_runs_off_the_ray_mend_it() -> None:
    mended = fit(Chinchilla(), on_ray_and((2e8, 4e10), (1e9, 2e11)))
    assert mended.remarks == ()
    assert mended.certificate.certified


def test_a_frontier_is_named() -> None:
    remarks = fit(Chinchilla(), simulated(SIZES, 3 * SIZES**1.12)).identifiability.lines
    assert len(remarks) == 1
    assert "curve D ~ N^1.12" in remarks[0]


def test_an_input_that_does_not_vary_is_named() -> None:
    remarks = fit(Chinchilla(), simulated(np.full(20, 1e9), 20 * SIZES)).identifiability.lines
    assert remarks == ("Design: N hardly varies; its exponent is not determined. Add runs at other N.",)


def test_a_grid_needs_no_remark() -> None:
    N, ratio = (x.reshape(-1) for x in np.meshgrid(np.geomspace(5e7, 5e9, 7), [5.0, 20.0, 80.0]))
    fitted = fit(Chinchilla(), simulated(N, ratio * N))
    assert fitted.identifiability.remarks() == ()
    assert fitted.identifiability.condition < 1e3
    assert fitted.certificate.certified


def test_runs_that_are_not_finite_are_refused() -> None:
    runs = simulated(SIZES, 20 * SIZES)
    with pytest.raises(BadInput, match=r"runs: target must be finite, got nan in run 3"):
        fit(Chinchilla(), eqx.tree_at(lambda r: r.target, runs, runs.target.at[3].set(np.nan)))


def test_too_few_runs_are_refused() -> None:
    with pytest.raises(BadInput, match=r"Chinchilla: expected at least 6 runs for 5 free parameters, got 5"):
        fit(Chinchilla(), simulated(SIZES[:5], 20 * SIZES[:5]))


def test_inputs_of_little_range_that_move_apart_are_not_called_a_line() -> None:
    rng = np.random.default_rng(3)
    # The data stay within a factor of 1.8 of each other, whatever the size.
    found = fit(Chinchilla(), simulated(np.exp(rng.uniform(18, 22, 30)), 1e10 * np.exp(rng.uniform(0, 0.6, 30))))
    assert found.identifiability.lines == ()
