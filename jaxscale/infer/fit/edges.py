"""Parameters on an edge of their support: how to get off it again, and how often draws end there.

A parameter that went to nothing, such as a floor, takes its own derivative with it: in unconstrained coordinates every
slope along it is nothing too, and a solver that stands there sees no reason to move, whatever the runs say.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxscale.core.ensemble import Ensemble
from jaxscale.core.law import AbstractLaw
from jaxscale.core.parametric import declared
from jaxscale.core.supports import AbstractSupport
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.search.identify import EDGE
from jaxscale.infer.search.problem import FitProblem
from jaxscale.infer.search.rows import curvature
from jaxscale.infer.search.search import MIXING

_LIFT = 0.1  # of an output's unit, as a root of squares over the runs: enough to be felt, too little to matter
_MOST = 30.0  # e-folds of a lift
_WIDE = np.log(1e3)  # draws of a parameter none of which is at an edge lie within such a factor
_ONE_SIDED = 0.05  # share of draws at an edge from which an end of the 90 % interval lies there


def edge_mask(fit: Fit) -> np.ndarray:
    """Which unconstrained coordinates lie on an edge, shape (p,)."""
    return np.array([name in fit.certificate.on_edge for name in fit.problem.split.names()], bool)


def lifted(fit: Fit) -> np.ndarray:
    """The optimum, moved off every edge so far that the runs just feel it, in unconstrained coordinates (p,)."""
    z, edge = np.array(fit.problem.split.vector(), np.float64), edge_mask(fit)
    far = np.where(edge, fit.cold[0], z)  # from a cold start, which lies well off
    dtype = fit.problem.runs.target.dtype
    felt = np.diag(np.asarray(curvature(fit.problem, far, MIXING), np.float64))
    # Near an edge an e-fold towards it takes an e-fold of what the parameter does.
    shift = np.clip(np.log(_LIFT) - 0.5 * np.log(np.maximum(felt, np.finfo(dtype).tiny)), -_MOST, _MOST)
    return far + np.where(edge, np.sign(far - z) * shift, 0)


def edge_near(support: AbstractSupport, value: ArrayLike) -> np.ndarray:
    """Of every value, the edge on its side of a support of single numbers, or the value where the support is open."""
    x = np.asarray(value, np.float64)
    if support.vector:
        return x
    low, middle, high = (float(support.constrain(jnp.asarray(z, dtype=float))) for z in (-np.inf, 0, np.inf))
    end = np.where(x < middle, low, high)
    return np.where(np.isfinite(x) & np.isfinite(end), end, x)


def at_edge(fit: Fit, ensemble: Ensemble) -> dict[str, np.ndarray]:
    """Which of the converged draws lie at an edge, by name of the coordinate; those of no such draw left out.

    As for the fit itself: an e-fold of the parameter moves no prediction by what a run could tell.
    """
    if jax.tree.structure(ensemble.law) != jax.tree.structure(fit.law) or ensemble.size == ensemble.failed:
        return {}
    z = np.asarray(_coordinates(fit.problem, ensemble.ok().law), np.float64)
    found = {}
    for i, name in enumerate(fit.problem.split.names()):
        with np.errstate(invalid="ignore"):  # a draw of exactly zero lies at minus infinity
            wide = not np.ptp(z[:, i]) < _WIDE
        if not name.startswith("objective.") and (wide or name in fit.certificate.on_edge):
            along = jnp.zeros(z.shape[1], fit.problem.runs.target.dtype).at[i].set(1)
            there = np.asarray(_reach(fit.problem, jnp.asarray(z, along.dtype), along)) < EDGE
            found |= {name: there} if there.any() else {}
    return found


def params_on_edges(fit: Fit, ensemble: Ensemble) -> dict[str, np.ndarray]:
    """The converged draws of every parameter by name; what lies at an edge is put on it, however near a solver came."""
    drawn, edges = ensemble.ok().params(), at_edge(fit, ensemble)
    for d in declared(fit.law):
        for name, there in edges.items():
            if name.partition("[")[0] == d.name:
                index = (there, *map(int, name.removeprefix(d.name).strip("[]").split("]["))) if "[" in name else there
                put = drawn[d.name] = np.array(drawn[d.name])
                put[index] = edge_near(d.spec.support, put[index])
    return drawn


def edge_remarks(fit: Fit, ensemble: Ensemble | None) -> tuple[str, ...]:
    """Which intervals are one-sided, and why, as sentences."""
    there = {} if ensemble is None else at_edge(fit, ensemble)
    return tuple(
        f"One-sided: {name} lies at the edge of its support in {np.mean(mask):.1%} of the draws; its 90 % interval "
        "begins there, and only its other end says how far away it may be."
        for name, mask in there.items()
        if np.mean(mask) >= _ONE_SIDED
    )


@eqx.filter_jit
def _coordinates(problem: FitProblem, laws: AbstractLaw) -> Float[Array, "draw p"]:
    def one(law: AbstractLaw) -> Array:
        return eqx.tree_at(lambda split: split.template.law, problem.split, law).vector()

    return jax.vmap(one)(laws)


@eqx.filter_jit
def _reach(problem: FitProblem, z: Float[Array, "draw p"], along: Float[Array, " p"]) -> Float[Array, " draw"]:
    """The most that an e-fold of one coordinate moves an output of a run."""
    used = problem.runs.weight > 0

    def one(z: Array) -> Array:
        moved = jax.jvp(problem.outputs, (z,), (along,))[1]
        return jnp.max(jnp.where(used[:, None], jnp.abs(moved), 0))

    return jax.lax.map(one, z, batch_size=64)
