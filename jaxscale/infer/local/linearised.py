r"""A fitted law near its optimum: log losses linear in the law's unconstrained coordinates, with noise run by run."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxscale.core.errors import BadInput
from jaxscale.core.law import signature
from jaxscale.core.numerics.robust import robust_scale
from jaxscale.core.parametric import declared
from jaxscale.infer.fit.fit import Fit
from jaxscale.objectives.likelihood import Likelihood, student_t
from jaxscale.objectives.noise import ConstantNoise
from jaxscale.objectives.residual import LogResidual
from jaxscale.solve.problem import Split, expand, split

_RANK = 1e-6  # of the largest singular value: directions below it are rounding, in either precision
_FINEST = 1e-6  # relative, of a noise: a law may pass through every one of a few runs
_ITERATIONS = 50  # of the scale's fixed point, whose error shrinks by half or more in each


@dataclass(frozen=True)
class Linear:
    """A law at n places, to first order in its p free parameters.

    - `inputs`: by name, shape (n,). `centre`: log of the law, (n,). `jacobian`: its derivatives, (n, p).
    """

    inputs: Mapping[str, np.ndarray]
    centre: np.ndarray
    jacobian: np.ndarray

    def take(self, rows: np.ndarray) -> "Linear":
        """At some of the places."""
        return Linear({name: x[rows] for name, x in self.inputs.items()}, self.centre[rows], self.jacobian[rows])


@dataclass(frozen=True)
class Tangent(Linear):
    """A law at the n runs it was fitted to.

    - `rows`: which of the fit's runs they are. `residual`: log observed - centre, (n,).
    - `noise`: scale of a run's. `variance`: of every run's, (n,).
    - `precision`, `pull`: minus the Hessian (p, p) and the gradient (p,) of the log prior.
    """

    rows: np.ndarray
    residual: np.ndarray
    noise: float
    variance: np.ndarray
    precision: np.ndarray
    pull: np.ndarray

    def refit(self, fitted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A fit to the runs of a mask (n,): the map from log losses to parameters (p, n), and their covariance (p, p).

        The priors' curvature holds what these runs do not determine.
        """
        weighed = self.jacobian.T * (fitted / self.variance)
        covariance = np.linalg.inv(weighed @ self.jacobian + self.precision)
        return covariance @ weighed, covariance


def tangent(fit: Fit, here: Linear | None = None) -> Tangent:
    """Of the law at its optimum, at the runs with weight; `here`: the law at all runs, where it is known already.

    The noise is that of `likelihood_of(fit)`: as given where its scale was fixed; else at its most likely scale about
    the law with a quadratic surface in the logs of its inputs added, so that what the law leaves out is not taken for
    noise. A known noise of a run is part of it. A run's variance is the one with which a Gaussian has the density's
    slope: an outlier's is larger. Raises `BadInput` on likelihoods of raw residuals or with a noise that varies.
    """
    likelihood, runs = likelihood_of(fit), fit.runs
    if not one_scale(fit):
        raise BadInput(
            f"discrepancy: expected a likelihood of log residuals with one scale, got {likelihood.name}; use "
            "student_t() or gaussian()"
        )
    rows = np.flatnonzero(np.asarray(runs.weight) > 0)
    law = (at_runs(fit) if here is None else here).take(rows)
    residual = np.log(np.asarray(runs.target, np.float64)[rows]) - law.centre
    left, freedom = _unexplained(fit, law, residual)
    known = fit.objective is likelihood and "objective.noise.sigma" not in fit.problem.split.free
    noise = float(likelihood.noise.sigma) if known else _scale(likelihood, left, freedom)
    variance = noise**2 / (_vote(likelihood, left / noise) * np.asarray(runs.weight, np.float64)[rows])
    pull, hessian = (np.asarray(x, np.float64) for x in _prior(free_of(fit)))
    return Tangent(
        **vars(law), rows=rows, residual=residual, noise=noise, variance=variance, precision=-hessian, pull=pull
    )


def one_scale(fit: Fit) -> bool:
    """Whether the fit's likelihood is one of log residuals with one scale."""
    likelihood = likelihood_of(fit)
    return isinstance(likelihood.residual, LogResidual) and isinstance(likelihood.noise, ConstantNoise)


def at_runs(fit: Fit) -> Linear:
    """The fitted law at all of its runs, those without weight too."""
    return linear(fit, {name: np.asarray(x) for name, x in {**fit.runs.inputs, "group": fit.runs.group}.items()})


def linear(fit: Fit, inputs: Mapping[str, np.ndarray]) -> Linear:
    """The fitted law at `inputs`, shape (n,) each, groups as indices."""
    dtype = fit.runs.target.dtype
    n = len(next(iter(inputs.values())))
    # As many rows as the fit has: a few points share the program of its runs.
    rows = np.minimum(np.arange(max(n, fit.problem.runs.size)), n - 1)
    asked = {
        name: jnp.asarray(np.asarray(inputs[name])[rows], None if name == "group" else dtype)
        for name in signature(fit.law).inputs
    }
    centre, jacobian = (np.asarray(x, np.float64)[:n] for x in _logs(free_of(fit), asked))
    return Linear(inputs, centre, jacobian)


def likelihood_of(fit: Fit) -> Likelihood:
    """How runs scatter about a law: its objective, or Student's t where that is a penalty."""
    return fit.objective if isinstance(fit.objective, Likelihood) else student_t()


def free_of(fit: Fit) -> Split:
    """The law's free parameters as coordinates; those of the objective are not among them."""
    held = tuple(d.name for d in declared(fit.law) if d.name not in fit.problem.split.free)
    return replace(split(fit.law, held), size=fit.problem.split.size)


def _unexplained(fit: Fit, law: Linear, residual: np.ndarray) -> tuple[np.ndarray, int]:
    """What the law and a smooth surface leave of the residuals, and how many degrees of freedom are left.

    Of few runs they would leave next to nothing: then the law alone, or none, is taken off.
    """
    scaled = [np.asarray(law.inputs[k], np.float64) for k, q in signature(fit.law).inputs.items() if q.positive]
    logs = [np.log(x) for x in scaled if np.all(x > 0)]
    flat = [(x - x.mean()) / (x.std() or 1.0) for x in logs]
    bends = [a * b for i, a in enumerate(flat) for b in flat[i:]]
    size = np.linalg.norm(law.jacobian, axis=0)
    own = law.jacobian / np.where(size > 0, size, 1.0)
    n = len(residual)
    columns = next(c for c in (np.column_stack([own, *flat, *bends]), own, own[:, :0]) if n >= 2 * c.shape[1])
    surface, _, rank, _ = np.linalg.lstsq(columns, residual, rcond=_RANK)
    return residual - columns @ surface, n - int(rank)


def _scale(likelihood: Likelihood, left: np.ndarray, freedom: int) -> float:
    """The density's most likely scale."""
    scale = max(float(robust_scale(left)), _FINEST)
    for _ in range(_ITERATIONS):
        scale = max(float(np.sqrt(np.sum(_vote(likelihood, left / scale) * left**2) / freedom)), _FINEST)
    return scale


def _vote(likelihood: Likelihood, t: np.ndarray) -> np.ndarray:
    weight: Any = likelihood.density.weight  # of NumPy's numbers as of JAX's
    return np.asarray(weight(t), np.float64)


@eqx.filter_jit
def _logs(law: Split, inputs: dict[str, Any]) -> tuple[Array, Array]:
    def logs(z: Array) -> tuple[Array, Array]:
        here = law.tree(z)
        found = jnp.log(jax.vmap(lambda at: here(**at))(inputs))
        return found, found

    jacobian, centre = jax.jacfwd(logs, has_aux=True)(law.vector())
    return centre, jacobian


@eqx.filter_jit
def _prior(law: Split) -> tuple[Array, Array]:
    at = expand(law.log_density, law.vector())
    return at.gradient, at.curvature
