"""Damped Gauss-Newton (Levenberg-Marquardt) for robust penalties, one lane at a time, made to be vmapped.

The damping `mu` plays two parts: it shortens the step, and it slides the curvature from the penalty's
own second derivative to its majoriser (Huber curvature mixed with re-weighted least squares). There is
no line search and no early exit inside a lane, so a batch of lanes runs in lock-step without waste.

A step is `propose`, an evaluation of the problem, `settle`: over `jax.numpy` inside a compiled loop (`batch`), or over
`numpy` for all lanes together, where only the evaluation is compiled (`host`).
"""

from typing import Annotated, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxscale.core.ranges import Range, check_fields
from jaxscale.core.results import RESULTS
from jaxscale.solve.positive import solve_positive
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


class Proposal(NamedTuple):
    """Where a lane looks next: the step, whether the damped equations gave one, and the decrease that it promises.

    `scale` is the damping's unit along each coordinate, `mixing` how far the curvature slides to the majoriser.
    """

    step: Float[Array, " p"]
    solved: Bool[Array, ""]
    predicted: Float[Array, ""]
    scale: Float[Array, " p"]
    mixing: Float[Array, ""]


def begin(z: Vector) -> Lane:
    """A lane at its start, not yet evaluated: its first `advance` stays in place and looks around."""
    return begun(jnp, z)


def advance(problem: AbstractProblem, lane: Lane, settings: GaussNewton, context: Any = None) -> Lane:
    """One step: solve the damped normal equations, try the point, accept it if the value fell."""
    ahead = propose(jnp, lane)
    new = evaluate(problem, lane.z + ahead.step, ahead.mixing, context)
    return settle(jnp, lane, ahead, new, jnp.sum(problem.weights(context) > 0), problem.resolution(), settings)


def begun(xp: Any, z: Any) -> Lane:
    """`begin`, of one z (p,) or a stack of them (lanes, p). `xp`: numpy or jax.numpy, here and below."""
    many, p = z.shape[:-1], z.shape[-1]

    def filled(x: Any, dtype: Any) -> Any:
        return xp.full(many, x, dtype)

    flat = xp.broadcast_to(xp.eye(p, dtype=z.dtype), (*many, p, p))
    nowhere = Evaluation(filled(xp.inf, z.dtype), xp.zeros_like(z), flat)
    code, steps = filled(int(RESULTS.max_steps), xp.int32), filled(-1, xp.int32)
    return Lane(z, nowhere, filled(_MU_START, z.dtype), filled(2.0, z.dtype), steps, code, filled(False, bool))


def propose(xp: Any, lane: Lane) -> Proposal:
    """The step of the damped normal equations."""
    at, mu = lane.at, lane.mu
    scale = xp.maximum(xp.diagonal(at.curvature, axis1=-2, axis2=-1), xp.finfo(mu.dtype).tiny)
    # Damping relative to each coordinate's own curvature; the floor keeps flat directions from running away.
    scale = xp.maximum(scale, 1e-6 * xp.max(scale, axis=-1, keepdims=True))
    diagonal = xp.where(xp.eye(scale.shape[-1], dtype=bool), scale[..., None], 0)
    damping = mu[..., None, None] * diagonal
    trial = -solve_positive(xp, at.curvature + damping, at.gradient)
    solved = xp.all(xp.isfinite(trial), axis=-1)
    # An indefinite curvature gives no step: stay, and look again with more damping and a safer curvature.
    step = xp.where(solved[..., None], trial, 0)
    along = xp.matmul(at.curvature, step[..., None])[..., 0]
    predicted = -(xp.vecdot(at.gradient, step) + 0.5 * xp.vecdot(step, along))
    return Proposal(step, solved, predicted, scale, mu / (mu + _MIX))


def settle(
    xp: Any, lane: Lane, ahead: Proposal, new: Evaluation, rows: Any, resolution: Any, settings: GaussNewton
) -> Lane:
    """The lane after what was found at its `ahead`: moved or not, its damping, and whether it has ended.

    `rows`: how many rows of the problem count; `resolution`: of one of their outputs.
    """
    at, mu, predicted, scale = lane.at, lane.mu, ahead.predicted, ahead.scale
    rtol = settings.tolerance(lane.z.dtype)
    fell = (new.value < at.value) & xp.all(xp.isfinite(new.gradient), axis=-1)
    accepted = fell | (~ahead.solved & (new.value <= at.value))
    ratio = (at.value - new.value) / xp.where(predicted > 0, predicted, 1)
    eased = mu * xp.maximum(_SHRINK, 1 - (2 * ratio - 1) ** 3)
    looked = lane.steps >= 0
    good = fell & ahead.solved & looked
    mu_new = xp.where(good, xp.minimum(eased, mu), xp.where(looked, mu * lane.growth, mu))
    growth = xp.where(good | ~looked, 2.0, 2 * lane.growth).astype(mu.dtype)

    floor = rtol * xp.abs(at.value) + rows.astype(mu.dtype) * resolution**2
    # A rejected step of negligible promise means that rounding, not the model, decides: also an end. Damping makes any
    # promise negligible, so the gradient itself, along each coordinate alone, must promise no more.
    lost = looked & ~xp.isfinite(at.value)
    negligible = xp.where(fell, floor, 10 * floor)
    alone = 0.5 * xp.sum(at.gradient**2 / scale, axis=-1)
    converged = looked & ~lost & ahead.solved & (predicted <= negligible) & (alone <= scale.shape[-1] * negligible)
    stuck = ~converged & (mu_new > _MU_MAX)
    code = xp.full(stuck.shape, int(RESULTS.max_steps), xp.int32)
    for condition, result in ((stuck, RESULTS.singular), (converged, RESULTS.converged), (lost, RESULTS.non_finite)):
        code = xp.where(condition, xp.int32(int(result)), code)
    steps = lane.steps + 1
    z, at = choose(xp, accepted, (lane.z + ahead.step, new), (lane.z, at))
    after = Lane(z, at, mu_new, growth, steps, code, converged | stuck | lost | (steps >= settings.max_steps))
    return choose(xp, lane.done, lane, after)


def choose(xp: Any, condition: Any, there: Any, here: Any) -> Any:
    """Lane by lane, `there` where the condition holds."""

    def one(a: Any, b: Any) -> Any:
        return xp.where(condition.reshape(*condition.shape, *[1] * (a.ndim - condition.ndim)), a, b)

    return jax.tree.map(one, there, here)
