"""Starts: the law's own values, and the best of many with nonlinear parameters spread over their priors."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxscale.core.evaluate import predict
from jaxscale.core.law import AbstractLaw
from jaxscale.core.parametric import Declared, declared, replace, scaled
from jaxscale.core.runs import Runs
from jaxscale.core.supports import Positive, PositiveOrdered
from jaxscale.infer.search.problem import FitProblem
from jaxscale.solve.chart import on_host
from jaxscale.solve.separable import bounded_least_squares

_TAIL = 0.01  # starts cover the central 98 % of each prior
_EACH = 64  # points from which each start is the best
_BATCH = 32  # side by side
_ROWS = 2048  # of a large study are enough to rank starts


def first_starts(problem: FitProblem, count: int, seed: int) -> Float[np.ndarray, "count+1 p"]:
    """The template's own values, then the best `count` of a grid or Sobol set, in unconstrained coordinates.

    `seed` shifts the set. The own values are brought to the size of the runs' losses, and linear ones solved for: of a
    law that fits the runs neither changes much, of one in another unit both are needed.
    """
    points = _points(problem, count, seed).astype(problem.runs.target.dtype)
    # Rows past the last point only make whole batches: one program, however many points there are.
    padded = np.concatenate([points, np.repeat(points[-1:], -len(points) % _BATCH, axis=0)])
    own, few = np.arange(len(padded)) == 0, _thinned(problem)
    found = [_screen(few, padded[i : i + _BATCH], own[i : i + _BATCH]) for i in range(0, len(padded), _BATCH)]
    z, value = (np.concatenate([np.asarray(x) for x in part])[: len(points)] for part in zip(*found, strict=True))
    return _ranked(z, value, count)


def starts_inside(problem: FitProblem, count: int, seed: int) -> Float[Array, "count+1 p"]:
    """`first_starts`, for use inside jit."""
    points = _points(problem, count, seed)
    rows = jnp.asarray(points, problem.runs.target.dtype), jnp.asarray(np.arange(len(points)) == 0)
    few = _thinned(problem)
    z, value = jax.lax.map(lambda row: _start(few, *row), rows, batch_size=_BATCH)
    return _ranked(z, value, count)


def _ranked(z: Any, value: Any, count: int) -> Any:
    """The first start, then the `count` of lowest finite value."""
    xp = on_host(value)[0]
    order = xp.argsort(xp.where(xp.isfinite(value[1:]), value[1:], xp.inf), stable=True)
    return xp.concatenate([z[:1], z[1:][order[:count]]])


def _points(problem: FitProblem, count: int, seed: int) -> Float[np.ndarray, "m d"]:
    """A row of the unit cube for the template's own values, then those that are screened for cold starts."""
    dimension = sum(int(np.prod(d.value.shape, dtype=int)) for d in _law_free(problem) if not d.spec.linear)
    points = _unit_points(dimension, count, seed) if count else np.full((0, dimension), 0.5)
    return np.concatenate([np.full((1, dimension), 0.5), points])


def start_rule(problem: FitProblem, count: int) -> str:
    """How the `count` cold starts of a fit were chosen, in words."""
    dimension = sum(int(np.prod(d.value.shape, dtype=int)) for d in _law_free(problem) if not d.spec.linear)
    points, kind = len(_unit_points(dimension, count, 0)), "grid" if dimension <= 2 else "Sobol set"
    return (
        f"the law's own values (linear ones by least squares), then the best of a shifted {kind} of {points} points: "
        f"nonlinear parameters at quantiles {_TAIL:g} to {1 - _TAIL:g} of their priors (break points: in the range of "
        "the runs), linear ones by least squares"
    )


def _law_free(problem: FitProblem) -> list[Declared]:
    return [d for d in declared(problem.template.law) if d.name in problem.split.free]


def _unit_points(dimension: int, count: int, seed: int) -> np.ndarray:
    """A square grid in two dimensions (16 x 16), a line in one, a Sobol set above, shifted modulo 1 by the seed.

    A Sobol set has 1,024 points, 2,048 in more than six dimensions, or about 64 for each start if those are fewer.
    """
    shift = np.random.default_rng(seed).random(dimension)
    if dimension == 0:
        return np.zeros((1, 0))
    if dimension <= 2:
        axis = (np.arange(16 if dimension == 2 else 64) + 0.5) / (16 if dimension == 2 else 64)
        points = np.stack(np.meshgrid(*[axis] * dimension, indexing="ij"), axis=-1).reshape(-1, dimension)
    else:
        from scipy.stats import qmc  # a third of the package's import time, needed for these laws only

        base = min(10 if dimension <= 6 else 11, int(np.log2(_EACH * max(count, 1))))
        points = qmc.Sobol(dimension, scramble=True, rng=seed).random_base2(base)
    return _TAIL + (1 - 2 * _TAIL) * ((points + shift) % 1.0)


def _thinned(problem: FitProblem) -> FitProblem:
    rows = problem.runs.size
    if rows <= _ROWS:
        return problem
    keep = np.linspace(0, rows - 1, _ROWS).round().astype(int)
    return eqx.tree_at(lambda p: p.runs, problem, jax.tree.map(lambda x: x[keep], problem.runs))


@eqx.filter_jit
def _screen(
    problem: FitProblem, u: Float[Any, "m d"], own: Bool[Any, " m"]
) -> tuple[Float[Array, "m p"], Float[Array, " m"]]:
    return jax.vmap(lambda u, own: _start(problem, u, own))(u, own)


def _start(
    problem: FitProblem, u: Float[Array, " d"], own: Bool[Array, ""]
) -> tuple[Float[Array, " p"], Float[Array, ""]]:
    """The start whose nonlinear parameters are the template's or lie at u of the unit cube, and the objective there."""
    law = jax.tree.map(lambda a, b: jnp.where(own, a, b), _brought(problem), _spread(problem, u))
    law = _profiled(law, problem)
    model = eqx.tree_at(lambda m: (m.law, m.objective), problem.template, (law, problem.started(law)))
    moved = eqx.tree_at(lambda p: p.split.template, problem, model)
    z = moved.split.vector()
    return z, moved.value(z)


def _brought(problem: FitProblem) -> AbstractLaw:
    """The template's law, its free parameters scaled to the runs' losses."""
    runs, law, unit = problem.runs, problem.template.law, problem.template.objective.residual.unit
    apart = unit(runs) / unit(eqx.tree_at(lambda r: r.target, runs, predict(law, runs)))
    return scaled(law, jnp.where(jnp.isfinite(apart), apart, 1), problem.split.free)


def _spread(problem: FitProblem, u: Float[Array, " d"]) -> AbstractLaw:
    """The law with its nonlinear parameters at quantiles u of their priors, or of the data's range.

    Priors are those of losses of the runs' size.
    """
    new, start = {}, 0
    for d in _law_free(problem):
        if d.spec.linear:
            continue
        size = int(np.prod(d.value.shape, dtype=int))
        part = u[start : start + size].reshape(d.value.shape)
        start += size
        if isinstance(d.spec.support, PositiveOrdered):
            part = jnp.sort(part, axis=-1)
        if d.spec.within is None:
            new[d.name] = d.spec.prior.quantile(part)
        else:
            x = problem.runs.inputs[d.spec.within]
            low = jnp.log(jnp.min(jnp.where(x > 0, x, jnp.max(x))))  # runs with nothing of it have no logarithm
            new[d.name] = jnp.exp(low + part * (jnp.log(jnp.max(x)) - low))
    law = replace(problem.template.law, new)
    return law if problem.split.size is None else scaled(law, problem.split.size, new)


def _profiled(law: AbstractLaw, problem: FitProblem) -> AbstractLaw:
    """The law with its free linear parameters at the least-squares fit of the objective's residuals, to first order."""
    runs: Runs = problem.runs
    residual = problem.template.objective.residual
    linear = [d for d in _law_free(problem) if d.spec.linear]
    if not linear:
        return law
    shapes = [d.value.shape for d in linear]
    sizes = [int(np.prod(shape, dtype=int)) for shape in shapes]
    bounds = np.cumsum(sizes)[:-1].tolist()

    def at(x: Float[Array, " q"]) -> AbstractLaw:
        pieces = jnp.split(x, bounds)
        return replace(law, {d.name: v.reshape(s) for d, v, s in zip(linear, pieces, shapes, strict=True)})

    ones = jnp.ones(sum(sizes), runs.target.dtype)
    design = jax.jacfwd(lambda x: predict(at(x), runs))(ones)
    offset = predict(at(ones), runs) - jnp.sum(design, axis=1)
    scale = jnp.sqrt(runs.weight) * jnp.exp(residual.log_slope(runs))
    # Positive parameters stay above a ten-thousandth of the loss, so that their logarithm is a usable start.
    smallest = 1e-4 * residual.least(runs) / jnp.maximum(jnp.max(jnp.abs(design), axis=0), 1e-30)
    positive = np.repeat([isinstance(d.spec.support, Positive) for d in linear], sizes)
    lower = jnp.where(positive, smallest, -jnp.inf)
    x = bounded_least_squares(design * scale[:, None], (runs.target - offset) * scale, lower)
    return at(x)
