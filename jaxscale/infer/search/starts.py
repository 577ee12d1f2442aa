"""Starts: the law's own values, and the best of many with nonlinear parameters spread over their priors."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxscale.core.evaluate import predict
from jaxscale.core.law import AbstractLaw
from jaxscale.core.numerics.namespace import namespace
from jaxscale.core.parametric import Declared, declared, replace, scaled
from jaxscale.core.runs import Runs
from jaxscale.core.supports import Positive, PositiveOrdered
from jaxscale.infer.search.problem import FitProblem
from jaxscale.solve.separable import bounded_least_squares

_TAIL = 0.01  # starts cover the central 98 % of each prior
_EACH = 64  # points from which each start is the best
_BATCH = 64  # side by side
_ROWS = 2048  # of a large study are enough to rank starts
_RUNS = 16  # and fewer are too few, however long their curves


def first_starts(problem: FitProblem, count: int, seed: int) -> Float[np.ndarray, "count+1 p"]:
    """The template's own values, then the best `count` of a grid or Sobol set, in unconstrained coordinates.

    `seed` shifts the set. The own values are brought to the size of the runs' losses, and linear ones solved for: of a
    law that fits the runs neither changes much, of one in another unit both are needed.
    """
    few = _thinned(problem)
    given = _given(few, _points(problem, count, seed))
    own = jax.tree.map(lambda x: x[:1], given._replace(size=np.ones_like(given.size)))
    given.size[0] = _apart(few, _looked(few, own).prediction[0])
    seen = _looked(few, given)
    return _ranked(seen.z, seen.value, count)


def _looked(problem: FitProblem, given: "_Given") -> "_Seen":
    """What is asked of every start, batch by batch through one program, however many there are."""
    m, parts = len(given.size), []
    for first in range(0, m, _BATCH):
        index = np.minimum(np.arange(first, first + _BATCH), m - 1)
        parts.append(_look(problem, jax.tree.map(lambda x, index=index: x[index], given)))
    return jax.tree.map(lambda *x: np.concatenate(x)[:m], *parts)


@eqx.filter_jit
def _look(problem: FitProblem, given: "_Given") -> "_Seen":
    return jax.vmap(lambda one: _seen(problem, one))(given)


def starts_inside(problem: FitProblem, count: int, seed: int) -> Float[Array, "count+1 p"]:
    """`first_starts`, for use inside jit."""
    few = _thinned(problem)
    given = jax.tree.map(jnp.asarray, _given(few, _points(problem, count, seed)))
    apart = _apart(few, predict(few.template.law, few.runs))
    given = given._replace(size=given.size.at[0].set(apart))
    seen = jax.lax.map(lambda one: _seen(few, one), given, batch_size=_BATCH)
    return _ranked(seen.z, seen.value, count)


def _ranked(z: Any, value: Any, count: int) -> Any:
    """The first start, then the `count` of lowest finite value."""
    xp = namespace(value)
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
    each = problem.runs.each
    count, most = problem.runs.size // each, max(_ROWS // each, _RUNS)
    if count <= most:
        return problem
    keep = np.linspace(0, count - 1, most).round().astype(int)
    return eqx.tree_at(lambda p: p.runs, problem, problem.runs.take(keep))


class _Given(NamedTuple):
    """Starts of a law: its nonlinear parameters by name, and the size of the losses it has, each with a row a start."""

    nonlinear: dict[str, Any]
    size: Any


class _Seen(NamedTuple):
    """Of a start: what the law says of the runs before its linear parameters are solved for; the start in unconstrained
    coordinates, and the objective there."""

    prediction: Any
    z: Any
    value: Any


def _given(problem: FitProblem, points: Float[np.ndarray, "m d"]) -> _Given:
    """Nonlinear parameters at quantiles of their priors, or of the data's range; of the first row, the template's own.

    Priors are those of losses of the usual size.
    """
    m, dtype = len(points), problem.runs.target.dtype
    xp = namespace(*jax.tree.leaves(problem))
    nonlinear, start = {}, 0
    for d in _law_free(problem):
        if d.spec.linear:
            continue
        size = int(np.prod(d.value.shape, dtype=int))
        part = points[:, start : start + size].reshape(m, *d.value.shape)
        start += size
        if isinstance(d.spec.support, PositiveOrdered):
            part = np.sort(part, axis=-1)
        if d.spec.within is None:
            spread: Any = d.spec.prior.quantile(part)
        else:
            x = xp.asarray(problem.runs.inputs[d.spec.within])
            low = xp.log(xp.min(xp.where(x > 0, x, xp.max(x))))  # runs with nothing of it have no logarithm
            spread = xp.exp(low + part.astype(dtype) * (xp.log(xp.max(x)) - low))
        nonlinear[d.name] = xp.concatenate([xp.asarray(d.value, dtype)[None], xp.asarray(spread, dtype)[1:]])
    size = 1 if problem.split.size is None else xp.asarray(problem.split.size, dtype)
    return _Given(nonlinear, xp.full(m, size, dtype))


def _apart(problem: FitProblem, prediction: Any) -> Any:
    """How many times as large the runs' losses are as those that the template's law predicts for them."""
    runs, unit = problem.runs, problem.template.objective.residual.unit
    apart = unit(runs) / unit(eqx.tree_at(lambda r: r.target, runs, prediction))
    xp = namespace(apart)
    return xp.where(xp.isfinite(apart), apart, 1)


def _seen(problem: FitProblem, given: _Given) -> _Seen:
    """Of one start."""
    before = scaled(replace(problem.template.law, given.nonlinear), given.size, problem.split.free)
    law = _profiled(before, problem)
    model = eqx.tree_at(lambda m: (m.law, m.objective), problem.template, (law, problem.started(law)))
    moved = eqx.tree_at(lambda p: p.split.template, problem, model)
    z = moved.split.vector()
    return _Seen(predict(before, problem.runs), z, moved.value(z))


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
