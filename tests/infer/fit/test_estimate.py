"""The pure kernel under `fit`: the same optimum under jit, vmap and grad, one program for all data of a shape."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import least_squares

from jaxscale import BadInput, Estimate, Runs, estimate, fit, gaussian
from jaxscale.core.results import RESULTS
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.solve.problem import split

COUNT, STARTS = 16, 8
TRACED: list[int] = []


def simulated(seed: int) -> Runs:
    """24 to 40 runs of a law of its own, at float32 values, so that both precisions see the same numbers."""
    rng = np.random.default_rng(seed)
    n = 40 - seed % 3 * 8
    N, D = 10 ** rng.uniform(7, 10, n), 10 ** rng.uniform(9, 11.5, n)
    E, alpha, beta = rng.uniform(1.5, 2.0), rng.uniform(0.3, 0.4), rng.uniform(0.3, 0.4)
    loss = (E + 400 * N**-alpha + 2000 * D**-beta) * np.exp(0.01 * rng.standard_normal(n))
    N, D, loss = (x.astype(np.float32).astype(float) for x in (N, D, loss))
    return Runs.of({"N": N, "D": D}, loss)


@jax.jit
def kernel(data: Runs) -> Estimate:
    """Of data sets along a leading axis."""
    TRACED.append(1)
    return jax.vmap(lambda runs: estimate(Chinchilla(), runs, starts=STARTS))(data)


@pytest.fixture(scope="module")
def studies() -> list[Runs]:
    return [simulated(seed) for seed in range(COUNT)]


@pytest.fixture(scope="module")
def many(studies: list[Runs]) -> Estimate:
    return kernel(Runs.stacked(studies))


def test_many_data_sets_are_fits_one_by_one(studies: list[Runs], many: Estimate, eps: float) -> None:
    for i, runs in enumerate(studies):
        one = fit(Chinchilla(), runs, starts=STARTS)
        own = jax.tree.map(lambda x, i=i: x[i], many)
        # Both stop where the decrease to be had is nothing to the tolerance of the certificate, in units of the sum;
        # the whitened distance of the two points is at most what both gradients allow.
        value = float(one.problem.value(one.problem.split.vector()))
        allowed = 2 * one.certificate.tolerance * np.sqrt(2 * value)
        apart = split(own.law).vector() - split(one.law).vector()
        distance = np.sqrt(np.asarray(apart, float) @ one.hessian @ np.asarray(apart, float))
        assert distance <= allowed
        assert float(own.value) == pytest.approx(one.value, rel=10 * one.certificate.tolerance**2 + 1e4 * eps)
        assert bool(own.certified) == one.certificate.certified
        assert int(own.code) == one.certificate.code
    assert int(jnp.sum(many.certified)) >= COUNT - 1


@pytest.mark.x64
def test_its_numbers_are_those_of_the_certificate(studies: list[Runs], many: Estimate) -> None:
    one = fit(Chinchilla(), studies[1], starts=STARTS)
    c, own = one.certificate, jax.tree.map(lambda x: x[1], many)
    assert (own.starts, own.tolerance, int(own.finished)) == (c.starts, c.tolerance, c.finished)
    assert float(own.share_best) == pytest.approx(c.share_best)
    # Eigenvalues are known to rounding of the largest, some 1e4 times the least.
    assert float(own.smallest_eigenvalue) == pytest.approx(c.smallest_eigenvalue, rel=1e-8)
    assert float(own.condition) == pytest.approx(c.condition, rel=1e-8)
    assert float(own.jacobian_condition) == pytest.approx(one.identifiability.condition, rel=1e-8)
    assert not np.any(own.on_edge)


def test_scipy_agrees(studies: list[Runs], many: Estimate, eps: float) -> None:
    runs = studies[2]
    N, D, loss = (np.asarray(x, np.float64) for x in (runs.inputs["N"], runs.inputs["D"], runs.target))

    def residual(p: np.ndarray) -> np.ndarray:
        law = np.exp(p[0]) + np.exp(p[1] - p[3] * np.log(N)) + np.exp(p[2] - p[4] * np.log(D))
        return (np.log(law) - np.log(loss)) / 1e-3

    start = np.array([np.log(1.7), np.log(400), np.log(2000), 0.35, 0.35])
    theirs = least_squares(residual, start, loss="huber", x_scale="jac", ftol=1e-15, xtol=1e-15, gtol=1e-12)
    assert float(many.value[2]) == pytest.approx(theirs.cost * 1e-6, rel=1e-8 + 1e4 * eps)


def test_new_data_of_the_same_shape_compile_nothing(
    many: Estimate, compiles_counted: Callable[[], Any], studies: list[Runs]
) -> None:
    other = Runs.stacked([simulated(seed) for seed in range(100, 100 + COUNT)])
    traced = len(TRACED)
    with compiles_counted() as seen:
        found = jax.block_until_ready(kernel(other))
    assert len(TRACED) == traced
    assert not seen
    assert not np.array_equal(found.law.alpha, many.law.alpha)


@pytest.mark.x64
def test_derivative_with_respect_to_the_losses(studies: list[Runs], many: Estimate) -> None:
    runs = Runs.stacked(studies[:1])
    runs = jax.tree.map(lambda x: x[0], runs)

    def exponent(loss: jax.Array) -> jax.Array:
        return estimate(Chinchilla(), eqx.tree_at(lambda r: r.target, runs, loss), starts=STARTS).law.alpha

    slope = np.asarray(jax.jit(jax.grad(exponent))(runs.target))
    rows = np.argsort(-np.abs(slope))[: COUNT // 2]  # Huber's penalty is linear beyond delta: the others have none
    h = 1e-6
    moved = [runs.target.at[int(row)].add(sign * h) for row in rows for sign in (1, -1)]
    found = kernel(jax.tree.map(lambda *x: jnp.stack(x), *(eqx.tree_at(lambda r: r.target, runs, x) for x in moved)))
    ends = np.asarray(found.law.alpha).reshape(-1, 2)
    difference = (ends[:, 0] - ends[:, 1]) / (2 * h)
    # The error of a central difference: rounding of the optimum over h, and the third derivative times h squared.
    np.testing.assert_allclose(slope[rows], difference, rtol=1e-5, atol=1e-5 * np.abs(slope).max())


def test_what_values_cannot_determine_is_a_code(studies: list[Runs]) -> None:
    few = eqx.tree_at(lambda r: r.weight, studies[0], studies[0].weight.at[5:].set(0))
    found = kernel(Runs.stacked([few] * COUNT))
    assert np.all(np.asarray(found.code) == RESULTS.too_few)
    assert not np.any(found.certified)


def test_arguments_are_refused_as_by_fit(studies: list[Runs]) -> None:
    with pytest.raises(BadInput, match="a posterior needs a likelihood"):
        estimate(Chinchilla(), studies[0], prior=True)
    with pytest.raises(BadInput, match="solver: expected"):
        estimate(Chinchilla(), studies[0], solver="lbfgs")
    with pytest.raises(KeyError, match="no parameter"):
        estimate(Chinchilla(), studies[0], gaussian(), fixed=("gamma",))


def test_stacking_needs_the_same_inputs(studies: list[Runs]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Runs.stacked([])
    with pytest.raises(ValueError, match="same inputs"):
        Runs.stacked([studies[0], Runs.of({"N": [1e8]}, [3.0])])
