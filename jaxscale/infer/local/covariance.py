r"""Covariance of the estimates from the curvature at the optimum: the quick interval beside the bootstrap.

With H the exact Hessian of $F = \sum_i w_i \rho(u_i)$, and of unit (cluster) c the sum of scores $s_c$ and the share
$H_c$ of H that its residuals hold:

- `sandwich`: $\sum_c d_c d_c^\top$ with $d_c = (H - H_c)^{-1} s_c$, the step that leaving the unit out makes: $H^{-1}
  (\sum_c s_c s_c^\top) H^{-1}$ (Huber 1967, White 1980, Liang & Zeger 1986) corrected for leverage (HC3 of MacKinnon
  & White 1985, CR3 of Bell & McCaffrey 2002); right also where the noise model is not, for enough units;
- `hessian`: $H^{-1}$ for a likelihood, times $n / (n - p)$ where it estimates a scale without priors; for a penalty,
  which has no scale of its own, $\frac{\sum_i w_i \psi_i^2 / (n - p)}{\overline{\psi'}} H^{-1}$ (Huber 1981, section
  7.6);
- `wild`: of the first-order answer to every unit's own residuals corrected for leverage (CR2 of Bell & McCaffrey 2002),
  with degrees of freedom of its own for every parameter (`unit_noise`); for few units.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import stdtrit

from jaxscale.core.errors import BadInput
from jaxscale.core.evaluate import predict
from jaxscale.core.parametric import Declared, declared
from jaxscale.core.results import RESULTS
from jaxscale.core.supports import Positive, coordinates
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.resample.unit_noise import scatter
from jaxscale.infer.search.problem import FitProblem, Resample
from jaxscale.infer.search.units import independent, units
from jaxscale.objectives.likelihood import Likelihood

type Kind = Literal["sandwich", "hessian", "wild"]
_FARTHEST = 700.0  # e-folds: what a float64 holds
_SINGULAR = 1e-9  # of the largest eigenvalue: without such a unit the runs do not determine the parameters
type Scale = Literal["constrained", "unconstrained"]


class Covariance(NamedTuple):
    """`matrix[i, j]` belongs to `names[i]` and `names[j]`; nan where the runs do not determine a parameter.

    `estimate` is in the matrix's scale; `positive` where it is a positive number, whose interval is one of logarithms.
    `freedom[i]` is that of Student's t; infinite, for a normal distribution, where a scale is known or priors are used.
    """

    names: tuple[str, ...]
    matrix: np.ndarray
    estimate: np.ndarray
    positive: np.ndarray
    freedom: np.ndarray
    kind: Kind

    def interval(self, level: float = 0.9) -> dict[str, tuple[float, float]]:
        """Central intervals by name, by quantiles of Student's t; nan where there is no standard error."""
        if not 0 < level < 1:
            raise BadInput(f"interval: expected a level between 0 and 1, got {level:g}; a usual one is 0.9")
        reach = stdtrit(self.freedom, 0.5 + level / 2) * np.sqrt(np.diag(self.matrix))
        found = {}
        for name, centre, half, positive in zip(self.names, self.estimate, reach, self.positive, strict=True):
            # The delta method of a logarithm: its standard error is the relative one.
            away = np.array([-1, 1]) * (np.minimum(half / centre, _FARTHEST) if positive else half)
            ends = centre * np.exp(away) if positive else centre + away
            found[name] = (float(ends[0]), float(ends[1]))
        return found

    def remarks(self) -> tuple[str, ...]:
        """Which parameters have no standard error, and why, as a sentence."""
        lost = [name for name, v in zip(self.names, np.diag(self.matrix), strict=True) if not np.isfinite(v)]
        if not lost:
            return ()
        why = RESULTS.singular.sentence if len(lost) == len(self.names) else RESULTS.on_edge.sentence
        return (f"No standard error for {', '.join(lost)}. {why}",)


def covariance(fit: Fit, kind: Kind | None = None, scale: Scale = "constrained") -> Covariance:
    """Covariance of all free parameters, float64, shape (q, q).

    **Arguments:**

    - `kind`: see the module's text; by default `sandwich`, or `wild` where there are at most three units per
      parameter of the law; `hessian` where priors make up for rows, as nothing is left of these.
    - `scale`: `constrained` gives the covariance of the parameters in their own units by the delta method,
      one row per entry; `unconstrained` that of the coordinates (logarithms of positive parameters).

    Parameters on an edge of their support are held there; their own rows are nan. Where the Hessian is not
    positive definite all is nan. Raises `BadInput` for least absolute deviations, which have no curvature.
    """
    if kind not in (None, "sandwich", "hessian", "wild") or scale not in ("constrained", "unconstrained"):
        raise BadInput(
            "covariance: expected kind 'sandwich', 'hessian' or 'wild' and scale 'constrained' or 'unconstrained', "
            f"got {kind!r} and {scale!r}"
        )
    names = fit.problem.split.names()
    inside = np.array([name not in fit.certificate.on_edge for name in names], bool)
    evidence = independent(fit.problem)
    if kind is None:
        few = "wild" if evidence.spare else "hessian"
        kind = "sandwich" if evidence.many else few
    local, freedom = _unconstrained(fit, kind, inside)
    if scale == "unconstrained":
        z = np.asarray(fit.problem.split.vector(), np.float64)
        return Covariance(names, local, z, np.zeros(len(z), bool), freedom, kind)
    labels, jacobian, lost = _delta(fit.problem, inside)
    known = np.where(np.isfinite(local), local, 0.0)
    matrix = jacobian @ known @ jacobian.T
    gone = lost | ~np.isfinite(np.diag(local)[inside]).all()
    matrix[gone, :], matrix[:, gone] = np.nan, np.nan
    free = list(_free(fit.problem))
    estimate = np.concatenate([np.asarray(d.value, np.float64).reshape(-1) for d in free])
    positive = np.concatenate([np.full(d.value.size, isinstance(d.spec.support, Positive)) for d in free])
    least = np.array([freedom[row != 0].min(initial=np.inf) for row in jacobian])
    return Covariance(labels, matrix, estimate, positive, least, kind)


def standard_errors(fit: Fit, kind: Kind | None = None) -> dict[str, np.ndarray]:
    """Standard error of every free parameter by name, in the parameter's own unit and shape."""
    deviation = np.sqrt(np.diag(covariance(fit, kind).matrix))
    found, start = {}, 0
    for d in _free(fit.problem):
        size = int(np.prod(d.value.shape, dtype=int))
        found[d.name] = deviation[start : start + size].reshape(d.value.shape)
        start += size
    return found


def dispersion(fit: Fit) -> float:
    r"""What $H^{-1}$ is multiplied by, and a deviance divided by: 1 for a likelihood, estimated for a penalty.

    Raises `BadInput` where fewer than two runs per parameter lie in the curved part of the penalty.
    """
    if isinstance(fit.objective, Likelihood):
        return 1.0
    _, slope, second, weight, _ = (np.asarray(x, np.float64) for x in _scores(fit.problem))
    used, p = weight > 0, determined(fit)
    n = int(used.sum())
    curved = int(np.sum(second[used] > 0))
    if curved < min(n, 2 * p):
        raise BadInput(
            f"{fit.objective.name}: expected at least {2 * p} of {n} runs in the curved part of the penalty, got "
            f"{curved}; the curvature says nothing about the uncertainty, use `bootstrap(fit, 4000)`"
        )
    squares = np.sum(weight[used] * slope[used, 0] ** 2) / max(n - p, 1)
    return float(squares / (np.sum(weight[used] * second[used]) / np.sum(weight[used])))


def determined(fit: Fit) -> int:
    """Number of parameters that the runs determine: free and not on an edge."""
    return len(fit.problem.split.names()) - len(fit.certificate.on_edge)


def _unconstrained(fit: Fit, kind: Kind, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The covariance of all coordinates, nan on edges, and the degrees of freedom of each variance."""
    p, problem = len(inside), fit.problem
    matrix = np.full((p, p), np.nan)
    factor, evidence = dispersion(fit), independent(problem)
    hessian = fit.hessian[np.ix_(inside, inside)]
    inverse = _inverse(hessian, float(jnp.finfo(problem.runs.target.dtype).eps))
    count = evidence.rows if kind == "hessian" else evidence.units
    spare = max(count - evidence.parameters, 1)
    freedom = np.full(p, float(spare))
    if inverse is None:
        return matrix, freedom
    if kind == "hessian":
        if not isinstance(fit.objective, Likelihood):
            found = factor * inverse
        elif evidence.scale and not problem.prior:
            found = evidence.rows / spare * inverse
        else:
            found, freedom = inverse, np.full(p, np.inf)
    elif kind == "sandwich":
        steps = _left_out(problem, hessian, inside)
        found = steps.T @ steps
    else:
        of_row = np.asarray(units(problem.runs).of_row)
        about = scatter(problem, of_row)
        answer = (inverse @ np.asarray(_answer(problem), np.float64)[inside]).T
        moved = np.zeros((of_row.max() + 1, len(inverse)))
        np.add.at(moved, of_row, answer * about.own()[:, None])
        found, freedom[inside] = moved.T @ moved, about.freedom(answer)
    matrix[np.ix_(inside, inside)] = found
    return matrix, freedom


def _left_out(problem: FitProblem, hessian: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """First-order steps of the estimates without each unit, shape (units, p); nan where the rest is singular."""
    score, _, _, _, curvature = (np.asarray(x, np.float64) for x in _scores(problem))
    of_row = np.asarray(units(problem.runs).of_row)
    by_unit = np.zeros((of_row.max() + 1, int(inside.sum())))
    np.add.at(by_unit, of_row, score[:, inside])  # padding has weight, hence score, zero
    rest = np.broadcast_to(hessian, (len(by_unit), *hessian.shape)).copy()
    np.subtract.at(rest, of_row, curvature[:, inside][:, :, inside])
    size = np.sqrt(np.maximum(np.diagonal(rest, axis1=1, axis2=2), np.finfo(float).tiny))
    eigenvalues, vectors = np.linalg.eigh(rest / (size[:, :, None] * size[:, None, :]))
    held = eigenvalues.min(axis=1, initial=np.inf) > _SINGULAR * eigenvalues.max(axis=1, initial=0.0)
    across = np.einsum("cpq,cp->cq", vectors, by_unit / size)
    return np.einsum("cpq,cq->cp", vectors, across / np.where(held[:, None], eigenvalues, np.nan)) / size


def _inverse(hessian: np.ndarray, eps: float) -> np.ndarray | None:
    """The inverse of a positive definite matrix; None where rounding cannot tell it from a singular one."""
    diagonal = np.diag(hessian)
    if not np.all(np.isfinite(hessian)) or np.any(diagonal <= 0):
        return None
    size = np.sqrt(diagonal)
    eigenvalues, vectors = np.linalg.eigh(hessian / np.outer(size, size))
    if eigenvalues.size and eigenvalues[0] <= len(size) * eps * eigenvalues[-1]:
        return None
    return (vectors / eigenvalues) @ vectors.T / np.outer(size, size)


def _free(problem: FitProblem) -> Iterator[Declared]:
    return (d for d in declared(problem.template) if d.name in problem.split.free)


def _delta(problem: FitProblem, inside: np.ndarray) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Names of the constrained entries, their Jacobian by the coordinates, and which depend on an edge."""
    labels: list[str] = []
    lost: list[bool] = []
    at = 0
    for d in _free(problem):
        size = int(np.prod(coordinates(d.spec.support, d.value.shape), dtype=int))
        labels += [d.name + "".join(f"[{i}]" for i in index) for index in np.ndindex(d.value.shape)]
        edge = ~inside[at : at + size]
        lost += [bool(edge.any())] * int(d.value.size) if d.spec.support.vector else edge.tolist()
        at += size
    return tuple(labels), np.asarray(_constrain_jacobian(problem), np.float64), np.array(lost, bool)


@eqx.filter_jit
def _constrain_jacobian(problem: FitProblem) -> Float[Array, "q p"]:
    def entries(z: Array) -> Array:
        tree = problem.split.tree(z)
        parts = [d.value.reshape(-1) for d in declared(tree) if d.name in problem.split.free]
        return jnp.concatenate(parts)

    return jax.jacfwd(entries)(problem.split.vector())


@eqx.filter_jit
def _answer(problem: FitProblem) -> Float[Array, "p n"]:
    """Minus the change of the gradient by each row's residual: H^-1 times it is how estimates follow the noise."""
    z, residual = problem.split.vector(), problem.template.objective.residual
    prediction = predict(problem.template.law, problem.runs.sheltered())

    def gradient(seen: Array) -> Array:
        return jax.grad(problem.value)(z, Resample(target=residual.target(prediction, seen)))

    return -jax.jacrev(gradient)(residual(prediction, problem.runs))


@eqx.filter_jit
def _scores(problem: FitProblem) -> tuple[Array, Array, Array, Array, Array]:
    """Of every run: score (n, p), slope (n, k) and second derivative by the first output (n,) of the penalty, weight
    (n,), and the residual's share of the curvature (n, p, p)."""

    def both(z: Array) -> tuple[Array, Array]:
        u = problem.used_outputs(z)
        return u, u

    jacobian, u = jax.jacfwd(both, has_aux=True)(problem.split.vector())
    slope = jax.vmap(jax.grad(problem.penalty))(u)
    second = jax.vmap(jax.hessian(problem.penalty))(u)[:, 0, 0]
    weight = problem.weights()
    heard = weight * jnp.maximum(second, 0)  # an outlier that is not heard holds nothing
    first = jnp.sqrt(heard)[:, None] * jacobian[:, 0]
    curvature = first[:, :, None] * first[:, None, :]
    score = weight[:, None] * jnp.einsum("nk,nkp->np", slope, jacobian)
    return score, slope, second, weight, curvature
