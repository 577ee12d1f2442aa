"""The independent units of a fit: what resamples draw, and how many there are for the parameters."""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from jaxscale.core.runs import Runs
from jaxscale.infer.search.problem import FitProblem

FEW = 2.0  # units per parameter, and fewer, are few
MANY = 3.0  # units per parameter, above which sandwiches, and resamples of units of several rows, are right
FEWEST = 1.5  # units per parameter, and fewer, are too few for any resample of them
LEAST = 8  # units, whatever the parameters: quantiles of resamples know nothing of Student's t


class Units(eqx.Module):
    """The independent units that a resample draws, numbered so that those of one group are neighbours.

    - `of_row`: unit of each row (padding: the last unit; its weight is zero).
    - `first`, `size`: for every unit, where its group's units start and how many there are. Resampling within
      groups keeps every group in every draw. Spare units, of no row, come last.
    """

    of_row: Int[Array, " n"]
    first: Int[Array, " m"]
    size: Int[Array, " m"]

    @property
    def count(self) -> int:
        """How many units have rows."""
        return int(np.max(np.asarray(self.of_row))) + 1


def units(runs: Runs) -> Units:
    """Units from the runs' clusters and groups; rows of weight zero belong to none.

    There are as many as rows, the last ones spare, so that all parts of the same runs are resampled by one program.
    """
    used = np.asarray(runs.weight) > 0
    pairs = np.stack([np.asarray(runs.group), np.asarray(runs.cluster)], axis=1)
    labels, of_used = np.unique(pairs[used], axis=0, return_inverse=True)
    of_row = np.full(len(used), len(labels) - 1)
    of_row[used] = of_used.reshape(-1)
    _, first, inverse, size = np.unique(labels[:, 0], return_index=True, return_inverse=True, return_counts=True)
    spare = np.arange(len(labels), len(used))  # each a group of its own
    columns = (of_row, [*first[inverse], *spare], [*size[inverse], *np.ones_like(spare)])
    return Units(*(jnp.asarray(np.asarray(x, np.int32)) for x in columns))


class Independent(NamedTuple):
    """How much independent evidence a fit has: rows that count, the units they belong to, the law's free parameters.

    `scale`: whether the objective estimates a scale with them.
    """

    rows: int
    units: int
    parameters: int
    scale: bool

    @property
    def spare(self) -> bool:
        """Whether a fit leaves residuals of the rows."""
        return self.rows > self.parameters

    @property
    def few(self) -> bool:
        """Whether units are few for the parameters."""
        return self.units <= FEW * self.parameters

    @property
    def many(self) -> bool:
        """Whether units are so many that a sandwich is not too wide, by simulation."""
        return self.units > MANY * self.parameters

    @property
    def resampled(self) -> bool:
        """Whether resamples of units cover, by simulation (benchmarks/results/calibration.md).

        A law through as many runs as it has parameters says how far it may go; but a scale is nothing there, and
        several rows of few units are no such fit. Both need more units.
        """
        least = MANY if self.units < self.rows else FEW if self.scale else FEWEST
        return self.units >= LEAST and self.units > least * self.parameters

    def remarks(self, prior: bool = False) -> tuple[str, ...]:
        """What a reader of any interval must know, as sentences; none for many rows of one unit each.

        A `prior` makes up for few units, not for rows that are no units.
        """
        found = []
        runs = "1 independent run" if self.units == 1 else f"{self.units} independent runs"
        if self.units < self.rows:
            found.append(
                f"{self.rows} rows of {runs} carry the intervals: rows of one run share its luck, and more of them are "
                "not more runs."
            )
        if self.few and not prior:
            are = "is" if self.units == 1 else "are"
            what = "fewer than" if self.units < self.parameters else "few for"
            found.append(
                f"{runs} {are} {what} {self.parameters} parameters: intervals are wide, and how wide is uncertain too; "
                "add runs, or fix a parameter."
            )
        if self.units == self.rows == self.parameters + 1 and not prior:
            found.append(
                "With one run more than parameters nothing shows whether noise differs between small and large runs: "
                "where it did, nine times over their compute, 90 % intervals held 54 to 98 % in simulations, not 90 %."
            )
        return tuple(found)


def independent(problem: FitProblem) -> Independent:
    """Of the runs and the free parameters of a fit; an objective's own parameters do not count."""
    rows = int(np.sum(np.asarray(problem.runs.weight) > 0))
    names = problem.split.names()
    own = [name for name in names if not name.startswith("objective.")]
    return Independent(rows, units(problem.runs).count, len(own), len(own) < len(names))
