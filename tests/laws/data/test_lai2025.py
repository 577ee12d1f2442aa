"""DistinctSystems: hand values, signs, and the design of the paper at constant data, simulated with noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import curve_fit

from jaxscale import Study, fit
from jaxscale.laws.data.lai2025 import DistinctSystems
from jaxscale.objectives.penalty import raw_least_squares

SYSTEMS = np.array([20979, 10490, 5245, 2623, 1312, 656, 328, 164])
CONDITIONS = np.array([1, 2, 4, 8, 16, 32, 64, 128])


def test_more_systems_help_and_longer_forecasts_are_worse(eps: float) -> None:
    law = DistinctSystems()
    n, h = jnp.asarray(1024.0, float), jnp.asarray(256.0, float)
    by_n, by_h = (float(g) for g in jax.grad(lambda x: law(*x))((n, h)))
    assert by_n * 1024 == pytest.approx(-0.4 * 300 / 16, rel=64 * eps)
    assert by_h * 256 == pytest.approx(0.5 * 2 * 16, rel=64 * eps)


def test_the_design_holds_the_number_of_trajectories() -> None:
    assert np.abs(SYSTEMS * CONDITIONS / 20979 - 1).max() < 0.002


@pytest.mark.x64
@pytest.mark.slow
def test_fit_of_one_length_agrees_with_scipy() -> None:
    """Simulated on the paper's eight counts (its own numbers are not public), .1 points of noise, length held.

    At one length c_2 h^-beta cannot be told from c_0, so both are held and c_0, c_1, alpha remain: SciPy's curve_fit,
    which the authors use, has the same optimum.
    """
    law, h = DistinctSystems(), 256.0
    rng = np.random.default_rng(3)
    clean = 20 + 300 * SYSTEMS**-0.4 + 2 * np.sqrt(h)
    y = clean + 0.1 * rng.standard_normal(SYSTEMS.size)
    study = Study.from_arrays("simulated counts of systems", {"n": SYSTEMS, "h": np.full(SYSTEMS.size, h)}, y)
    fitted = fit(law, study, raw_least_squares(), fixed=("c2", "beta"))
    expected, _ = curve_fit(lambda n, c0, c1, a: c0 + 2 * np.sqrt(h) + c1 * n**-a, SYSTEMS, y, p0=(20, 300, 0.4))
    got = [float(fitted.params[name]) for name in ("c0", "c1", "alpha")]
    # curve_fit stops at relative steps of 1e-8.
    assert got == pytest.approx(expected, rel=1e-5)
    assert got[2] == pytest.approx(0.4, rel=0.1)
