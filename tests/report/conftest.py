"""One small fit, its bootstrap and posteriors around it, shared by the tests of this floor: a compile costs seconds."""

import dataclasses
from collections.abc import Callable

import equinox as eqx
import jax
import numpy as np
import pytest

from jaxscale.compose import Pooled
from jaxscale.core.ensemble import Ensemble
from jaxscale.core.evaluate import predict
from jaxscale.core.law import AbstractLaw
from jaxscale.core.parametric import replace
from jaxscale.core.results import RESULTS
from jaxscale.core.runs import Runs
from jaxscale.infer.fit.fit import Fit, fit
from jaxscale.infer.posterior.diagnosis import diagnose
from jaxscale.infer.posterior.posterior import Posterior
from jaxscale.infer.resample.bootstrap import bootstrap
from jaxscale.infer.search.problem import FitProblem
from jaxscale.laws.loss.hestness2017 import PowerLawWithFloor
from jaxscale.objectives import gaussian
from jaxscale.objectives.model import Model
from jaxscale.objectives.noise import ConstantNoise
from jaxscale.solve.problem import split


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


GROUPS = ("web/code", "c4")
CHAINS, DRAWS = 4, 300

type Around = Callable[..., Posterior]


@pytest.fixture(scope="session")
def posterior_around(small_fit: Fit) -> Around:
    """Independent normal draws around a law, as if sampled: no chain runs, and what they hold is known exactly."""

    def made(
        law: AbstractLaw, fixed: tuple[str, ...] = (), groups: tuple[str, ...] = (), apart: float = 0.0
    ) -> Posterior:
        runs = eqx.tree_at(lambda r: r.weight, small_fit.runs, jax.numpy.ones(12).at[4].set(0))
        problem = FitProblem.of(split(Model(law, gaussian(ConstantNoise(0.02))), fixed), runs.padded(), prior=True)
        z = np.asarray(problem.split.vector())
        mode = dataclasses.replace(
            small_fit,
            law=law,
            objective=problem.template.objective,
            problem=problem,
            hessian=np.eye(z.size),
            alternatives=(),
            restarts=(),
            groups=groups,
            table_remarks=(),
            certificate=dataclasses.replace(small_fit.certificate, code=RESULTS.max_steps),
        )
        rng = np.random.default_rng(5)
        draws = z + 0.01 * rng.normal(size=(CHAINS, DRAWS, z.size)).astype(z.dtype)
        draws[0] += apart
        stats = {
            "potential": rng.normal(size=(CHAINS, DRAWS)),
            "energy": rng.normal(size=(CHAINS, DRAWS)),
            "accept": rng.uniform(0.5, 1, (CHAINS, DRAWS)),
            "steps": rng.choice([1, 3, 7], (CHAINS, DRAWS)),
            "diverging": np.zeros((CHAINS, DRAWS), bool),
        }
        verdict = diagnose(draws.astype(np.float64), problem.split.names(), stats, depth=8)
        step = np.linspace(0.5, 0.8, CHAINS)
        return Posterior(mode, draws, stats, step, verdict, "nuts:curved", (0,) * CHAINS, 7, {"sampling": 0.5})

    return made


@pytest.fixture(scope="session")
def good_posterior(posterior_around: Around) -> Posterior:
    """All gates are passed."""
    return posterior_around(PowerLawWithFloor())


@pytest.fixture(scope="session")
def bad_posterior(posterior_around: Around) -> Posterior:
    """One chain is elsewhere."""
    return posterior_around(PowerLawWithFloor(), apart=1.0)


@pytest.fixture(scope="session")
def joint_posterior(posterior_around: Around) -> Posterior:
    """Two data sets: alpha separate, gamma partial, beta held."""
    law = Pooled(PowerLawWithFloor(), ("alpha",), GROUPS, ("gamma",))
    return posterior_around(replace(law, {"offset.gamma": [0.5, -1.5]}), ("beta",), GROUPS)
