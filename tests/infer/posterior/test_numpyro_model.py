"""The public NumPyro model has the density that `sample` draws from, and can be used and extended like any other."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.infer import Predictive
from numpyro.infer.util import initialize_model, log_density, potential_energy
from scipy import stats

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.errors import BadInput
from jaxscale.core.evaluate import predict
from jaxscale.core.law import AbstractLaw
from jaxscale.core.parametric import param, values
from jaxscale.core.runs import Runs
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.posterior.numpyro_model import numpyro_model
from jaxscale.infer.search.problem import FitProblem
from jaxscale.laws.loss.hestness2017 import PowerLawWithFloor
from jaxscale.objectives.likelihood import student_t
from jaxscale.objectives.model import Model
from jaxscale.solve.problem import split


@pytest.fixture(autouse=True)
def _numpyros_promotion() -> Any:
    """NumPyro is written for JAX's standard promotion."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


class Ragged(AbstractLaw):
    """One parameter of every support that has a prior sampler, and one that is a setting."""

    level: q.Pure = param(s.positive, init=2.0, prior=p.LogNormal(2.0, 0.3), doc="level")
    tilt: q.Pure = param(s.real, init=0.1, prior=p.Normal(0.0, 0.2), doc="tilt")
    share: q.Pure = param(s.unit_interval, init=0.4, prior=p.Beta(2.0, 3.0), doc="share")
    breaks: q.Pure = param(s.positive_ordered, init=(0.5, 1.5), prior=p.LogNormal(1.0, 1.0), doc="breaks")
    setting: q.Pure = param(s.positive, init=3.0, prior=p.LogNormal(3.0, 0.1), doc="not fitted", estimated=False)

    def __call__(self, x: q.Pure) -> q.Pure:
        steps = jnp.sum(jax.nn.sigmoid(self.setting * (x - self.breaks)))
        return self.level * jnp.exp(self.tilt * x) + self.share * steps


SUPPORTS = (s.positive, s.real, s.unit_interval, s.positive_ordered, s.positive)  # with the noise's


def ragged_runs() -> Runs:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 2, 24)
    return Runs.of({"x": x}, 2.2 + 0.3 * x + 0.05 * rng.standard_normal(24), weight=rng.integers(0, 3, 24))


def test_density_differs_by_a_constant(eps: float) -> None:
    """On runs with weights, some of them zero: the constant is the Jacobian of the log residual."""
    runs = ragged_runs()
    problem = FitProblem(split(Model(Ragged(), student_t())), runs, prior=True)
    model = numpyro_model(Ragged(), runs)
    here = problem.split.vector()
    names = ("level", "tilt", "share", "breaks", "objective.noise.sigma")
    assert problem.split.free == names
    points = np.asarray(here) + 0.3 * np.random.default_rng(1).standard_normal((8, 6))

    def both(z: jax.Array) -> tuple[jax.Array, jax.Array]:
        at = values(problem.split.tree(z))
        ours = -problem.value(z)
        theirs, _ = log_density(model, (), {}, {name: at[name] for name in names})
        # In constrained values NumPyro adds no log-determinants.
        for support, part in zip(SUPPORTS, (z[0], z[1], z[2], z[3:5], z[5]), strict=True):
            theirs = theirs + support.log_det(part)
        return ours, theirs

    ours, theirs = (np.asarray(x, np.float64) for x in jax.jit(jax.vmap(both))(jnp.asarray(points, here.dtype)))
    weight, target = (np.asarray(x, np.float64) for x in (runs.weight, runs.target))
    constant = float(np.sum(weight * np.log(target)))
    np.testing.assert_allclose(ours - theirs, constant, rtol=0, atol=float(64 * eps * np.max(np.abs(ours))))


def test_potential_differs_by_the_same_constant(simulated_mode: Fit, eps: float) -> None:
    """NumPyro's own unconstrained coordinates are ours where supports are positive."""
    problem = simulated_mode.problem
    model = numpyro_model(simulated_mode.law, simulated_mode.runs, simulated_mode.objective)
    z = problem.split.vector()
    points = z + jnp.asarray(0.05 * np.random.default_rng(1).standard_normal((5, z.shape[0])), z.dtype)

    def potential(z: jax.Array) -> jax.Array:
        at = values(problem.split.tree(z))
        return potential_energy(model, (), {}, {name: jnp.log(at[name]) for name in problem.split.names()})

    theirs, ours = (jax.jit(jax.vmap(f))(points) for f in (potential, problem.value))
    # The Jacobian of the log residuals: in logarithms, parameters of losses of the usual size differ by a shift.
    constant = float(np.sum(np.log(np.asarray(simulated_mode.runs.target, np.float64))))
    # Residuals of a percent on a scale of .003 round by a few eps of log N each.
    np.testing.assert_allclose(theirs - ours, constant, rtol=0, atol=1e3 * eps * float(np.max(np.abs(ours))))


def test_prior_and_new_targets_by_numpyros_predictive(simulated_mode: Fit) -> None:
    runs, n = simulated_mode.runs, 1000
    found = Predictive(numpyro_model(simulated_mode.law, runs), num_samples=n)(jax.random.key(0), predictive=True)
    assert found["target"].shape == (n, 40)
    assert set(found) == {"E", "A", "B", "alpha", "beta", "objective.noise.sigma", "target"}
    prior = stats.lognorm(0.5, scale=0.35)
    assert stats.kstest(np.asarray(found["alpha"], np.float64), prior.cdf).pvalue > 1e-4
    # Given its own parameters, each target's log is Student's t about the prediction.
    law = jax.vmap(lambda d: simulated_mode.law.replace(**d))({k: found[k] for k in ("E", "A", "B", "alpha", "beta")})
    centre = np.log(np.asarray(jax.jit(jax.vmap(lambda one: predict(one, runs)))(law), np.float64))
    t = (np.log(np.asarray(found["target"], np.float64)) - centre) / np.asarray(found["objective.noise.sigma"])[:, None]
    if runs.target.dtype == np.float64:  # the smallest scales lie below what float32 resolves of a log loss
        assert stats.kstest(t[:, 3], stats.t(5).cdf).pvalue > 1e-4


def test_fixed_is_no_site(simulated_mode: Fit) -> None:
    model = numpyro_model(simulated_mode.law, simulated_mode.runs, fixed=("alpha", "objective.noise.sigma"))
    seeded = numpyro.handlers.seed(model, 0)
    trace = numpyro.handlers.trace(seeded).get_trace()
    assert {k for k, site in trace.items() if site["type"] == "sample"} == {"E", "A", "B", "beta", "target"}
    assert float(seeded().law.alpha) == float(simulated_mode.law.alpha)
    with pytest.raises(KeyError, match=r"no parameter \['gamma'\] to fix"):
        numpyro_model(simulated_mode.law, simulated_mode.runs, fixed=("gamma",))


def test_can_be_extended(simulated_mode: Fit, eps: float) -> None:
    """A measurement of the exponent beside the runs: its term adds to the density, and nothing else changes."""
    inner = numpyro_model(simulated_mode.law, simulated_mode.runs)

    def outer() -> None:
        model = inner()
        numpyro.sample("exponent", dist.Normal(model.law.alpha, 0.01), obs=jnp.asarray(0.36))

    at = values(Model(simulated_mode.law, simulated_mode.objective))
    alone, _ = log_density(inner, (), {}, at)
    both, trace = log_density(outer, (), {}, at)
    expected = stats.norm.logpdf(0.36, float(simulated_mode.law.alpha), 0.01)
    assert float(both - alone) == pytest.approx(expected, abs=64 * eps * abs(float(alone)))
    assert "exponent" in trace


def test_a_simplex_has_no_direct_prior_draws() -> None:
    class Mixed(AbstractLaw):
        share: q.Pure = param(s.simplex, init=(0.3, 0.3, 0.4), prior=p.Uniform(0.0, 1.0), doc="shares")

        def __call__(self, x: q.Pure) -> q.Pure:
            return 1 + x * self.share[0]

    seeded = numpyro.handlers.seed(numpyro_model(Mixed(), ragged_runs()), 0)
    with pytest.raises(BadInput, match="draws on a simplex are not supported"):
        seeded()


def test_runs_of_no_weight_leave_the_gradient_finite() -> None:
    """Equal to that of the model without these runs."""
    x = np.geomspace(1e8, 1e10, 12)
    loss = 2.0 + 400 * x**-0.35
    weight = np.tile([1.0, 0.0], 6)
    found = []
    for runs in (
        Runs.of({"m": x}, loss, weight=weight),
        Runs.of({"m": x[::2]}, loss[::2]),
    ):
        model = numpyro_model(PowerLawWithFloor(), runs)
        info = initialize_model(jax.random.key(0), model)
        point = jax.tree.map(jnp.zeros_like, info.param_info.z)
        found.append(jax.grad(info.potential_fn)(point))
    eps = float(jnp.finfo(jnp.zeros(()).dtype).eps)
    for name, value in found[0].items():
        np.testing.assert_allclose(value, found[1][name], rtol=1e3 * eps, atol=1e3 * eps)
