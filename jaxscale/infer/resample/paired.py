"""The bootstrap of a comparison: runs that two recipes have in common are drawn together."""

from collections import Counter
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, PRNGKeyArray

from jaxscale.core.runs import Runs, padded_size
from jaxscale.infer.resample.schemes import AbstractScheme, Pairs, Wild
from jaxscale.infer.resample.unit_noise import UnitNoise, unit_noise
from jaxscale.infer.search.problem import FitProblem, Resample
from jaxscale.infer.search.units import Units, independent
from jaxscale.objectives.objective import AbstractObjective


class Matched(AbstractScheme):
    """`Pairs` on units that were numbered elsewhere, or `Wild` where the fit has few.

    Fits of different recipes to runs of one numbering have the same draw i of it, so that their difference is paired:
    the same units, or the same multiples of their residuals.
    """

    drawn: Units
    noise: UnitNoise | None = None

    def ready(self, problem: FitProblem) -> "Matched":
        if independent(problem).resampled:
            return self
        return Matched(self.drawn, unit_noise(problem, np.asarray(self.drawn.of_row)))

    def __call__(
        self, key: PRNGKeyArray, runs: Runs, prediction: Any, drawn: Units, objective: AbstractObjective
    ) -> Resample:
        if self.noise is None:
            return Pairs()(key, runs, prediction, self.drawn, objective)
        return Wild(self.noise)(key, runs, prediction, self.drawn, objective)

    def of_rows(self, rows: Bool[np.ndarray, " n"]) -> "Matched":
        """For a fit of some of the rows, padded as `fit` pads them: the same units, whatever rows they have there."""
        kept = np.asarray(self.drawn.of_row)[rows]
        padded = np.concatenate([kept, np.full(padded_size(len(kept)) - len(kept), kept[-1])])
        return eqx.tree_at(lambda m: m.drawn.of_row, self, jnp.asarray(padded, jnp.int32))

    @property
    def name(self) -> str:
        return "matched pairs" if self.noise is None else "matched wild"


def matched(runs: Runs) -> tuple[Matched, int]:
    """The scheme for runs whose `group` is their recipe, and how many of its units hold runs of several recipes.

    Runs (clusters) of different recipes match where all their inputs agree to six digits; of repeated ones the first
    matches the first. A unit is what matches. Units are drawn within strata of the same recipes, so that every
    resample has as many of each as the runs have: with no match at all, recipes are resampled independently.

    Noise that matched runs do not share averages out of the difference; what they do share, such as what the law gets
    wrong at their size, cancels.
    """
    inputs = np.stack([np.asarray(x, np.float64) for x in runs.inputs.values()], axis=1)
    clusters: dict[tuple[int, int], list[int]] = {}
    for row in np.flatnonzero(np.asarray(runs.weight) > 0):
        clusters.setdefault((int(runs.group[row]), int(runs.cluster[row])), []).append(int(row))
    seen: Counter[tuple[int, Any]] = Counter()
    units: dict[Any, dict[int, list[int]]] = {}
    for (recipe, _), rows in clusters.items():
        design = tuple(sorted(tuple(f"{x:.5e}" for x in inputs[row]) for row in rows))
        units.setdefault((design, seen[recipe, design]), {})[recipe] = rows
        seen[recipe, design] += 1

    ordered = sorted(units.values(), key=sorted)  # neighbours are of one stratum: the same recipes
    of_row = np.full(runs.size, len(ordered) - 1)
    for number, unit in enumerate(ordered):
        for rows in unit.values():
            of_row[rows] = number
    strata = [tuple(sorted(unit)) for unit in ordered]
    size = Counter(strata)
    columns = (of_row, [strata.index(s) for s in strata], [size[s] for s in strata])
    drawn = Units(*(jnp.asarray(x, jnp.int32) for x in columns))
    return Matched(drawn), sum(len(s) > 1 for s in strata)
