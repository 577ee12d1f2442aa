"""A posterior of curves as a tree: by run and step, nothing where a curve was filled up. Oracle: the density itself."""

import jax
import numpy as np
import pytest

from jaxscale.core.evaluate import predict
from jaxscale.core.runs import Runs
from jaxscale.core.schedule import constant, cosine, schedules
from jaxscale.infer.posterior.sample import sample
from jaxscale.laws.schedule.tissue2024 import AnnealingS1S2
from jaxscale.objectives import gaussian
from jaxscale.report.store.tree import posterior_tree

pytestmark = pytest.mark.slow


def test_a_tree_of_curves() -> None:
    plans = schedules(
        [[constant(4000, 1e-3)], [cosine(4000, 1e-3, 1e-4)], [constant(2000, 1e-3), constant(2000, 3e-4)]]
    )
    steps = np.broadcast_to(np.arange(200.0, 4001.0, 200.0), (3, 20))
    weight = np.where(np.arange(20) < np.array([[20], [20], [15]]), 1.0, 0.0)
    inputs = {"schedule": plans, "S": steps}
    exact = np.asarray(predict(AnnealingS1S2(), Runs.of(inputs, np.ones((3, 20)))))
    noise = np.exp(0.002 * np.random.default_rng(0).standard_normal((3, 20)))
    found = sample(AnnealingS1S2(), Runs.of(inputs, exact * noise, weight=weight), gaussian(), draws=40, chains=2)
    tree = posterior_tree(found)
    for group in ("log_likelihood", "posterior_predictive"):
        target = tree[group].to_dataset()["target"]
        assert target.dims == ("chain", "draw", "run", "step")
        np.testing.assert_array_equal(np.isfinite(target.values).all(axis=(0, 1)), weight > 0)
    assert tree["constant_data"].to_dataset()["schedule"].dims == ("run", "segment", "field")
    # The density of the first draw, number by number.
    model = jax.tree.map(lambda x: x[0], found.model)
    residual = np.log(np.asarray(predict(model.law, Runs.of(inputs, exact)), np.float64) / (exact * noise))
    sigma = float(model.objective.noise.sigma)
    density = -0.5 * (residual / sigma) ** 2 - np.log(sigma) - 0.5 * np.log(2 * np.pi) - np.log(exact * noise)
    got = tree["log_likelihood"].to_dataset()["target"].values[0, 0]
    np.testing.assert_allclose(got[weight > 0], density[weight > 0], rtol=1e-4)
