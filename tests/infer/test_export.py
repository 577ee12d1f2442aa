"""Fit and bootstrap lower for TPU and CUDA in float32, on a machine that has neither."""

import equinox as eqx
import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale import Runs
from jaxscale.core.runs import predict
from jaxscale.infer.bootstrap import _resamples
from jaxscale.infer.problem import FitProblem
from jaxscale.infer.resample import Pairs, units
from jaxscale.infer.rows import solve_rows, unchanged
from jaxscale.infer.search import finish
from jaxscale.laws.loss.chinchilla import Chinchilla
from jaxscale.objectives import Model, log_huber
from jaxscale.solve.chart import Chart
from jaxscale.solve.gauss_newton import GaussNewton
from jaxscale.solve.problem import split


def as_float32[T](tree: T) -> T:
    return jax.tree.map(
        lambda x: x.astype(jnp.float32) if eqx.is_array(x) and jnp.issubdtype(x.dtype, jnp.floating) else x, tree
    )


@pytest.fixture(scope="module")
def problem() -> FitProblem:
    N, D = (x.reshape(-1) for x in np.meshgrid(np.geomspace(1e8, 1e10, 6), np.geomspace(1e9, 1e11, 6)))
    runs = Runs.of({"N": N, "D": D}, np.ones(36), dtype=jnp.float32).padded()
    model = as_float32(Model(Chinchilla(), log_huber()))
    return FitProblem(split(model), eqx.tree_at(lambda r: r.target, runs, predict(model.law, runs)))


@pytest.mark.parametrize("platform", ["tpu", "cuda"])
def test_fit_lowers(problem: FitProblem, platform: str) -> None:
    chart = Chart(problem.split.vector(), jnp.eye(5, dtype=jnp.float32))

    def solve(target: jax.Array) -> tuple[jax.Array, jax.Array]:
        moved = eqx.tree_at(lambda p: p.runs.target, problem, target)
        starts = jnp.zeros((8, 5), jnp.float32)
        found = solve_rows(moved, chart, starts, unchanged(moved, 8), 8, GaussNewton())
        return found.z, finish(moved, found.z[0]).polished.hessian

    exported = jax.export.export(jax.jit(solve), platforms=[platform])(problem.runs.target)
    assert exported.platforms == (platform,)
    assert [a.dtype for a in exported.out_avals] == [jnp.float32, jnp.float32]
    assert jax.export.deserialize(exported.serialize()).platforms == (platform,)


@pytest.mark.parametrize("platform", ["tpu", "cuda"])
def test_bootstrap_lowers(problem: FitProblem, platform: str) -> None:
    chart = Chart(problem.split.vector(), jnp.eye(5, dtype=jnp.float32))
    drawn = units(problem.runs)

    def refit(seed: jax.Array) -> jax.Array:
        key = jax.random.wrap_key_data(seed)
        context = _resamples(problem, key, Pairs(), drawn, jnp.int32(0), 64)
        return solve_rows(problem, chart, jnp.zeros((64, 5), jnp.float32), context, 64, GaussNewton()).z

    seed = jax.random.key_data(jax.random.key(0))
    exported = jax.export.export(jax.jit(refit), platforms=[platform])(seed)
    assert [(a.shape, a.dtype) for a in exported.out_avals] == [((64, 5), jnp.float32)]
