"""`forecast`: what the law says about runs that were not made, how sure it is, and how far out they lie."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxscale.core.errors import BadInput
from jaxscale.core.flops import training_flops
from jaxscale.core.groups import index_of
from jaxscale.core.law import AbstractLaw, signature
from jaxscale.core.results import RESULTS
from jaxscale.core.runs import Runs
from jaxscale.infer.ensemble import Ensemble, quantile_table
from jaxscale.infer.fit import Fit

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
FAR = 1.0  # decades beyond the data from which a forecast carries a warning
FARTHEST = 2.0  # decades beyond the runs that `outlook` does not forecast unless asked for


@dataclass(frozen=True)
class Forecast:
    """Predictions at m points.

    - `inputs`: by name, shape (m,).
    - `point`: the fitted law's value, shape (m,).
    - `quantiles`: of the ensemble, level -> (m,); None without an ensemble. They carry the parameters'
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
    points = points_for(fit, inputs)
    extra = [name for name in inputs if name not in points]
    said = (f"Not used: {', '.join(extra)}: no input of {type(fit.law).__name__}.",) if extra else ()
    alone = Ensemble(jax.tree.map(lambda x: x[None], fit.law), jnp.zeros(1), jnp.zeros(1, jnp.int32), "point")
    kept = None if ensemble is None else ensemble.ok()
    quantiles = None
    if kept is not None:
        table = quantile_table(np.asarray(kept(**points)), LEVELS)
        quantiles = {level: np.asarray(values) for level, values in table.items()}
    return Forecast(
        inputs=points,
        point=np.asarray(alone(**points)[0]),
        quantiles=quantiles,
        decades=decades_beyond(fit.runs, points),
        failed=0 if ensemble is None else ensemble.failed,
        doubts=(*said, *ensemble_doubts(ensemble)),
    )


def ensemble_doubts(ensemble: Ensemble | None) -> tuple[str, ...]:
    """What every answer made from `ensemble` must repeat: its remarks, and how many draws were left out."""
    if ensemble is None:
        return ()
    few = int(np.sum(np.asarray(ensemble.code) == RESULTS.too_few))
    causes = {"did not converge": ensemble.failed - few, "hold fewer distinct runs than parameters": few}
    name = draws_name(ensemble)
    left_out = [
        f"{count} of {ensemble.size} {name} {cause} and are left out of the intervals."
        for cause, count in causes.items()
        if count
    ]
    return (*ensemble.remarks, *left_out)


def no_intervals(fit: Fit) -> str:
    """Why an answer of `fit` without an ensemble has no intervals, and what to do."""
    if fit.certificate.code == RESULTS.exact:
        return "No intervals: the residuals vanish, and runs without noise say nothing about an error."
    return "No intervals: the fit holds no bootstrap; fit again with one: `bootstrap(fit, 4000)`."


def draws_name(ensemble: Ensemble) -> str:
    """What its draws are called: `bootstrap refits` or `posterior draws`."""
    return "bootstrap refits" if ensemble.method.startswith("bootstrap") else "posterior draws"


def points_for(fit: Fit, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The fitted law's inputs, checked and broadcast to (m,), groups as indices. Raises `BadInput`."""
    return points_of(fit.law, inputs, fit.groups)


def points_of(law: AbstractLaw, inputs: Mapping[str, Any], groups: Sequence[str]) -> dict[str, np.ndarray]:
    """`points_for` of a law that need not be fitted, on data of these `groups`."""
    wanted = signature(law).inputs
    missing = [name for name in wanted if name not in inputs]
    if missing:
        raise BadInput(
            f"forecast: {type(law).__name__} needs {list(wanted)}, got {list(inputs)}; give {missing} as well"
        )
    found = {}
    for name, quantity in wanted.items():
        if name == "group":
            found[name] = index_of(inputs[name], groups or getattr(law, "groups", ()))
            continue
        value = np.atleast_1d(np.asarray(inputs[name], np.float64))
        bad = ~np.isfinite(value) | quantity.refuses(value)
        if bad.any():
            from_zero = quantity.nothing or not quantity.positive
            kind = "finite" if quantity.signed else "non-negative finite" if from_zero else "positive finite"
            raise BadInput(
                f"forecast: {name} must be a {kind} number of {quantity.unit or 'units'}, "
                f"got {value[bad][0]:g}; check the unit"
            )
        found[name] = value
    return dict(zip(found, np.broadcast_arrays(*found.values()), strict=True))


def decades_beyond(runs: Runs, points: Mapping[str, np.ndarray]) -> np.ndarray:
    """Distance of points beyond the runs' ranges, in decades, of the input (or 6ND) that is furthest out."""
    used = np.asarray(runs.weight) > 0
    known = {name: np.asarray(column, np.float64)[used] for name, column in runs.inputs.items()}
    asked = {name: np.asarray(points[name], np.float64) for name in known if name in points}
    if {"N", "D"} <= set(asked):
        known["6ND"] = training_flops(known["N"], known["D"])
        asked["6ND"] = training_flops(asked["N"], asked["D"])
    furthest = np.zeros(next(iter(asked.values())).shape if asked else 0)
    for name, values in asked.items():
        if np.min(known[name]) <= 0 or np.min(values) <= 0:
            continue  # a share or a sparsity of zero has no decades
        low, high = np.log10(known[name].min()), np.log10(known[name].max())
        outside = np.maximum(np.log10(values) - high, low - np.log10(values))
        furthest = np.maximum(furthest, outside)
    return furthest


def refuse_far(decades: np.ndarray) -> None:
    """Refuse points too many `decades_beyond` the runs for what was learnt inside them. Raises `BadInput`."""
    if not decades.max() <= FARTHEST:
        raise BadInput(
            f"outlook: a point lies {decades.max():.1f} decades beyond the runs, and nothing inside them tells how "
            "a law errs that far; ask for nearer points, add larger runs, or have it answered all the same: "
            "`allow_far=True`"
        )
