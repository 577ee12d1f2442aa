"""Noise-free data: every law gets its own parameters back, to 1e-9, from separable starts alone."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale import AbstractLaw, Runs, catalogue, fit, signature
from jaxscale.core.parametric import declared, replace, values
from jaxscale.core.runs import predict

# Where real studies lie, by unit.
RANGES = {
    "params": (1e7, 1e10),
    "tokens": (1e9, 1e12),
    "FLOP": (1e18, 1e23),
    "tokens/param": (2.0, 600.0),
    "steps": (1e3, 1e6),
    "samples": (1e4, 1e9),
    "": (1e3, 1e9),
}


def noise_free(law: AbstractLaw, n: int = 60) -> Runs:
    rng = np.random.default_rng(0)
    inputs = {
        name: np.exp(rng.uniform(*np.log(RANGES[quantity.unit]), size=n))
        for name, quantity in signature(law).inputs.items()
    }
    runs = Runs.of(inputs, np.ones(n))
    return eqx.tree_at(lambda r: r.target, runs, predict(law, runs))


# Each law compiles a fit of its own: plain pytest does three of different make.
QUICK = ("Chinchilla", "Gadre", "KaplanN")


@pytest.mark.x64
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in sorted(catalogue())]
)
def test_parameters_come_back(name: str) -> None:
    truth = catalogue()[name]()
    # The law handed to the fit carries other values: nothing of the truth reaches the solver but the runs.
    astray = replace(truth, {d.name: 1.7 * d.value for d in declared(truth)})
    fitted = fit(astray, noise_free(truth))
    for parameter, value in values(truth).items():
        np.testing.assert_allclose(fitted.params[parameter], value, rtol=1e-9, err_msg=parameter)
    assert fitted.certificate.certified, fitted.remarks


def test_float32_recovers_to_its_own_precision(eps: float) -> None:
    """The error of a parameter is the outputs' rounding times the condition of the Jacobian."""
    truth = catalogue()["Chinchilla"]()
    fitted = fit(replace(truth, {"alpha": jnp.asarray(0.5, dtype=float)}), noise_free(truth))
    bound = 16 * eps * fitted.identifiability.condition
    for parameter in ("E", "alpha", "beta"):
        np.testing.assert_allclose(fitted.params[parameter], values(truth)[parameter], rtol=bound)
