"""Noise-free data: every law gets its own parameters back, from separable starts alone, to what rounding allows."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale import catalogue, fit
from jaxscale.core.parametric import replace, values
from jaxscale.testing.recovery import realistic, recover

# Each law compiles a fit of its own: plain pytest does three of different make.
QUICK = ("Chinchilla", "Gadre", "KaplanN")


@pytest.mark.x64
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in sorted(catalogue())]
)
def test_parameters_come_back(name: str) -> None:
    recovered = recover(catalogue()[name]())
    for parameter, error in recovered.error.items():
        assert error <= max(1e-9, recovered.bound), parameter
    assert recovered.fit.certificate.certified, recovered.fit.remarks


def test_float32_recovers_to_its_own_precision(eps: float) -> None:
    """The error of a parameter is the outputs' rounding times the condition of the Jacobian."""
    truth = catalogue()["Chinchilla"]()
    fitted = fit(replace(truth, {"alpha": jnp.asarray(0.5, dtype=float)}), realistic(truth))
    bound = 16 * eps * fitted.identifiability.condition
    for parameter in ("E", "alpha", "beta"):
        np.testing.assert_allclose(fitted.params[parameter], values(truth)[parameter], rtol=bound)
