"""Held-out scoring by scale: fit the small runs, score the large ones, as a forecast will be judged.

Rows are held out by weight zero, so that every cut of one study shares one compiled program.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxscale.core import quantities as q
from jaxscale.core.errors import BadInput
from jaxscale.core.flops import training_flops
from jaxscale.core.law import AbstractLaw, Signature, signature
from jaxscale.core.runs import Runs, Table, predict
from jaxscale.infer.fit import Fit, fit
from jaxscale.infer.forecast import decades_beyond
from jaxscale.infer.intake import as_runs
from jaxscale.objectives.objective import AbstractObjective

type Scale = str | Callable[[Runs], Any]


@dataclass(frozen=True)
class HeldOut:
    """A fit below a cut, and its errors on the m runs at or above it.

    - `fit`: to the runs below; the others are in it with weight zero.
    - `scale`: what was cut, in words (`C`, or `6 N D` where there is no column C).
    - `rows`: indices of the held-out runs; `predicted`, `observed`: shape (m,), in the law's unit.
    - `decades`: how far each lies beyond the largest fitted run, in powers of ten of `scale`; where the
      scale is a function, of the input that is furthest out.
    """

    fit: Fit
    scale: str
    cut: float
    trained: int
    rows: np.ndarray
    predicted: np.ndarray
    observed: np.ndarray
    decades: np.ndarray

    @property
    def error(self) -> np.ndarray:
        """Signed relative error of every held-out run: predicted / observed - 1."""
        return self.predicted / self.observed - 1

    @property
    def mean(self) -> float:
        """Mean absolute relative error."""
        return float(np.mean(np.abs(self.error)))

    @property
    def max(self) -> float:
        """Largest absolute relative error."""
        return float(np.max(np.abs(self.error)))

    @property
    def rmse_log(self) -> float:
        """Root mean square of log predicted - log observed."""
        return float(np.sqrt(np.mean(np.log(self.predicted / self.observed) ** 2)))

    def __str__(self) -> str:
        return (
            f"{self.trained} runs of {self.scale} < {self.cut:.3g} fitted, {len(self.rows)} held out up to "
            f"{self.decades.max():.1f} decades further: error mean {self.mean:.2%}, max {self.max:.2%}"
        )


def held_out(
    law: AbstractLaw,
    data: Runs | Table,
    objective: AbstractObjective | None = None,
    *,
    cut: float,
    by: Scale = "C",
    **options: Any,
) -> HeldOut:
    """Fit the runs with `by` < `cut`, score those with `by` >= `cut`.

    **Arguments:**

    - `by`: name of a column; `C` is taken as 6ND where there is none but N and D are. Or a function from
      `Runs` to one number per run.
    - `options`: those of `fit`.

    Several laws at several cuts: `crossvalidate`. Raises `BadInput` where a side of the cut is too small, or on an
    unknown column.
    """
    runs = as_runs(data, law)
    scale, x = scale_of(by, data, runs, law)
    used = np.asarray(runs.weight) > 0
    below, above = used & (x < cut), used & (x >= cut)
    if not above.any() or not below.any():
        raise BadInput(
            f"held-out: expected runs on both sides of {scale} = {cut:.4g}, got {below.sum()} below and {above.sum()} "
            f"from it up; choose a cut between {x[used].min():.4g} and {x[used].max():.4g}"
        )
    keep = jnp.asarray(below)
    fitted = fit(law, eqx.tree_at(lambda r: r.weight, runs, jnp.where(keep, runs.weight, 0)), objective, **options)
    rows = np.flatnonzero(above)
    predicted = np.asarray(_predicted(fitted.law, runs), np.float64)[rows]
    if scale.startswith("by "):
        points = {name: np.asarray(column, np.float64)[rows] for name, column in runs.inputs.items()}
        decades = decades_beyond(fitted.runs, points)
    else:
        decades = np.log10(x[rows] / x[below].max())
    return HeldOut(
        fit=fitted,
        scale=scale,
        cut=float(cut),
        trained=int(below.sum()),
        rows=rows,
        predicted=predicted,
        observed=np.asarray(runs.target, np.float64)[rows],
        decades=decades,
    )


@eqx.filter_jit
def _predicted(law: AbstractLaw, runs: Runs) -> jax.Array:
    return predict(law, runs)


def scale_of(by: Scale, data: Runs | Table, runs: Runs, law: AbstractLaw) -> tuple[str, np.ndarray]:
    """The scale's name and its value for every run."""
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
    training = compute(runs) if by == "C" else None
    if training is not None:
        return training
    raise BadInput(f"held-out: expected `by` to be one of {list(runs.inputs)}, got {by!r}; map a column to {by}")


def compute(runs: Runs) -> tuple[str, np.ndarray] | None:
    """Compute by its name and its value for every run: C, or 6ND where there are N and D; None without either."""
    inputs = {name: np.asarray(runs.inputs[name], np.float64) for name in ("C", "N", "D") if name in runs.inputs}
    if "C" in inputs:
        return "C", inputs["C"]
    return ("6 N D", training_flops(inputs["N"], inputs["D"])) if {"N", "D"} <= set(inputs) else None


def _column(data: Table, name: str, law: AbstractLaw) -> np.ndarray | None:
    """A column of the table that the law does not use; None where the table has none."""
    quantity = q.FLOPS if name == "C" else q.PURE
    try:
        found = data.runs(Signature({name: quantity}, signature(law).output))
    except BadInput:
        return None
    return np.asarray(found.inputs[name], np.float64)
