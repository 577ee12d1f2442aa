"""`fit`: from a law and runs to a certified optimum."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from dataclasses import replace as replace_field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import equinox as eqx
import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxscale.core.evaluate import points_of, predicted
from jaxscale.core.law import AbstractLaw
from jaxscale.core.parametric import values
from jaxscale.core.ranges import SEED, checked, many
from jaxscale.core.results import RESULTS
from jaxscale.core.runs import Runs, Table
from jaxscale.infer.checks.exact import passes_through
from jaxscale.infer.checks.intake import as_runs, check_count, check_runs, remarks_on, rows_of
from jaxscale.infer.fit.estimate import model_of
from jaxscale.infer.search.identify import Identifiability, identify, vanished
from jaxscale.infer.search.problem import FitProblem
from jaxscale.infer.search.rows import curvature
from jaxscale.infer.search.search import MIXING, RESTARTS, alternatives, certify, restarts, search
from jaxscale.infer.search.starts import first_starts
from jaxscale.infer.search.units import independent
from jaxscale.objectives.objective import AbstractObjective
from jaxscale.solve.batch import Solver
from jaxscale.solve.certificate import Certificate
from jaxscale.solve.chart import Chart, chart_at
from jaxscale.solve.implicit import implicit_argmin
from jaxscale.solve.problem import split
from jaxscale.solve.solvers import as_solver

if TYPE_CHECKING:
    from optax import GradientTransformation

_FAINT = 0.1  # of an output's unit, root mean square over the runs


@dataclass(frozen=True)
class Fit:
    """A fitted law with its evidence.

    - `law`, `objective`: at the optimum; `law` carries derivatives where the fit was differentiated.
    - `value`: the objective as papers state it.
    - `problem`: the same optimum as the solver sees it (runs padded to a shared size).
    - `hessian`: exact, in unconstrained coordinates, of the internally scaled objective.
    - `alternatives`: other local optima found, best first, in unconstrained coordinates.
    - `restarts`: a few cold starts that found this optimum, in unconstrained coordinates; empty where none were tried.
    - `table_remarks`: what is to be said of the table: its own remarks, and rows far from the law.
    - `remarks`: warnings, as sentences.
    """

    law: AbstractLaw
    objective: AbstractObjective
    value: float
    certificate: Certificate
    identifiability: Identifiability
    problem: FitProblem
    hessian: np.ndarray
    alternatives: tuple[np.ndarray, ...]
    settings: Solver
    seed: int
    count: int
    groups: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    table_remarks: tuple[str, ...] = ()
    restarts: tuple[np.ndarray, ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        evidence = independent(self.problem).remarks(prior=self.problem.prior)
        own = tuple(name for name in self.certificate.on_edge if name.startswith("objective."))
        law = tuple(name for name in self.certificate.on_edge if name not in own)
        found = replace_field(self.certificate, on_edge=law).remarks()
        if own:
            found += ("The known noise of the runs explains all of their scatter: no further noise was found.",)
        return self.table_remarks + found + self.identifiability.remarks() + evidence

    @cached_property
    def runs(self) -> Runs:
        """The runs that were fitted, without padding."""
        return self.problem.runs.take(slice(self.count // self.problem.runs.each))

    @property
    def params(self) -> dict[str, Array]:
        """Fitted law parameters by name."""
        return values(self.law)

    def log_residuals(self) -> np.ndarray:
        """log observed - log predicted of every run, shape (n,), on the host."""
        fitted = np.asarray(predicted(self.law, self.problem.runs), np.float64)[: self.count]
        return np.log(np.asarray(self.runs.target, np.float64)) - np.log(fitted)

    def points(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The law's inputs, checked and broadcast to (m,), groups (index or label) as indices. Raises `BadInput`."""
        return points_of(self.law, inputs, self.groups)

    @cached_property
    def chart(self) -> Chart:
        """Whitened coordinates at the optimum, by the Gauss-Newton curvature."""
        return self.chart_near(_coordinates(self.problem))

    @cached_property
    def cold(self) -> tuple[np.ndarray, ...]:
        """Where a refit begins that cannot go on from the optimum: `restarts`, or cold starts where there are none."""
        return self.restarts or tuple(first_starts(self.problem, RESTARTS, self.seed)[1:])

    @cached_property
    def near_edge(self) -> bool:
        """Whether a parameter has gone so far to an edge of its support that the runs hardly feel an e-fold of it."""
        felt = np.diag(self._curvature(_coordinates(self.problem)))
        weight = np.asarray(self.problem.runs.weight, np.float64)
        return bool(self.certificate.on_edge) or bool(np.any(felt < _FAINT**2 * np.sum(weight)))

    def chart_near(self, z: Float[ArrayLike, " p"]) -> Chart:
        """Whitened coordinates at unconstrained z, by the Gauss-Newton curvature there."""
        shape = self._curvature(z)
        return chart_at(jnp.asarray(z, shape.dtype), shape)

    def _curvature(self, z: Float[ArrayLike, " p"]) -> np.ndarray:
        return curvature(self.problem, np.asarray(z), MIXING)


@checked
def fit(
    law: AbstractLaw,
    data: Runs | Table,
    objective: AbstractObjective | None = None,
    *,
    fixed: Mapping[str, Any] | tuple[str, ...] = (),
    prior: bool = False,
    starts: Annotated[int, many(0, like="32")] = 32,
    seed: Annotated[int, SEED] = 0,
    solver: "Solver | GradientTransformation | None" = None,
) -> Fit:
    """Fit `law` to `data` and certify the optimum.

    **Arguments:**

    - `law`: its values are the first start, and the values of whatever `fixed` names.
    - `data`: `Runs`, or a study.
    - `objective`: default `log_huber(1e-3)`.
    - `fixed`: names to hold at the law's values, or values by name; the edge of a support, as E = 0, is allowed where
      the law has derivatives there.
    - `prior`: add the parameters' priors, for the mode of the posterior (in unconstrained coordinates). The
      objective must then be a likelihood. Priors are stated for losses of a usual size (3 nats) and taken for losses
      of the size of the runs' median: the mode does not depend on the unit of the loss.
    - `starts`: cold starts besides the law's own values, which are brought to the losses' size, linear ones by least
      squares; 0 starts from the law alone.
    - `solver`: default `GaussNewton()`; `LBFGS()` and `Adam()` of `solve.first_order`, or any transformation of optax
      (`optax.adam(1e-2)`; `Optax(optax.sgd(...), max_steps=..., rtol=...)` sets steps and tolerance). The best point
      of any is finished by Newton's method, the certificate is the same, and refits (`bootstrap`, `bag`) use it too;
      `profile`, whose solves must be exact, does not.
    - `seed`: shifts the cold starts. The optimum does not depend on it; that is what the certificate says.

    Differentiable by `jax.grad` with respect to targets, inputs, weights and fixed values, through the
    implicit function theorem. For `jit` and `vmap` there is `estimate`. Raises `BadInput` on fewer runs than a fit
    needs.
    """
    clock = time.perf_counter()
    solver = as_solver(solver)
    model = model_of(law, objective, fixed, prior)
    law, objective = model.law, model.objective
    runs = as_runs(data, law)
    seen = jax.lax.stop_gradient(runs)  # for what is asked of their values
    check_runs(jax.lax.stop_gradient(law), seen, objective, fixed, rows_of(data, law))
    count = runs.size
    problem = FitProblem.of(split(model, fixed), runs.padded(), prior)
    check_count(jax.lax.stop_gradient(problem))
    # Derivatives of an overflown run are not numbers, and stay so when multiplied by its weight of zero.
    solid = eqx.tree_at(
        lambda p: p.runs, jax.lax.stop_gradient(problem), jax.lax.stop_gradient(problem.runs).sheltered()
    )

    z = first_starts(solid, starts, seed)
    found, optimum = search(solid, z, solver)
    best = optimum.polished
    remade = eqx.tree_at(
        lambda p: (p.split.template, p.runs), solid, (optimum.model, jax.lax.stop_gradient(problem.runs))
    )
    jacobian = np.asarray(optimum.jacobian, np.float64)
    # A prior bounds what the runs do not.
    gone = vanished(remade, jacobian) & (not prior)
    on_edge = tuple(name for name, off in zip(problem.split.names(), gone, strict=True) if off)
    identifiability = identify(remade, jacobian, on_edge, optimum.prior)
    certificate = certify(solid, found, best, identifiability, on_edge, solver)
    predicted = np.asarray(optimum.prediction)[:count]
    if not prior and passes_through(optimum.model, seen, predicted, problem.split.free):
        certificate = replace_field(certificate, code=RESULTS.exact)
    traced = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(problem))
    fitted = problem.split.tree(implicit_argmin(problem.value, best.z)) if traced else optimum.model
    return Fit(
        law=fitted.law,
        objective=fitted.objective,
        value=float(optimum.reported),
        certificate=certificate,
        identifiability=identifiability,
        problem=remade,
        hessian=np.asarray(best.hessian, np.float64),
        alternatives=alternatives(solid, found, best),
        settings=solver,
        seed=seed,
        count=count,
        groups=getattr(data, "groups", ()) or getattr(law, "groups", ()),
        provenance=dict(getattr(data, "provenance", {})),
        seconds={"total": time.perf_counter() - clock},
        table_remarks=remarks_on(data, seen, optimum.model, predicted, len(problem.split.names()), fixed),
        restarts=restarts(solid, z[1:], found, best),
    )


@eqx.filter_jit
def _coordinates(problem: FitProblem) -> Array:
    return problem.split.vector()
