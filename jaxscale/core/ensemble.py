"""Ensemble: many laws as one, with leading axes; what bootstraps, posteriors and plans share."""

from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float, Int

from jaxscale.core.errors import BadInput
from jaxscale.core.evaluate import MOST, at_many, flat_points
from jaxscale.core.law import AbstractLaw
from jaxscale.core.parametric import values
from jaxscale.core.results import RESULTS

QUANTILES = (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975)


class Ensemble(eqx.Module):
    """Laws stacked along a leading `draw` axis, with the result code of each.

    `method` names what the draws are: `bootstrap:...` refits, `nuts:...` or `bagged:...` posterior draws. `remarks`
    are what any answer made from them must repeat, such as a posterior's failed diagnostics.
    Calling it evaluates every law: `ensemble(N=1e9, D=[1e10, 1e11])` has shape (draws, 2).
    """

    law: AbstractLaw
    value: Float[Array, " draw"]
    code: Int[Array, " draw"]
    method: str = eqx.field(static=True, default="bootstrap")
    remarks: tuple[str, ...] = eqx.field(static=True, default=())

    @property
    def size(self) -> int:
        return self.code.shape[0]

    @property
    def failed(self) -> int:
        """Draws that did not converge. Summaries leave them out and say how many there are."""
        return int(np.sum(np.asarray(self.code) != RESULTS.converged))

    def ok(self) -> "Ensemble":
        """The converged draws only. Raises `BadInput` where there is none, with the reason."""
        self.check()
        keep = np.flatnonzero(np.asarray(self.code) == RESULTS.converged)
        arrays, static = eqx.partition(self, eqx.is_array)
        return eqx.combine(jax.tree.map(lambda x: x[keep], arrays), static)

    def check(self) -> None:
        """Raises `BadInput` where no draw converged: nothing can be summarised, and the commonest reason is said."""
        if self.empty:
            raise BadInput(f"{self.method}: expected draws that converged, got {self.empty}")

    @property
    def empty(self) -> str:
        """Why no draw is left, as a sentence; nothing where some are."""
        if self.failed < self.size:
            return ""
        codes, counts = np.unique(np.asarray(self.code), return_counts=True)
        return f"none of {self.size}. {RESULTS(int(codes[np.argmax(counts)])).sentence}"

    def __call__(self, **inputs: Any) -> Float[Array, "draw *points"]:
        """Every law at the given inputs, which broadcast against each other; axes of a quantity come last."""
        return at_many(self.law, inputs)

    def band(self, q: tuple[float, ...] = QUANTILES, **inputs: Any) -> Float[np.ndarray, "q *points"]:
        """Quantiles over the converged draws at the given inputs, float64.

        Points are taken a few at a time: of curves all draws of all points may be more than a machine holds.
        """
        kept = self.ok()
        points, shape = flat_points(kept.law, inputs)
        one = jax.eval_shape(lambda x: kept(**x), {name: x[:1] for name, x in points.items()})
        step = max(1, MOST // one.size)
        count = next(iter(points.values())).shape[0]
        # Blocks of one size are one program; a last one that is shorter repeats what came before.
        starts = [min(first, max(count - step, 0)) for first in range(0, count, step)]
        found = np.empty((len(q), count, *one.shape[2:]))
        for first in starts:
            block = slice(first, first + step)
            drawn = np.asarray(kept(**{name: x[block] for name, x in points.items()}), np.float64)
            found[:, block] = np.quantile(drawn, q, axis=0)
        return found.reshape(len(q), *shape, *one.shape[2:])

    def params(self) -> dict[str, np.ndarray]:
        """Draws of every parameter by name, leading axis `draw`."""
        return {name: np.asarray(value) for name, value in values(self.law).items()}

    def standard_errors(self) -> dict[str, np.ndarray]:
        """Standard deviation over the converged draws."""
        return {name: deviation(draws) for name, draws in self.ok().params().items()}

    def quantiles(self, q: tuple[float, ...] = QUANTILES) -> dict[str, dict[str, Any]]:
        """Quantiles over the converged draws: parameter -> quantile -> value."""
        return {name: quantile_table(draws, q) for name, draws in self.ok().params().items()}


def deviation(draws: np.ndarray) -> np.ndarray:
    """Standard deviation along the first axis, of draws too whose squares no float holds; infinite where one is."""
    draws = np.asarray(draws, np.float64)
    largest = np.max(np.abs(draws), axis=0)
    finite = np.isfinite(largest)
    scale = np.where(finite & (largest > 0), largest, 1.0)
    return np.where(finite, scale * np.std(np.where(np.isfinite(draws), draws, 0.0) / scale, axis=0, ddof=1), np.inf)


def quantile_table(draws: np.ndarray, q: tuple[float, ...] = QUANTILES) -> dict[str, Any]:
    """Quantiles along the first axis by their name."""
    found = np.quantile(np.asarray(draws, np.float64), q, axis=0)
    return {f"{level:g}": found[i].tolist() for i, level in enumerate(q)}


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


def draws_name(ensemble: Ensemble) -> str:
    """What its draws are called: `bootstrap refits` or `posterior draws`."""
    return "bootstrap refits" if ensemble.method.startswith("bootstrap") else "posterior draws"
