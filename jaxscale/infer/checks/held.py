"""Parameters held at a value: whether the law can be evaluated there, and what the runs say against it."""

from collections.abc import Iterable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxscale.core.errors import BadInput
from jaxscale.core.evaluate import predict
from jaxscale.core.law import AbstractLaw
from jaxscale.core.parametric import declared, replace, values
from jaxscale.core.runs import Runs, named_runs
from jaxscale.infer.checks.limit import limit

_MOVED = 1.01  # times a held value: far enough that a limit which rests on it moves


def check_edges(law: AbstractLaw, runs: Runs, held: Iterable[str]) -> None:
    """Raises `BadInput` where a held value lies on the edge of its support and the law has no derivatives there.

    Zero of a floor is a law without it. Zero of a parameter that is divided by, or whose logarithm is taken, is not.
    """
    names = set(held)
    edges = [d for d in declared(law) if d.name in names and not bool(jnp.all(d.spec.support.contains(d.value)))]
    if not edges:
        return
    found, slopes = _with_slopes(law, runs.sheltered())
    own = [np.asarray(x) for name, x in slopes.items() if name not in names]
    if all(np.isfinite(x).all() for x in (np.asarray(found), *own)):
        return
    told = ", ".join(f"{d.name} = {_told(d.value)}" for d in edges)
    raise BadInput(
        f"fixed: {type(law).__name__} or its derivatives are not finite at {told}, on the edge of the support; fix a "
        "small number instead, or use a law without it"
    )


def against(law: AbstractLaw, runs: Runs, held: Iterable[str], rows: np.ndarray | None) -> tuple[str, ...]:
    """Held values for which no run, however large, has a loss as low as some of the runs do, as sentences."""
    names = set(held)
    fixed = [d for d in declared(law) if d.name in names]
    if not fixed:
        return ()
    floor, observed = limit(law, runs), np.asarray(runs.target, np.float64)
    rounding = 8 * float(jnp.finfo(runs.target.dtype).eps) * np.abs(observed)
    below = (np.asarray(runs.weight) > 0) & (observed < floor - rounding)  # a limit that is no number says nothing
    if not below.any():
        return ()
    moved = [d for d in fixed if np.any(limit(replace(law, {d.name: _MOVED * d.value}), runs)[below] != floor[below])]
    if not moved:
        return ()
    least = int(np.argmin(np.where(below, observed, np.inf)))
    told = ", ".join(f"{d.name} = {_told(d.value)}" for d in moved)
    return (
        f"Fixed {told}: under it no run, however large, has a loss below {floor[least]:.4g}, and {below.sum()} of the "
        f"runs {'has' if below.sum() == 1 else 'have'} one: the least is {observed[least]:.4g}, in "
        f"{named_runs((least,), rows)}. Check the value, or leave it free.",
    )


def _told(value: Array) -> str:
    return ", ".join(f"{x:.4g}" for x in np.asarray(value, np.float64).reshape(-1))


@eqx.filter_jit
def _with_slopes(law: AbstractLaw, runs: Runs) -> tuple[Array, dict[str, Array]]:
    def at(given: dict[str, Array]) -> tuple[Array, Array]:
        found = predict(replace(law, given), runs)
        return found, found

    slopes, found = jax.jacfwd(at, has_aux=True)(values(law))
    return found, slopes
