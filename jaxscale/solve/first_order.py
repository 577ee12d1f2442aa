"""First-order methods from optax for problems of many parameters: L-BFGS, Adam, or any transformation of gradients.

A step costs a gradient instead of a Jacobian and its normal equations. Gauss-Newton is the default: on 240 runs and 5
parameters it was eighteen times faster in a batch at equal objectives. From some sixty parameters on L-BFGS
is the faster one (benchmarks/results/first_order.md). These join the same queue, one `advance` per step.
"""

from abc import abstractmethod
from typing import Annotated, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from jaxscale.core.ranges import Range, check_fields
from jaxscale.core.results import RESULTS
from jaxscale.solve.gauss_newton import STEPS, TOLERANCE
from jaxscale.solve.problem import AbstractProblem, Vector

_RESTARTS = 5  # in a row without a better point: then the lane is stuck
_STILL = 4  # steps of no length in a row: more than a warm-up from nothing takes, or a few gradients gathered


class Trail(eqx.Module):
    """One solve in progress or done: the best point so far and its value, the moving point, the optimiser's state."""

    z: Float[Array, " p"]
    value: Float[Array, ""]
    moving: Float[Array, " p"]
    state: Any
    still: Int[Array, ""]
    restarts: Int[Array, ""]
    steps: Int[Array, ""]
    code: Int[Array, ""]
    done: Bool[Array, ""]


class AbstractFirstOrder(eqx.Module):
    """What all have in common.

    `rtol`: stop when half the squared gradient, which in a chart's whitened coordinates is the decrease still to
    be had, is below this share of the value. The default is 1e-12 in float64 and 1e-6 in float32.
    """

    max_steps: eqx.AbstractVar[int]
    rtol: eqx.AbstractVar[float | None]

    def __check_init__(self) -> None:
        check_fields(self)

    @abstractmethod
    def optimiser(self) -> optax.GradientTransformationExtraArgs: ...

    def tolerance(self, dtype: Any) -> float:
        if self.rtol is not None:
            return self.rtol
        return 1e-12 if jnp.finfo(dtype).eps < 1e-10 else 1e-6

    def begin(self, z: Vector) -> Trail:
        """A lane at its start, not yet evaluated."""
        zero, code = jnp.asarray(0, jnp.int32), jnp.asarray(int(RESULTS.max_steps), jnp.int32)
        nowhere = jnp.asarray(jnp.inf, z.dtype)
        return Trail(z, nowhere, z, self._fresh(z), zero, zero, zero, code, jnp.asarray(False))

    def _fresh(self, z: Vector) -> Any:
        with jax.numpy_dtype_promotion("standard"):
            return jax.tree.map(jnp.asarray, self.optimiser().init(z))

    def advance(self, problem: AbstractProblem, lane: Trail, context: Any = None) -> Trail:
        """One step of the optimiser; where it is not finite, or stands still, it begins again from the best point."""
        optimiser = self.optimiser()

        def value_of(z: Vector) -> Array:
            return problem.value(z, context)

        value, gradient = jax.value_and_grad(value_of)(lane.moving)
        # optax mixes int32 with int64, which strict promotion would refuse.
        with jax.numpy_dtype_promotion("standard"):
            updates, state = optimiser.update(
                gradient, lane.state, lane.moving, value=value, grad=gradient, value_fn=value_of
            )
        updates = jnp.asarray(updates, lane.z.dtype)
        moved = lane.moving + updates
        usable = jnp.isfinite(value) & jnp.all(jnp.isfinite(gradient))
        better = usable & (value < lane.value)
        z, best = jnp.where(better, lane.moving, lane.z), jnp.where(better, value, lane.value)
        # optax guards its curvature pairs against exact zeros only, so memory can turn to NaN or stop moving.
        still = jnp.where(jnp.any(updates != 0), 0, lane.still + 1).astype(jnp.int32)
        healthy = usable & jnp.all(jnp.isfinite(moved)) & (still < _STILL)
        still = jnp.where(healthy, still, 0)
        state = jax.tree.map(lambda a, b: jnp.where(healthy, _as(a, b), b), state, self._fresh(z))
        restarts = jnp.where(better, 0, lane.restarts + jnp.where(healthy, 0, 1)).astype(jnp.int32)

        rows = jnp.sum(problem.weights(context) > 0).astype(z.dtype)
        floor = self.tolerance(z.dtype) * jnp.abs(value) + rows * problem.resolution() ** 2
        converged = usable & (value <= best) & (0.5 * jnp.vdot(gradient, gradient) <= floor)
        lost = ~jnp.isfinite(best)
        steps = lane.steps + 1
        code = jnp.where(converged, int(RESULTS.converged), int(RESULTS.max_steps))
        code = jnp.where(lost, int(RESULTS.non_finite), code).astype(jnp.int32)
        done = converged | lost | (restarts >= _RESTARTS) | (steps >= self.max_steps)
        after = Trail(z, best, jnp.where(healthy, moved, z), state, still, restarts, steps, code, done)
        return jax.tree.map(lambda a, b: jnp.where(lane.done, a, b), lane, after)


def _as(a: Any, like: Array) -> Array:
    """In the type of its first value, which no step of a loop may change."""
    a = jnp.asarray(a)
    return a if a.dtype == like.dtype else a.astype(like.dtype)


class LBFGS(AbstractFirstOrder):
    """Limited-memory BFGS with a zoom line search (Nocedal & Wright 2006, chapters 3 and 7)."""

    max_steps: Annotated[int, STEPS] = eqx.field(static=True, default=500)
    rtol: Annotated[float, TOLERANCE] | None = eqx.field(static=True, default=None)
    memory: Annotated[int, Range(1, 10**6, whole=True, like="10")] = eqx.field(static=True, default=10)

    def optimiser(self) -> optax.GradientTransformationExtraArgs:
        return optax.lbfgs(memory_size=self.memory)


class Adam(AbstractFirstOrder):
    """Adam with a cosine decay to zero over `max_steps` (Kingma & Ba 2015)."""

    max_steps: Annotated[int, STEPS] = eqx.field(static=True, default=5000)
    rtol: Annotated[float, TOLERANCE] | None = eqx.field(static=True, default=None)
    learning_rate: Annotated[float, Range(1e-30, 1e6, like="0.1")] = eqx.field(static=True, default=0.1)

    def optimiser(self) -> optax.GradientTransformationExtraArgs:
        schedule = optax.cosine_decay_schedule(self.learning_rate, self.max_steps)
        return optax.with_extra_args_support(optax.adam(schedule))


class Optax(AbstractFirstOrder):
    """Any transformation of optax: `Optax(optax.chain(optax.clip(1.0), optax.adamw(schedule)), max_steps=2000)`.

    Coordinates are whitened, so that a rate is in standard deviations of a unit of the objective. A rate that does not
    decay may leave a lane at some distance of the optimum: give a schedule, or an `rtol` that it can reach.

    Transformations are closures, equal only to themselves: make one and keep it, as every new one compiles anew.
    `LBFGS` and `Adam` are equal where their settings are.
    """

    transformation: optax.GradientTransformation = eqx.field(static=True)
    max_steps: Annotated[int, STEPS] = eqx.field(static=True)
    rtol: Annotated[float, TOLERANCE] | None = eqx.field(static=True)

    def __init__(
        self, transformation: optax.GradientTransformation, max_steps: int = 5000, rtol: float | None = None
    ) -> None:
        self.transformation, self.max_steps, self.rtol = transformation, max_steps, rtol

    def optimiser(self) -> optax.GradientTransformationExtraArgs:
        return optax.with_extra_args_support(self.transformation)
