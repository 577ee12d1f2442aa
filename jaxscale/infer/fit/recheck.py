"""A certificate against its own fit: what it says of the optimum, computed again from parameters, runs and Hessian."""

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array

from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.search.problem import FitProblem
from jaxscale.infer.search.search import gradient_scale, rtol_of
from jaxscale.objectives.likelihood import Likelihood
from jaxscale.solve.chart import unit_diagonal

_SLACK = 100.0  # times the tolerance: machines and compilers differ in rounding, no optimum is off by so much
_ROUNDING = 1e-6  # of an eigenvalue of a matrix of unit diagonal


def contradiction(fit: Fit) -> str | None:
    """What a certified fit says and its numbers do not, as "expected ..., got ..."; None where they agree.

    One small program: value and gradient at the fitted parameters.
    """
    c = fit.certificate
    if not c.certified:
        return None
    inside = np.array([name not in c.on_edge for name in fit.problem.split.names()], bool)
    hessian = fit.hessian[np.ix_(inside, inside)]
    scaled, size = unit_diagonal(np, hessian)
    eigenvalues, vectors = np.linalg.eigh(scaled)
    if inside.any() and not abs(eigenvalues[0] - c.smallest_eigenvalue) <= _ROUNDING:
        return (
            f"expected a Hessian with the smallest eigenvalue {c.smallest_eigenvalue:.3g} of the certificate, got one "
            f"with {eigenvalues[0]:.3g}"
        )
    value, gradient, reported, resolution = (np.asarray(x, np.float64) for x in _looked_at(fit.problem))
    floor, rtol = float(resolution) ** 2 * fit.problem.runs.size, rtol_of(c.tolerance)
    whitened = vectors.T @ (gradient[inside] / size) / np.sqrt(np.maximum(eigenvalues, _ROUNDING**2))
    norm = float(np.linalg.norm(whitened)) / float(gradient_scale(np, value, floor, rtol))
    if not norm <= _SLACK * c.tolerance:
        return f"expected an optimum, as the certificate says, got a gradient of {norm:.1e} at its parameters"
    # Outputs are known to their resolution, and a likelihood is a sum of terms of either sign.
    terms = fit.problem.runs.size if isinstance(fit.objective, Likelihood) else 0
    with np.errstate(divide="ignore"):
        share = np.sqrt(np.finfo(fit.problem.runs.target.dtype).eps) + 10 * np.sqrt(floor / np.abs(value))
    if abs(reported - fit.value) <= share * (abs(fit.value) + terms):
        return None
    return f"expected the objective {fit.value:.6g} as saved, got {float(reported):.6g} at its parameters"


@eqx.filter_jit
def _looked_at(problem: FitProblem) -> tuple[Array, Array, Array, Array]:
    z = problem.split.vector()
    return (*jax.value_and_grad(problem.value)(z), problem.reported(z), problem.resolution())
