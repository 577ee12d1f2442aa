"""NUTS on the reconstructed Chinchilla runs: short trajectories, no divergence, one program; rows of their own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale import load
from jaxscale.infer.fit.fit import Fit, fit
from jaxscale.infer.posterior.nuts import NUTS, run
from jaxscale.infer.posterior.posterior import Posterior
from jaxscale.infer.posterior.sample import sample_from
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.objectives.likelihood import student_t
from jaxscale.solve.chart import chart_at
from jaxscale.solve.curved import CurvedChart, curved


@pytest.fixture(scope="module")
def mode(data_dir: Path) -> Fit:
    study = load("chinchilla_besiroglu", where="excluded_in_paper == 0")
    return fit(Chinchilla(), study, student_t(), prior=True, starts=8)


@pytest.fixture(scope="module")
def posterior(mode: Fit) -> Posterior:
    return sample_from(mode)


def _chart_of(mode: Fit) -> CurvedChart:
    z = mode.problem.split.vector()
    return curved(mode.problem, chart_at(z, mode.hessian.astype(z.dtype)))


def test_short_trajectories_and_no_divergence(posterior: Posterior) -> None:
    found = posterior.diagnosis
    assert posterior.engine == "nuts:curved"
    assert found.passed, found.failures()
    assert found.divergences == 0
    assert found.leapfrogs <= 10
    assert np.all(posterior.step_size > 0)


def test_effective_draws(posterior: Posterior) -> None:
    """Almost one for one in every coordinate, which is what the curved chart is for."""
    assert np.min(posterior.diagnosis.ess_bulk) > 0.5 * posterior.chains * posterior.draws


def test_one_program_for_every_key(mode: Fit, posterior: Posterior, compiles_counted: Callable[[], Any]) -> None:
    with compiles_counted() as compiles:
        sample_from(mode, key=5)
    assert compiles == []


def test_a_row_depends_on_itself_alone(conjugate: Any) -> None:
    """Four rows, then the same with the others started elsewhere from other keys."""
    chart = jax.tree.map(lambda x: jnp.broadcast_to(x, (4, *x.shape)), _chart_of(conjugate.mode))
    keys = jax.random.split(jax.random.key(0), 4)
    y = jnp.asarray(np.random.default_rng(0).standard_normal((4, 2)), float)
    one, step = run(conjugate.mode.problem, chart, None, y, keys, 30, NUTS())
    swapped = jnp.asarray([3, 1, 0, 2])
    other, other_step = run(conjugate.mode.problem, chart, None, y[swapped], keys[swapped], 30, NUTS())
    for name in ("y", "potential", "energy", "steps"):
        np.testing.assert_array_equal(getattr(one, name)[np.asarray(swapped)], getattr(other, name))
    np.testing.assert_array_equal(step[np.asarray(swapped)], other_step)
    assert one.y.shape == (4, 30, 2)
