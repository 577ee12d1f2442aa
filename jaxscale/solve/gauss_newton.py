"""Damped Gauss-Newton (Levenberg-Marquardt) for robust penalties, one lane at a time, made to be vmapped.

The damping `mu` plays two parts: it shortens the step, and it slides the curvature from the penalty's
own second derivative to its majoriser (Huber curvature mixed with re-weighted least squares). There is
no line search and no early exit inside a lane, so a batch of lanes runs in lock-step without waste.
"""

from typing import Annotated, Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxscale.core.ranges import Range, check_fields
from jaxscale.core.results import RESULTS
from jaxscale.solve.problem import AbstractProblem, Evaluation, Vector, evaluate

_SHRINK = 0.3  # of mu after a step as good as predicted
_MIX = 1e-2  # mu at which the curvature is half majoriser
_MU_START, _MU_MAX = 1e-2, 1e13
STEPS = Range(1, 2**31 - 1, whole=True, like="1000", why="steps are counted in 32 bits")
TOLERANCE = Range(1e-30, 0.999999, like="1e-9")


class GaussNewton(eqx.Module):
    """Settings. `rtol`: stop when the decrease still to be had is below this share of the value.

    The default is 1e-12 in float64 and 1e-6 in float32, near what the sum resolves.
    """

    max_steps: Annotated[int, STEPS] = eqx.field(static=True, default=200)
    rtol: Annotated[float, TOLERANCE] | None = eqx.field(static=True, default=None)

    def __check_init__(self) -> None:
        check_fields(self)

    def tolerance(self, dtype: Any) -> float:
        if self.rtol is not None:
            return self.rtol
        return 1e-12 if jnp.finfo(dtype).eps < 1e-10 else 1e-6

    def begin(self, z: Vector) -> "Lane":
        return begin(z)

    def advance(self, problem: AbstractProblem, lane: "Lane", context: Any = None) -> "Lane":
        return advance(problem, lane, self, context)


class Lane(eqx.Module):
    """One solve in progress or done: the point, what is known there, damping, step count, result code."""

    z: Float[Array, " p"]
    at: Evaluation
    mu: Float[Array, ""]
    growth: Float[Array, ""]
    steps: Int[Array, ""]
    code: Int[Array, ""]
    done: Bool[Array, ""]

    @property
    def value(self) -> Float[Array, ""]:
        return self.at.value


def begin(z: Vector) -> Lane:
    """A lane at its start, not yet evaluated: its first `advance` stays in place and looks around."""
    p, mu = z.shape[0], jnp.asarray(_MU_START, z.dtype)
    nowhere = Evaluation(jnp.asarray(jnp.inf, z.dtype), jnp.zeros_like(z), jnp.eye(p, dtype=z.dtype))
    code = jnp.asarray(int(RESULTS.max_steps), jnp.int32)
    return Lane(z, nowhere, mu, jnp.asarray(2.0, z.dtype), jnp.asarray(-1, jnp.int32), code, jnp.asarray(False))


def advance(problem: AbstractProblem, lane: Lane, settings: GaussNewton, context: Any = None) -> Lane:
    """One step: solve the damped normal equations, try the point, accept it if the value fell."""
    at, mu = lane.at, lane.mu
    rtol = settings.tolerance(lane.z.dtype)
    scale = jnp.maximum(jnp.diag(at.curvature), jnp.finfo(mu.dtype).tiny)
    # Damping relative to each coordinate's own curvature; the floor keeps flat directions from running away.
    scale = jnp.maximum(scale, 1e-6 * jnp.max(scale))
    factor = jax.scipy.linalg.cho_factor(at.curvature + mu * jnp.diag(scale))
    trial = -jax.scipy.linalg.cho_solve(factor, at.gradient)
    solved = jnp.all(jnp.isfinite(trial))
    # An indefinite curvature gives no step: stay, and look again with more damping and a safer curvature.
    step = jnp.where(solved, trial, 0)
    predicted = -(jnp.vdot(at.gradient, step) + 0.5 * jnp.vdot(step, at.curvature @ step))

    new = evaluate(problem, lane.z + step, mu / (mu + _MIX), context)
    fell = (new.value < at.value) & jnp.all(jnp.isfinite(new.gradient))
    accepted = fell | (~solved & (new.value <= at.value))
    ratio = (at.value - new.value) / jnp.where(predicted > 0, predicted, 1)
    eased = mu * jnp.maximum(_SHRINK, 1 - (2 * ratio - 1) ** 3)
    looked = lane.steps >= 0
    good = fell & solved & looked
    mu_new = jnp.where(good, jnp.minimum(eased, mu), jnp.where(looked, mu * lane.growth, mu))
    growth = jnp.where(good | ~looked, 2.0, 2 * lane.growth).astype(mu.dtype)

    weight_sum = jnp.sum(problem.weights(context) > 0).astype(mu.dtype)
    floor = rtol * jnp.abs(at.value) + weight_sum * problem.resolution() ** 2
    # A rejected step of negligible promise means that rounding, not the model, decides: also an end. Damping makes any
    # promise negligible, so the gradient itself, along each coordinate alone, must promise no more.
    lost = looked & ~jnp.isfinite(at.value)
    negligible = jnp.where(fell, floor, 10 * floor)
    alone = 0.5 * jnp.sum(at.gradient**2 / scale)
    converged = looked & ~lost & solved & (predicted <= negligible) & (alone <= scale.size * negligible)
    stuck = ~converged & (mu_new > _MU_MAX)
    code = jnp.asarray(int(RESULTS.max_steps), jnp.int32)
    for condition, result in ((stuck, RESULTS.singular), (converged, RESULTS.converged), (lost, RESULTS.non_finite)):
        code = jnp.where(condition, jnp.int32(int(result)), code)
    steps = lane.steps + 1
    z, at = jax.tree.map(lambda a, b: jnp.where(accepted, a, b), (lane.z + step, new), (lane.z, at))
    after = Lane(z, at, mu_new, growth, steps, code, converged | stuck | lost | (steps >= settings.max_steps))
    return jax.tree.map(lambda a, b: jnp.where(lane.done, a, b), lane, after)
