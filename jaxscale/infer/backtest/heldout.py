"""Held-out scoring by scale: fit the small runs, score the large ones, as a forecast will be judged.

Rows are held out by weight zero, so that every cut of one study shares one compiled program.
"""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from jaxscale.core.errors import BadInput
from jaxscale.core.evaluate import predicted
from jaxscale.core.law import AbstractLaw
from jaxscale.core.runs import Runs, Table
from jaxscale.core.scale import Scale, decades_beyond, scale_of
from jaxscale.infer.checks.intake import as_runs
from jaxscale.infer.fit.fit import Fit, fit
from jaxscale.objectives.objective import AbstractObjective


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
    by: Scale = None,
    **options: Any,
) -> HeldOut:
    """Fit the runs with `by` < `cut`, score those with `by` >= `cut`.

    **Arguments:**

    - `by`: name of a column; `C` is taken as 6ND where there is none but N and D are. Or a function from `Runs` to one
      number per run. Default: compute; where it is not known, the input that spans most decades.
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
    at_runs = np.asarray(predicted(fitted.law, runs), np.float64)[rows]
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
        predicted=at_runs,
        observed=np.asarray(runs.target, np.float64)[rows],
        decades=decades,
    )
