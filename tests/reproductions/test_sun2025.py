"""Sun et al. 2025: critical data sizes, best formats and best precisions follow from the printed coefficients.

Oracle: the paper's headline figures and `training-laws.md` 11a. The losses of the 366 runs were not printed, only
their design; so the fit is of simulated runs of the paper's sizes and token counts (41M to 679M, 10B to 100B),
formats of up to 7 + 7 bits and blocks from 32 to a channel, with 0.3 % noise. Which formats met which blocks was
not retrieved: the runs here are a random 366 of the product.
"""

from collections.abc import Callable
from itertools import product

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale import Runs, fit, least_squares
from jaxscale.core.evaluate import predict
from jaxscale.core.parametric import values
from jaxscale.infer.local.covariance import standard_errors
from jaxscale.laws.precision.sun2025 import CHANNEL, FloatingPointTraining

Beside = Callable[[str, object, object], None]


def numbers(*values: float):
    return tuple(jnp.asarray(value, dtype=float) for value in values)


@pytest.mark.parametrize(
    ("name", "E", "M", "printed", "half"),
    [("BF16", 8, 7, 1730, 5), ("E4M3", 4, 3, 27.3, 0.05), ("E2M1", 2, 1, 0.393, 5e-4)],
)
def test_critical_data_size(name: str, E: int, M: int, printed: float, half: float, beside: Beside) -> None:
    """1B parameters in blocks of 128; the paper prints 1730T, 27T and .4T."""
    got = float(FloatingPointTraining().critical_tokens(*numbers(1e9, E, M, 128))) / 1e12
    beside(f"critical tokens of 1B in {name}, T", f"{got:.4g}", printed)
    assert got == pytest.approx(printed, abs=half)


@pytest.mark.parametrize(("P", "printed"), [(4, "E2M1"), (8, "E4M3"), (16, "E8M7")])
def test_best_formats(P: int, printed: str, beside: Beside) -> None:
    """The real optimum rounds to the format."""
    E, M = (float(x) for x in FloatingPointTraining().best_format(*numbers(P)))
    beside(f"best format of {P} bits", f"E{E:.2f} M{M:.2f}", printed)
    assert f"E{round(E)}M{round(M)}" == printed


@pytest.mark.parametrize(("D", "printed"), [(1e11, 4.27), (1e12, 5.18), (1e13, 6.28), (1e14, 7.62)])
def test_best_precision(D: float, printed: float, beside: Beside) -> None:
    """The paper's 4 to 8 bits between .1T and 100T tokens."""
    got = float(FloatingPointTraining().optimal_bits(*numbers(D, 128)))
    beside(f"best bits for {D:.0e} tokens", f"{got:.2f}", printed)
    assert got == pytest.approx(printed, abs=0.005)


@pytest.mark.x64
@pytest.mark.slow
def test_parameters_come_back_from_the_real_design(beside: Beside) -> None:
    rng = np.random.default_rng(20250102)
    whole = list(
        product(
            (40.9e6, 85e6, 154e6, 679e6), (1e10, 2e10, 5e10, 1e11), range(1, 8), range(1, 8), (32, 128, 512, CHANNEL)
        )
    )
    chosen = np.array([whole[i] for i in rng.choice(len(whole), 366, replace=False)], float)
    truth = FloatingPointTraining()
    runs = Runs.of(dict(zip("NDEMB", chosen.T, strict=True)), np.ones(366))
    loss = np.asarray(predict(truth, runs)) * np.exp(0.003 * rng.standard_normal(366))
    fitted = fit(
        truth.replace(n=30.0, d=1e4, gamma=1e3, delta=2.0, nu=2.0), Runs.of(runs.inputs, loss), least_squares()
    )
    assert fitted.certificate.certified
    errors = standard_errors(fitted)
    for name, value in values(truth).items():
        got, sd = float(fitted.params[name]), float(errors[name])
        beside(f"simulated runs: {name}", f"{got:.4g} +- {sd:.2g}", f"{float(value):.4g}")
        assert abs(got - float(value)) < 4 * sd, name
