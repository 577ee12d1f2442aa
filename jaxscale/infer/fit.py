"""`fit`: from a law and runs to a certified optimum."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import equinox as eqx
import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxscale.core.errors import BadInput
from jaxscale.core.law import AbstractLaw, signature
from jaxscale.core.parametric import replace, values
from jaxscale.core.results import RESULTS
from jaxscale.core.runs import Runs, Table
from jaxscale.infer.identify import Identifiability, identify, output_jacobian, vanished
from jaxscale.infer.problem import FitProblem
from jaxscale.infer.starts import cold_starts
from jaxscale.objectives.model import Model
from jaxscale.objectives.objective import AbstractObjective
from jaxscale.objectives.penalty import log_huber
from jaxscale.solve.batch import Solutions, Solver, lanes_for, minimise_many
from jaxscale.solve.certificate import Certificate, count_optima
from jaxscale.solve.chart import Chart, Charted, chart_at, whitener
from jaxscale.solve.gauss_newton import GaussNewton
from jaxscale.solve.implicit import implicit_argmin
from jaxscale.solve.newton import Polished, polish
from jaxscale.solve.problem import evaluate, split

_MIXING = 0.1  # a tenth of the majoriser keeps a chart regular where few runs lie in the quadratic part


@dataclass(frozen=True)
class Fit:
    """A fitted law with its evidence.

    - `law`, `objective`: at the optimum; `law` carries derivatives where the fit was differentiated.
    - `value`: the objective as papers state it.
    - `problem`: the same optimum as the solver sees it (runs padded to a shared size).
    - `hessian`: exact, in unconstrained coordinates, of the internally scaled objective.
    - `alternatives`: other local optima found, best first, in unconstrained coordinates.
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

    @property
    def remarks(self) -> tuple[str, ...]:
        return self.table_remarks + self.certificate.remarks() + self.identifiability.remarks()

    @property
    def runs(self) -> Runs:
        """The runs that were fitted, without padding."""
        return jax.tree.map(lambda x: x[: self.count], self.problem.runs)

    @property
    def params(self) -> dict[str, Array]:
        """Fitted law parameters by name."""
        return values(self.law)

    @cached_property
    def chart(self) -> Chart:
        """Whitened coordinates at the optimum, by the Gauss-Newton curvature."""
        z = self.problem.split.vector()
        return chart_at(z, _curvature(self.problem, z, jnp.asarray(_MIXING, z.dtype)))


def as_runs(data: Runs | Table, law: AbstractLaw) -> Runs:
    """The runs that `law` needs from a table, or the runs themselves."""
    return data if isinstance(data, Runs) else data.runs(signature(law))


def fit(
    law: AbstractLaw,
    data: Runs | Table,
    objective: AbstractObjective | None = None,
    *,
    fixed: Mapping[str, Any] | tuple[str, ...] = (),
    starts: int = 32,
    seed: int = 0,
    solver: Solver | None = None,
) -> Fit:
    """Fit `law` to `data` and certify the optimum.

    **Arguments:**

    - `law`: its values are the first start, and the values of whatever `fixed` names.
    - `data`: `Runs`, or a study.
    - `objective`: default `log_huber(1e-3)`.
    - `fixed`: names to hold at the law's values, or values by name.
    - `starts`: cold starts besides the law's own values; 0 starts from the law alone.
    - `seed`: shifts the cold starts. The optimum does not depend on it; that is what the certificate says.

    Differentiable by `jax.grad` with respect to targets, inputs, weights and fixed values, through the
    implicit function theorem. Raises `BadInput` on fewer runs than a fit needs.
    """
    clock = time.perf_counter()
    objective = log_huber() if objective is None else objective
    solver = GaussNewton() if solver is None else solver
    if isinstance(fixed, Mapping):
        law = replace(law, fixed)
    runs = as_runs(data, law)
    model = Model(law, objective)
    problem = FitProblem(split(model, fixed), runs)
    _enough(problem)
    count = runs.size
    problem = eqx.tree_at(lambda p: p.runs, problem, runs.padded())
    solid = jax.lax.stop_gradient(problem)

    z = np.asarray(solid.split.vector())[None]
    if starts:
        z = np.concatenate([z, cold_starts(solid, starts, seed)])
    found, best = _multistart(solid, z, solver)
    top = best.z
    remade = eqx.tree_at(lambda p: p.split, solid, solid.split.at(top))
    jacobian = np.asarray(output_jacobian(remade), np.float64)
    on_edge = vanished(remade, jacobian)
    identifiability = identify(remade, jacobian, on_edge)
    certificate = _certify(solid, found, best, identifiability, on_edge, solver)
    fitted = problem.split.tree(_attach(problem, top) if _traced(problem) else top)
    return Fit(
        law=fitted.law,
        objective=fitted.objective,
        value=float(solid.reported(top)),
        certificate=certificate,
        identifiability=identifiability,
        problem=remade,
        hessian=np.asarray(best.hessian, np.float64),
        alternatives=_alternatives(solid, found, best),
        settings=solver,
        seed=seed,
        count=count,
        groups=getattr(data, "groups", ()),
        provenance=dict(getattr(data, "provenance", {})),
        seconds={"total": time.perf_counter() - clock},
        table_remarks=tuple(getattr(data, "remarks", ())),
    )


def _enough(problem: FitProblem) -> None:
    weight = problem.runs.weight
    have = problem.runs.size if isinstance(weight, jax.core.Tracer) else int(jnp.sum(weight > 0))
    need = len(problem.split.names()) + 1
    if have < need:
        law = type(problem.template.law).__name__
        raise BadInput(
            f"{law}: expected at least {need} runs for {need - 1} free parameters, got {have}; "
            "add runs, fix a parameter, or use a law with fewer"
        )


def _traced(problem: FitProblem) -> bool:
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(problem))


def _attach(problem: FitProblem, z: Array) -> Array:
    return implicit_argmin(lambda y: problem.value(y), z)


@eqx.filter_jit
def _curvature(problem: FitProblem, z: Array, mixing: Float[Array, ""]) -> Array:
    return evaluate(problem, z, mixing).curvature


@eqx.filter_jit
def _solve_all(problem: Charted, y: Float[Array, "m p"], solver: Solver, lanes: int) -> Solutions:
    m = y.shape[0]
    return minimise_many(
        problem, lambda i: (y[jnp.minimum(i, m - 1)], None), jnp.asarray(0), jnp.asarray(m),
        size=m, lanes=lanes, settings=solver,
    )  # fmt: skip


@eqx.filter_jit
def _polish(problem: FitProblem, z: Array) -> Polished:
    return polish(problem, z)


def _multistart(problem: FitProblem, z: np.ndarray, solver: Solver) -> tuple[Solutions, Polished]:
    """All starts through the objective's stages, in a chart made at the best start; the best one polished."""
    dtype = problem.runs.target.dtype
    lanes = lanes_for(problem.runs.size, z.shape[1], z.shape[0], dtype.itemsize)
    found = None
    for stage in problem.template.objective.stages(dtype):
        staged = eqx.tree_at(lambda p: p.split.template.objective, problem, stage)
        centre = z[min(1, len(z) - 1)] if found is None else z[int(np.nanargmin(np.asarray(found.value)))]
        mixing = jnp.asarray(1.0 if found is None else _MIXING, dtype)
        curvature = _curvature(staged, jnp.asarray(centre, dtype), mixing)
        # A start so bad that its curvature is not finite says nothing about scale: leave coordinates as they are.
        usable = bool(np.all(np.isfinite(np.asarray(curvature))))
        chart = chart_at(jnp.asarray(centre, dtype), curvature if usable else np.eye(len(centre)))
        y = np.linalg.solve(np.asarray(chart.scale, np.float64), (z - np.asarray(chart.centre)).T).T
        found = _solve_all(Charted(staged, chart), jnp.asarray(y, dtype), solver, lanes)
        found = eqx.tree_at(lambda s: s.z, found, jax.vmap(chart)(found.z))
        z = np.asarray(found.z, np.float64)
    assert found is not None
    good = np.asarray(found.code) == RESULTS.converged
    score = np.where(good | ~good.any(), np.asarray(found.value, np.float64), np.inf)
    index = int(np.argmin(np.where(np.isfinite(score), score, np.inf)))
    return found, _polish(problem, found.z[index])


def _certify(
    problem: FitProblem,
    found: Solutions,
    best: Polished,
    identifiability: Identifiability,
    on_edge: tuple[str, ...],
    solver: Solver,
) -> Certificate:
    resolution = float(problem.resolution()) ** 2 * problem.runs.size
    value, codes = np.asarray(found.value, np.float64), np.asarray(found.code)
    share, distinct, gap = count_optima(value, codes, resolution)
    inside = np.array([name not in on_edge for name in problem.split.names()], bool)
    hessian = np.asarray(best.hessian, np.float64)[np.ix_(inside, inside)]
    gradient = np.asarray(best.gradient, np.float64)[inside]
    size = np.sqrt(np.abs(np.diag(hessian)))
    size = np.where(size > 0, size, 1.0)
    eigenvalues = np.linalg.eigvalsh(hessian / np.outer(size, size)) if inside.any() else np.ones(1)
    norm = float(np.linalg.norm(whitener(jnp.asarray(hessian, best.z.dtype)).T @ gradient))
    rtol = solver.tolerance(best.z.dtype)
    # The solver's own stopping rule: the decrease still to be had, against the value and its rounding.
    scale = float(np.sqrt(2 * (abs(float(best.value)) + resolution / rtol)))
    reached = np.isclose(
        float(best.value), np.nanmin(np.where(np.isfinite(value), value, np.inf)), rtol=1e-6, atol=resolution
    )
    any_good = bool(np.any(codes == RESULTS.converged))
    code = RESULTS.converged if any_good and reached else RESULTS(int(codes[int(np.nanargmin(value))]))
    # Beyond 1 / sqrt(eps) the squared condition of the normal equations exceeds what the precision resolves:
    # the direction is flat as far as anyone can tell.
    if code == RESULTS.converged and identifiability.condition > float(jnp.finfo(best.z.dtype).eps) ** -0.5:
        code = RESULTS.singular
    return Certificate(
        code=code,
        starts=len(value),
        finished=int(np.sum(codes == RESULTS.converged)),
        share_best=share,
        distinct=distinct,
        second_gap=gap,
        gradient_norm=norm / scale,
        tolerance=float(np.sqrt(10 * rtol)),
        smallest_eigenvalue=float(eigenvalues[0]),
        condition=float(eigenvalues[-1] / eigenvalues[0]) if eigenvalues[0] > 0 else float("inf"),
        on_edge=on_edge,
    )


def _alternatives(problem: FitProblem, found: Solutions, best: Polished, most: int = 3) -> tuple[np.ndarray, ...]:
    """Distinct converged optima other than the best, within 10 % of its value."""
    value, z = np.asarray(found.value, np.float64), np.asarray(found.z)
    order = [i for i in np.argsort(value) if int(found.code[i]) == RESULTS.converged]
    kept: list[np.ndarray] = []
    last = float(best.value)
    resolution = float(problem.resolution()) ** 2 * problem.runs.size
    for i in order:
        near = value[i] <= float(best.value) + 0.1 * abs(float(best.value))
        if near and value[i] - last > max(1e-6 * abs(last), resolution) and len(kept) < most:
            kept.append(z[i])
            last = value[i]
    return tuple(kept)
