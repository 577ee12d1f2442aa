r"""Covariance of the estimates from the curvature at the optimum: the quick interval beside the bootstrap.

With H the exact Hessian of $F = \sum_i w_i \rho(u_i)$ and $s_c$ the sum of the runs' scores in cluster c:

- `sandwich`: $H^{-1} (\sum_c s_c s_c^\top) H^{-1}$ (Huber 1967, White 1980, Liang & Zeger 1986; no small-sample
  factor), right also where the noise model is not, for many clusters;
- `hessian`: $H^{-1}$ for a likelihood; for a penalty, which has no scale of its own,
  $\frac{\sum_i w_i \psi_i^2 / (n - p)}{\overline{\psi'}} H^{-1}$ (Huber 1981, section 7.6).
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxscale.core.errors import BadInput
from jaxscale.core.parametric import Declared, declared
from jaxscale.core.results import RESULTS
from jaxscale.core.supports import coordinates
from jaxscale.infer.fit import Fit
from jaxscale.infer.problem import FitProblem
from jaxscale.infer.resample import units
from jaxscale.objectives.likelihood import Likelihood

type Kind = Literal["sandwich", "hessian"]
type Scale = Literal["constrained", "unconstrained"]


class Covariance(NamedTuple):
    """`matrix[i, j]` belongs to `names[i]` and `names[j]`; nan where the runs do not determine a parameter."""

    names: tuple[str, ...]
    matrix: np.ndarray

    def remarks(self) -> tuple[str, ...]:
        """Which parameters have no standard error, and why, as a sentence."""
        lost = [name for name, v in zip(self.names, np.diag(self.matrix), strict=True) if not np.isfinite(v)]
        if not lost:
            return ()
        why = RESULTS.singular.sentence if len(lost) == len(self.names) else RESULTS.on_edge.sentence
        return (f"No standard error for {', '.join(lost)}. {why}",)


def covariance(fit: Fit, kind: Kind = "sandwich", scale: Scale = "constrained") -> Covariance:
    """Covariance of all free parameters, float64, shape (q, q).

    **Arguments:**

    - `kind`: see the module's text.
    - `scale`: `constrained` gives the covariance of the parameters in their own units by the delta method,
      one row per entry; `unconstrained` that of the coordinates (logarithms of positive parameters).

    Parameters on an edge of their support are held there; their own rows are nan. Where the Hessian is not
    positive definite all is nan. Raises `BadInput` for least absolute deviations, which have no curvature.
    """
    if kind not in ("sandwich", "hessian") or scale not in ("constrained", "unconstrained"):
        raise BadInput(
            "covariance: expected kind 'sandwich' or 'hessian' and scale 'constrained' or 'unconstrained', "
            f"got {kind!r} and {scale!r}"
        )
    names = fit.problem.split.names()
    inside = np.array([name not in fit.certificate.on_edge for name in names], bool)
    local = _unconstrained(fit, kind, inside)
    if scale == "unconstrained":
        return Covariance(names, local)
    labels, jacobian, lost = _delta(fit.problem, inside)
    known = np.where(np.isfinite(local), local, 0.0)
    matrix = jacobian @ known @ jacobian.T
    gone = lost | ~np.isfinite(np.diag(local)[inside]).all()
    matrix[gone, :], matrix[:, gone] = np.nan, np.nan
    return Covariance(labels, matrix)


def standard_errors(fit: Fit, kind: Kind = "sandwich") -> dict[str, np.ndarray]:
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
    _, slope, second, weight = (np.asarray(x, np.float64) for x in _scores(fit.problem))
    used, p = weight > 0, determined(fit)
    n = int(used.sum())
    curved = int(np.sum(second[used] > 0))
    if curved < min(n, 2 * p):
        raise BadInput(
            f"{fit.objective.name}: expected at least {2 * p} of {n} runs in the curved part of the penalty, got "
            f"{curved}; the curvature says nothing about the uncertainty, use bootstrap(...)"
        )
    squares = np.sum(weight[used] * slope[used, 0] ** 2) / max(n - p, 1)
    return float(squares / (np.sum(weight[used] * second[used]) / np.sum(weight[used])))


def determined(fit: Fit) -> int:
    """Number of parameters that the runs determine: free and not on an edge."""
    return len(fit.problem.split.names()) - len(fit.certificate.on_edge)


def _unconstrained(fit: Fit, kind: Kind, inside: np.ndarray) -> np.ndarray:
    p = len(inside)
    matrix = np.full((p, p), np.nan)
    factor = dispersion(fit)
    inverse = _inverse(fit.hessian[np.ix_(inside, inside)], float(jnp.finfo(fit.problem.runs.target.dtype).eps))
    if inverse is None:
        return matrix
    if kind == "hessian":
        found = factor * inverse
    else:
        score = np.asarray(_scores(fit.problem)[0], np.float64)[:, inside]
        of_row = np.asarray(units(fit.problem.runs).of_row)
        by_cluster = np.zeros((of_row.max() + 1, score.shape[1]))
        np.add.at(by_cluster, of_row, score)  # padding has weight, hence score, zero
        found = inverse @ (by_cluster.T @ by_cluster) @ inverse
    matrix[np.ix_(inside, inside)] = found
    return matrix


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
def _scores(problem: FitProblem) -> tuple[Array, Array, Array, Array]:
    """Every run's score (n, p), penalty slope (n, k), second derivative by the first output (n,), and weight (n,)."""

    def both(z: Array) -> tuple[Array, Array]:
        u = problem.used_outputs(z)
        return u, u

    jacobian, u = jax.jacfwd(both, has_aux=True)(problem.split.vector())
    slope = jax.vmap(jax.grad(problem.penalty))(u)
    second = jax.vmap(jax.hessian(problem.penalty))(u)[:, 0, 0]
    weight = problem.weights()
    return weight[:, None] * jnp.einsum("nk,nkp->np", slope, jacobian), slope, second, weight
