"""Runs without noise under a likelihood: the estimates, no interval, and a sentence; ensembles without a draw."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale import bootstrap, fit, gaussian, least_squares
from jaxscale.core.ensemble import Ensemble
from jaxscale.core.errors import BadInput
from jaxscale.core.results import RESULTS
from jaxscale.core.runs import Runs
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.forecast.forecast import forecast
from jaxscale.laws.loss.hestness2017 import PowerLawWithFloor
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.plan.allocate import allocate
from jaxscale.plan.recipes import multiplier
from jaxscale.report.figures.plots.corner import corner
from jaxscale.report.store.arviz import to_arviz


def exact_runs(seed: int) -> tuple[np.ndarray, Runs]:
    rng = np.random.default_rng(seed)
    m = np.geomspace(1e3, 1e7, 16)
    return m, Runs.of({"m": m}, rng.uniform(1.5, 2) + rng.uniform(5, 20) * m ** -rng.uniform(0.2, 0.4))


@pytest.fixture(scope="module")
def fitted() -> Fit:
    return fit(PowerLawWithFloor(), exact_runs(0)[1], gaussian(), starts=4)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_point_and_why_it_has_no_interval(seed: int, eps: float) -> None:
    m, runs = exact_runs(seed)
    found = fit(PowerLawWithFloor(), runs, gaussian(), starts=4)
    assert found.certificate.code == RESULTS.exact
    assert found.remarks[0].startswith("Not certified: The residuals vanish: the law passes through every run")
    predicted = forecast(found, {"m": m}).point
    np.testing.assert_allclose(predicted, np.asarray(runs.target), rtol=64 * eps)
    with pytest.raises(BadInput, match="expected runs that scatter about the law, got none"):
        bootstrap(found, 50)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_little_noise_is_none_of_this(seed: int, eps: float) -> None:
    """A hundred times the threshold, and runs whose noise is known: the scale has an optimum."""
    m, runs = exact_runs(seed)
    noise = 100 * 64 * eps * np.random.default_rng(seed).standard_normal(16)
    rough = Runs.of({"m": m}, np.asarray(runs.target, np.float64) * (1 + noise))
    assert fit(PowerLawWithFloor(), rough, gaussian(), starts=4).certificate.code != RESULTS.exact
    known = Runs.of({"m": m}, runs.target, noise=np.full(16, 0.01))
    assert fit(PowerLawWithFloor(), known, gaussian(), starts=4).certificate.code != RESULTS.exact


def without_draws(law: object) -> Ensemble:
    many = jax.tree.map(lambda x: jnp.broadcast_to(x, (3, *x.shape)), law)
    code = jnp.asarray([int(RESULTS.max_steps), int(RESULTS.singular), int(RESULTS.max_steps)], jnp.int32)
    return Ensemble(many, jnp.zeros(3), code, "bootstrap:pairs")


def test_an_ensemble_without_a_draw_is_refused_with_the_commonest_reason(fitted: Fit) -> None:
    empty = without_draws(fitted.law)
    recipe = without_draws(Chinchilla())
    asked = [
        empty.ok,
        empty.quantiles,
        empty.standard_errors,
        lambda: forecast(fitted, {"m": 1e8}, empty),
        lambda: to_arviz(fitted, empty),
        lambda: corner(fitted, empty),
        lambda: multiplier(recipe, Chinchilla(), 1e21),
    ]
    for ask in asked:
        with pytest.raises(BadInput, match=r"expected draws that converged, got none of 3\. The solver used all"):
            ask()
    # One draw is enough to be summarised, and arrays keep all.
    one = eqx.tree_at(lambda e: e.code, empty, empty.code.at[1].set(jnp.int32(0)))
    assert one.ok().size == 1
    assert allocate(recipe, 1e21).N.shape == (3,)


def test_vanishing_residuals_of_a_penalty_are_said() -> None:
    """A penalty has an optimum there, but its intervals are rounding."""
    rng = np.random.default_rng(3)
    N, D = 10 ** rng.uniform(7, 9, 24), 10 ** rng.uniform(9, 11, 24)
    loss = 1.7 + 400 * N**-0.34 + 410 * D**-0.28
    for noise, said in ((0.0, True), (1e-3, False)):
        seen = loss * np.exp(noise * rng.normal(size=24))
        found = fit(Chinchilla(), Runs.of({"N": N, "D": D}, seen), least_squares(), starts=4)
        assert any(r.startswith("The residuals vanish") for r in found.remarks) == said
