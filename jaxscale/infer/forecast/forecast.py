"""`forecast`: what the law says about runs that were not made, how sure it is, and how far out they lie."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from jaxscale.core.ensemble import Ensemble, ensemble_doubts
from jaxscale.core.evaluate import at_points
from jaxscale.core.results import RESULTS
from jaxscale.core.scale import decades_beyond
from jaxscale.infer.fit.fit import Fit

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
FAR = 1.0  # decades beyond the data from which a forecast carries a warning


@dataclass(frozen=True)
class Forecast:
    """Predictions at m points.

    - `inputs`: by name, shape (m, *axes).
    - `point`: the fitted law's value, shape (m, *axes).
    - `quantiles`: of the ensemble, level -> (m, *axes); None without an ensemble. They carry the parameters'
      uncertainty only, not the noise of a run and not the doubt about the law's form.
    - `decades`: how far each point lies beyond the fitted runs, in powers of ten of the input that is
      furthest out (compute included where there are N and D); 0 inside.
    - `doubts`: what the ensemble says against its own draws, such as a posterior's failed diagnostics.
    """

    inputs: Mapping[str, np.ndarray]
    point: np.ndarray
    quantiles: Mapping[str, np.ndarray] | None
    decades: np.ndarray
    failed: int
    doubts: tuple[str, ...] = ()

    def flattened(self) -> "Forecast":
        """One point for every number that is predicted: of a curve, one per step."""
        if self.point.ndim == self.decades.ndim:
            return self
        each = self.point.size // self.decades.size
        inputs = {
            name: x.reshape(-1) if x.shape == self.point.shape else np.repeat(x, each, axis=0)
            for name, x in self.inputs.items()
        }
        quantiles = None if self.quantiles is None else {q: x.reshape(-1) for q, x in self.quantiles.items()}
        point, decades = self.point.reshape(-1), np.repeat(self.decades, each)
        return replace(self, inputs=inputs, point=point, quantiles=quantiles, decades=decades)

    def remarks(self) -> tuple[str, ...]:
        """Warnings, as sentences."""
        found = []
        if self.decades.size and self.decades.max() > FAR:
            found.append(
                f"Extrapolation: the furthest point lies {self.decades.max():.1f} decades beyond the fitted runs; the "
                "intervals hold the parameters' uncertainty under this law only, and cover less the further out."
            )
        return (*found, *self.doubts)


def forecast(fit: Fit, inputs: Mapping[str, Any], ensemble: Ensemble | None = None) -> Forecast:
    """Predict at `inputs` (which broadcast; `group` is an index or a label for joint laws).

    Raises `BadInput` on a missing or non-positive input.
    """
    points = fit.points(inputs)
    extra = [name for name in inputs if name not in points]
    said = (f"Not used: {', '.join(extra)}: no input of {type(fit.law).__name__}.",) if extra else ()
    kept = None if ensemble is None else ensemble.ok()
    quantiles = None
    if kept is not None:
        quantiles = {f"{level:g}": band for level, band in zip(LEVELS, kept.band(LEVELS, **points), strict=True)}
    return Forecast(
        inputs=points,
        point=at_points(fit.law, points),
        quantiles=quantiles,
        decades=decades_beyond(fit.runs, points),
        failed=0 if ensemble is None else ensemble.failed,
        doubts=(*said, *ensemble_doubts(ensemble)),
    )


def no_intervals(fit: Fit) -> str:
    """Why an answer of `fit` without an ensemble has no intervals, and what to do."""
    if fit.certificate.code == RESULTS.exact:
        return "No intervals: the residuals vanish, and runs without noise say nothing about an error."
    return "No intervals: the fit holds no bootstrap; fit again with one: `bootstrap(fit, 4000)`."
