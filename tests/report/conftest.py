"""One small fit and its bootstrap, shared by the tests of this floor: a compile costs seconds."""

import equinox as eqx
import jax
import numpy as np
import pytest

from jaxscale.core.runs import Runs, predict
from jaxscale.infer.bootstrap import bootstrap
from jaxscale.infer.ensemble import Ensemble
from jaxscale.infer.fit import Fit, fit
from jaxscale.laws.loss.hestness import PowerLawWithFloor


@pytest.fixture(scope="session")
def small_fit() -> Fit:
    """Twelve runs around the default power law with a floor, with two groups, clusters and known noise."""
    rng = np.random.default_rng(0)
    sizes = np.geomspace(1e3, 1e7, 12)
    target = predict(PowerLawWithFloor(), Runs.of({"m": sizes}, np.ones(12)))
    runs = Runs.of(
        {"m": sizes},
        np.asarray(target) * np.exp(0.01 * rng.normal(size=12)),
        weight=rng.uniform(0.5, 2, 12),
        group=np.arange(12) % 2,
        cluster=np.arange(12) // 2,
        noise=rng.uniform(0, 0.01, 12),
    )
    return fit(PowerLawWithFloor(), runs, starts=2, seed=3)


@pytest.fixture(scope="session")
def small_ensemble(small_fit: Fit) -> Ensemble:
    """Sixteen draws, the first marked as failed."""
    ensemble = bootstrap(small_fit, 16, key=1)
    return eqx.tree_at(lambda e: e.code, ensemble, ensemble.code.at[0].set(jax.numpy.int32(1)))
