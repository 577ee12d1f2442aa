"""`estimate`: the pure kernel under `fit`, for a user's own `jit`, `vmap` and `grad`.

`fit` drives the same parts from the host: the same starts, charts, solver, Newton steps and numbers of the certificate,
there in float64 and in blocks that are shared with the refits. Here all of it is one program, on the device.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxscale.core.errors import BadInput
from jaxscale.core.evaluate import predict
from jaxscale.core.law import AbstractLaw
from jaxscale.core.parametric import hold, values
from jaxscale.core.ranges import SEED, checked, many
from jaxscale.core.results import RESULTS
from jaxscale.core.runs import Runs
from jaxscale.infer.checks.exact import passes_through
from jaxscale.infer.checks.intake import flat
from jaxscale.infer.search.identify import vanished
from jaxscale.infer.search.problem import FitProblem
from jaxscale.infer.search.search import Judged, gradient_tolerance, judged, search_inside
from jaxscale.infer.search.starts import starts_inside
from jaxscale.objectives.likelihood import Likelihood
from jaxscale.objectives.model import Model
from jaxscale.objectives.objective import AbstractObjective
from jaxscale.objectives.penalty import log_huber
from jaxscale.solve.certificate import is_certified
from jaxscale.solve.implicit import implicit_argmin
from jaxscale.solve.newton import polish
from jaxscale.solve.problem import split
from jaxscale.solve.solvers import as_solver


class Estimate(eqx.Module):
    """What `estimate` found, as arrays; under `vmap` each with a leading axis.

    - `law`, `objective`: at the optimum; they carry derivatives.
    - `value`: the objective as papers state it; `code`: how it ended (`RESULTS`).
    - `finished`, `share_best`, `gradient_norm`, `smallest_eigenvalue`, `condition`: as in a `Certificate`.
    - `jacobian_condition`: how well the runs determine the parameters (`Identifiability.condition`).
    - `on_edge`: which unconstrained coordinates, of the names in `names`, vanished.
    """

    law: AbstractLaw
    objective: AbstractObjective
    value: Float[Array, ""]
    code: Int[Array, ""]
    finished: Int[Array, ""]
    share_best: Float[Array, ""]
    gradient_norm: Float[Array, ""]
    smallest_eigenvalue: Float[Array, ""]
    condition: Float[Array, ""]
    jacobian_condition: Float[Array, ""]
    on_edge: Bool[Array, " p"]
    starts: int = eqx.field(static=True)
    tolerance: float = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)

    @property
    def certified(self) -> Bool[Array, ""]:
        """A local optimum that at least two starts reached, as `Certificate.certified`."""
        return is_certified(self)


@checked
def estimate(
    law: AbstractLaw,
    runs: Runs,
    objective: AbstractObjective | None = None,
    *,
    fixed: Mapping[str, Any] | tuple[str, ...] = (),
    prior: bool = False,
    starts: Annotated[int, many(0, like="32")] = 32,
    seed: Annotated[int, SEED] = 0,
    solver: Any = None,
) -> Estimate:
    """What `fit` finds, as a pure function of arrays: no host in between, no branch on a value.

    ```python
    kernel = jax.jit(lambda runs: js.estimate(js.catalogue()["Chinchilla"](), runs))  # compiled once a shape
    one = kernel(study.runs(js.signature(law)))
    many = jax.jit(jax.vmap(kernel))(js.Runs.stacked([a, b, c]))  # data sets along a leading axis
    slope = jax.grad(lambda loss: kernel(eqx.tree_at(lambda r: r.target, runs, loss)).law.alpha)(runs.target)
    ```

    **Arguments:** those of `fit`; `runs` are arrays, of which those of weight zero are left out. What is not an array
    (names in `fixed`, `prior`, `starts`, `seed`, `solver`) is static under `jit`, and so is an objective of several
    stages (`log_lad`): close over them.

    Differentiable by the implicit function theorem, as `fit`. Nothing is refused on account of values: `code` and
    `certified` say what came of it; fewer runs than parameters are `RESULTS.too_few`. On a CPU `jax.lax.map` over data
    sets does less work than `vmap`, whose loops all take as long as the longest.

    Raises `BadInput` on arguments that do not belong together.
    """
    solver = as_solver(solver)
    problem = FitProblem.of(split(model_of(law, objective, fixed, prior), fixed), flat(runs, law).sheltered(), prior)
    solid, names = jax.lax.stop_gradient(problem), problem.split.names()
    z = starts_inside(solid, starts, seed)
    found = search_inside(solid, problem.template.objective.stages(z.dtype), z, solver)
    good = found.code == int(RESULTS.converged)
    score = jnp.where((good | ~jnp.any(good)) & jnp.isfinite(found.value), found.value, jnp.inf)
    best = polish(solid, found.z[jnp.argmin(score)])
    model, jacobian = solid.split.tree(best.z), jax.jacfwd(solid.outputs)(best.z)

    on_edge = jnp.zeros(len(names), bool) if prior else vanished(solid, jacobian)
    condition = _condition(solid, jacobian, ~on_edge, best.z)
    rtol = solver.tolerance(best.z.dtype)
    seen: Judged = judged(solid, found, best, condition, ~on_edge, solid.resolution(), rtol)
    code = jnp.asarray(seen.code, jnp.int32)
    if not prior:
        exact = passes_through(model, solid.runs, predict(model.law, solid.runs), problem.split.free)
        few = jnp.sum(solid.runs.weight > 0) <= len(names)
        code = jnp.where(few, int(RESULTS.too_few), jnp.where(exact, int(RESULTS.exact), code))
    z = implicit_argmin(problem.value, best.z)
    at = problem.split.tree(z)
    return Estimate(
        law=at.law,
        objective=at.objective,
        value=problem.reported(z),
        **{**seen._asdict(), "code": code},
        jacobian_condition=condition,
        on_edge=on_edge,
        starts=starts + 1,
        tolerance=gradient_tolerance(rtol),
        names=names,
    )


def model_of(
    law: AbstractLaw,
    objective: AbstractObjective | None,
    fixed: Mapping[str, Any] | tuple[str, ...],
    prior: bool,
) -> Model:
    """The law at its held values, with its objective. Raises `BadInput` on what does not belong together."""
    objective = log_huber() if objective is None else objective
    own = {name: value for name, value in values(law).items() if name in fixed}
    law = hold(law, fixed if isinstance(fixed, Mapping) else own)
    if law.needs_prior and not prior:
        raise BadInput(
            f"{type(law).__name__}: expected prior=True, as partial parameters have no optimum without their priors; "
            "use sample(...), or fit(..., prior=True) with a likelihood"
        )
    if prior and not isinstance(objective, Likelihood):
        raise BadInput(
            f"prior: a posterior needs a likelihood, got the penalty {objective.name}, which has no scale; use "
            "student_t(), gaussian() or huber_density()"
        )
    return Model(law, objective)


def _condition(problem: FitProblem, jacobian: Array, inside: Bool[Array, " p"], z: Float[Array, " p"]) -> Array:
    """`Identifiability.condition`, inside jit: of the weighted Jacobian with unit columns, the prior's rows with it."""
    weight = problem.runs.weight
    rows = jnp.where(weight[:, None, None] > 0, jacobian * jnp.sqrt(weight)[:, None, None], 0)
    rows = rows.reshape(-1, inside.shape[0])
    if problem.prior:
        eigenvalues, vectors = jnp.linalg.eigh(jax.hessian(problem.regulariser)(z))
        rows = jnp.concatenate([rows, jnp.sqrt(jnp.maximum(eigenvalues, 0))[:, None] * vectors.T])
    rows = jnp.where(inside[None, :], rows, 0)
    size = jnp.linalg.norm(rows, axis=0)
    # Columns left out add zeros, which come last.
    singular = jnp.linalg.svd(rows / jnp.where(size > 0, size, 1)[None, :], compute_uv=False)
    last = jnp.sum(inside) - 1
    least = jnp.where(last < len(singular), singular[jnp.clip(last, 0, len(singular) - 1)], 0)
    known = jnp.all(jnp.isfinite(rows)) & (last >= 0) & (least > 0)
    return jnp.where(known, singular[0] / jnp.where(known, least, 1), jnp.inf)
