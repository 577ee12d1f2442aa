"""Fit, bootstrap and NUTS lower for TPU and CUDA in float32, on a machine that has neither."""

import equinox as eqx
import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale import Runs
from jaxscale.core.evaluate import predict
from jaxscale.infer.posterior.nuts import NUTS, Draws, _advance, _begin
from jaxscale.infer.resample.bootstrap import resamples
from jaxscale.infer.resample.schemes import Pairs
from jaxscale.infer.search.problem import FitProblem
from jaxscale.infer.search.rows import solve_rows, unchanged
from jaxscale.infer.search.units import units
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.objectives import Model, log_huber, student_t
from jaxscale.solve.chart import Chart
from jaxscale.solve.curved import CurvedChart, curved
from jaxscale.solve.gauss_newton import GaussNewton
from jaxscale.solve.newton import polish
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
        found = solve_rows(moved, chart, starts, unchanged(moved, 8), 8, GaussNewton(), 2**30)
        return found.z, polish(moved, found.z[0]).hessian

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
        context = resamples(problem, key, Pairs(), drawn, jnp.int32(0), 64)
        return solve_rows(problem, chart, jnp.zeros((64, 5), jnp.float32), context, 64, GaussNewton(), 2**30).z

    seed = jax.random.key_data(jax.random.key(0))
    exported = jax.export.export(jax.jit(refit), platforms=[platform])(seed)
    assert [(a.shape, a.dtype) for a in exported.out_avals] == [((64, 5), jnp.float32)]


@pytest.mark.parametrize("platform", ["tpu", "cuda"])
@pytest.mark.parametrize("dense", [False, True])
def test_a_block_of_nuts_lowers(
    problem: FitProblem, platform: str, dense: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an accelerator runs it, with the chains side by side; the curved chart is made on the device as well."""
    monkeypatch.setattr(jax, "default_backend", lambda: platform)
    posterior = FitProblem(split(as_float32(Model(Chinchilla(), student_t()))), problem.runs, prior=True)
    settings = NUTS(dense=dense)

    def block(seeds: jax.Array) -> Draws:
        chart = curved(posterior, Chart(posterior.split.vector(), jnp.eye(6, dtype=jnp.float32)))
        charts: CurvedChart = jax.tree.map(lambda x: jnp.broadcast_to(x, (4, *x.shape)), chart)
        rows = charts, None, jnp.zeros((4, 6), jnp.float32), jax.random.wrap_key_data(seeds)
        chains = _begin(posterior, rows, settings)
        return _advance(posterior, chains, jnp.int32(4), settings, 10)[1]

    seeds = jax.random.key_data(jax.random.split(jax.random.key(0), 4))
    # Where float64 is on, NumPyro's kernel would mix it in.
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        exported = jax.export.export(jax.jit(block), platforms=[platform])(seeds)
    draws = jax.tree.unflatten(exported.out_tree, exported.out_avals)
    assert (draws.y.shape, draws.y.dtype) == ((4, 10, 6), jnp.float32)
    assert draws.potential.dtype == draws.energy.dtype == draws.accept.dtype == jnp.float32
