"""Whether runs of a realistic design give a law its parameters back: what noise leaves of each, and a fit from afar."""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxscale.core.evaluate import arguments, predict
from jaxscale.core.law import AbstractLaw, signature
from jaxscale.core.parametric import constrain, declared, replace, unconstrain, values
from jaxscale.core.runs import Runs
from jaxscale.core.supports import Real
from jaxscale.infer.fit.fit import Fit, fit
from jaxscale.objectives.penalty import log_huber, raw_huber
from jaxscale.testing.bijection import round_trip
from jaxscale.testing.draws import coordinates, inputs_at, points
from jaxscale.testing.rounding import evaluated

RUNS = 60
NOISE = 0.003
_ASTRAY = 0.5  # in unconstrained coordinates: a factor of 1.65 for a positive parameter
_GRADES = ((0.1, "to 10 %"), (np.log(2.0), "to a factor of 2"), (np.inf, "open"))


def realistic(law: AbstractLaw, n: int = RUNS) -> Runs:
    """n noise-free runs of `law`, spread over its domain, or else over the usual range of each input."""
    runs = _design(law, n)
    return eqx.tree_at(lambda r: r.target, runs, predict(law, runs))


def _design(law: AbstractLaw, n: int) -> Runs:
    wanted = signature(law)
    usual = {name: quantity.usual for name, quantity in wanted.inputs.items()}
    return Runs.of(inputs_at(law, points(n, coordinates(law)), usual), np.ones((n, *[1] * len(wanted.output.axes))))


def uncertainty(law: AbstractLaw, n: int = RUNS, noise: float = NOISE) -> dict[str, float]:
    """Standard deviation of each estimated parameter, relative to its value, from n runs whose outputs carry `noise`.

    The Cramer-Rao bound for Gaussian noise, relative to the output. Needs `jax_enable_x64`. Vectors give their worst.
    """
    runs = _design(law, n)
    laws = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (n, *leaf.shape)), law)
    y, (slopes, _), _ = evaluated(laws, arguments(law, runs.inputs, runs.group))
    found = [d for d in declared(law) if d.spec.estimated]
    blocks = [
        values(slopes)[d.name].reshape(n, -1) @ round_trip(d.spec.support, d.value[None]).jacobian[0] / y[:, None]
        for d in found
    ]
    jacobian = np.concatenate(blocks, axis=1)
    # Unit columns: scales that differ by decades would look like a ridge.
    length = np.linalg.norm(jacobian, axis=0)
    with np.errstate(divide="ignore", over="ignore"):
        _, singular, vectors = np.linalg.svd(jacobian / np.where(length > 0, length, 1.0), full_matrices=False)
        sd = noise * np.sqrt(np.sum((vectors / singular[:, None]) ** 2, axis=0)) / length
    ends = np.cumsum([block.shape[1] for block in blocks])
    worst = {}
    for d, block in zip(found, np.split(sd, ends[:-1]), strict=True):
        size = np.abs(np.asarray(d.value).reshape(-1)) if isinstance(d.spec.support, Real) else 1.0
        worst[d.name] = float(np.max(block / size))
    return worst


def verdict(law_class: type[AbstractLaw]) -> str:
    """The sentence on identifiability that stands in the docstring of every law of the package."""
    sd = uncertainty(law_class())
    grade = {
        name: next(words for limit, words in _GRADES if value < limit or limit == np.inf) for name, value in sd.items()
    }
    said = [
        f"{words}: {', '.join(name for name in sd if grade[name] == words)}"
        for _, words in _GRADES
        if words in grade.values()
    ]
    return f"Identifiability ({RUNS} runs over the domain, {100 * NOISE:g} % noise): {'; '.join(said)}."


@dataclass(frozen=True)
class Recovery:
    """`error` is the relative error of each estimated parameter; rounding explains errors up to `bound`."""

    fit: Fit
    error: dict[str, float]
    bound: float


def recover(truth: AbstractLaw, n: int = RUNS) -> Recovery:
    """Fit noise-free runs of `truth` from elsewhere. Nothing of the truth reaches the solver but the runs."""
    z = unconstrain(truth)
    astray = constrain(replace(z, {d.name: d.value + _ASTRAY for d in declared(z) if d.spec.estimated}))
    fitted = fit(astray, realistic(truth, n), log_huber() if signature(truth).output.positive else raw_huber())
    true = values(truth)
    error = {
        d.name: float(np.max(np.abs(np.asarray(fitted.params[d.name]) / np.asarray(true[d.name]) - 1)))
        for d in declared(truth)
        if d.spec.estimated
    }
    eps = float(jnp.finfo(jax.dtypes.canonicalize_dtype(float)).eps)
    return Recovery(fitted, error, 16 * eps * fitted.identifiability.condition)
