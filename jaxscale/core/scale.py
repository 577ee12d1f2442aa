"""How big a run is: its compute, the scale that cuts are made in, and its distance from other runs in decades."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxscale.core import quantities as q
from jaxscale.core.errors import BadInput
from jaxscale.core.flops import training_flops
from jaxscale.core.law import AbstractLaw, Signature, signature
from jaxscale.core.runs import Runs, Table

type Scale = str | Callable[[Runs], Any] | None
"""A column by its name (`C` is 6ND where there is none), a function of the runs; None: see `size`."""


def scale_of(by: Scale, data: Runs | Table, runs: Runs, law: AbstractLaw) -> tuple[str, np.ndarray]:
    """The scale's name and its value for every run."""
    if by is None:
        # Compute may be a column of the table that no law takes.
        known = None if isinstance(data, Runs) else _column(data, "C", law)
        found = size(runs) if known is None else ("C", known)
        if found is None:
            raise BadInput(f"held-out: expected an input that grows, got {list(runs.inputs)}; say along what: `by=...`")
        return found
    if callable(by):
        x = np.asarray(by(runs), np.float64)
        if x.shape != (runs.size,):
            raise BadInput(f"held-out: expected `by` to give one number for each of {runs.size} runs, got {x.shape}")
        return f"by {getattr(by, '__name__', 'a function')}", x
    if by in runs.inputs:
        return by, np.asarray(runs.inputs[by], np.float64)
    found = None if isinstance(data, Runs) else _column(data, by, law)
    if found is not None:
        return by, found
    training = compute(runs.inputs) if by == "C" else None
    if training is not None:
        return training
    raise BadInput(f"held-out: expected `by` to be one of {list(runs.inputs)}, got {by!r}; map a column to {by}")


def compute(inputs: Mapping[str, Any]) -> tuple[str, np.ndarray] | None:
    """Compute by its name and its value for every run: C, or 6ND where there are N and D; None without either."""
    known = {name: np.asarray(inputs[name], np.float64) for name in ("C", "N", "D") if name in inputs}
    if "C" in known:
        return "C", known["C"]
    return ("6 N D", training_flops(known["N"], known["D"])) if {"N", "D"} <= set(known) else None


def size(runs: Runs) -> tuple[str, np.ndarray] | None:
    """How large each run is, by name and value: its compute; else the input that spans most decades; None without."""
    if (known := compute(runs.inputs)) is not None:
        return known
    used = np.asarray(runs.weight) > 0
    columns = {name: np.asarray(x, np.float64) for name, x in runs.inputs.items()}
    spans = {name: np.ptp(np.log10(x[used])) for name, x in columns.items() if used.any() and np.all(x[used] > 0)}
    widest = max(spans, key=lambda name: spans[name], default=None)
    return None if widest is None or spans[widest] == 0 else (widest, columns[widest])


def _column(data: Table, name: str, law: AbstractLaw) -> np.ndarray | None:
    """A column of the table that the law does not use; None where the table has none."""
    quantity = q.FLOPS if name == "C" else q.PURE
    try:
        found = data.runs(Signature({name: quantity}, signature(law).output))
    except BadInput:
        return None
    return np.asarray(found.inputs[name], np.float64)


def scales(inputs: Mapping[str, Any], names: Sequence[str], xp: Any = np) -> Any:
    """log10 of how large runs are in each direction, shape (..., d) for d `names` of inputs of one shape.

    Compute (6ND) and D/N stand for N and D where both are named, as laws miss along these; the others for themselves.
    `xp`: NumPy, or `jax.numpy` for traced inputs.
    """
    found = []
    if {"N", "D"} <= set(names):
        N, D = inputs["N"], inputs["D"]
        found = [xp.log10(training_flops(N, D)), xp.log10(D / N)]
        names = [name for name in names if name not in ("N", "D")]
    return xp.stack([*found, *(xp.log10(inputs[name]) for name in names)], axis=-1)


def decades_beyond(runs: Runs, points: Mapping[str, np.ndarray]) -> np.ndarray:
    """Distance of points beyond the runs' ranges, in decades, of the input (or 6ND) that is furthest out."""
    used = np.asarray(runs.weight) > 0
    known = {name: np.asarray(column, np.float64)[used] for name, column in runs.columns.items()}
    asked = {name: np.asarray(points[name], np.float64) for name in known if name in points}
    own = {name: runs.inputs[name].ndim - 1 for name in asked}  # axes of one point: of a curve all steps count
    if {"N", "D"} <= set(asked):
        known["6ND"] = training_flops(known["N"], known["D"])
        asked["6ND"] = training_flops(asked["N"], asked["D"])
    one = next(iter(asked), None)
    furthest = np.zeros(asked[one].shape[: asked[one].ndim - own[one]] if one else 0)
    for name, values in asked.items():
        if np.min(known[name]) <= 0 or np.min(values) <= 0:
            continue  # a share or a sparsity of zero has no decades
        low, high = np.log10(known[name].min()), np.log10(known[name].max())
        outside = np.maximum(np.log10(values) - high, low - np.log10(values))
        outside = outside.max(axis=tuple(range(furthest.ndim, outside.ndim)))
        furthest = np.maximum(furthest, outside)
    return furthest
