"""Three ways from measured runs to the best run of a compute budget, without a law.

Each method, bound to the runs, maps their log losses and weights to optima, so that resamples reuse what depends on the
design alone. Host arithmetic in float64.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import numpy as np

from jaxscale.core.errors import BadInput
from jaxscale.core.ranges import FRACTION, check_fields, many

_FINE = 25  # interpolated points per step between two sizes: a minimum is resolved to a twenty-fifth of a step
_SIZES = 3  # a budget with fewer has no curvature
_NO_OPTIMUM = "no optimum lies in its range of sizes; add runs of other sizes there"


class Measured(NamedTuple):
    """The runs that count: logarithms of C, N, D and the loss, the unit of resampling, the sd of the loss."""

    log_C: np.ndarray
    log_N: np.ndarray
    log_D: np.ndarray
    log_loss: np.ndarray
    weight: np.ndarray
    cluster: np.ndarray
    noise: np.ndarray


class Optima(NamedTuple):
    """Best runs by budget, as logarithms; nan where a budget was discarded. `notes` say why."""

    log_C: np.ndarray
    log_N: np.ndarray
    log_D: np.ndarray
    log_loss: np.ndarray
    notes: tuple[str, ...] = ()


type Estimate = Callable[[np.ndarray, np.ndarray], Optima]


@dataclass(frozen=True)
class Envelope:
    """Approach 1 of Hoffmann et al. 2022: of every bin of compute, even in its logarithm, the run of least loss.

    Meant for training curves, many rows to a run (the paper has 1500 bins). With final losses only, take so few bins
    that each holds several sizes: the best of one is no optimum.
    """

    bins: Annotated[int, many(2, like="20")] = 20
    name = "envelope"
    weighs = False  # what a run's weight is, beyond zero

    def __post_init__(self) -> None:
        check_fields(self)

    def bound(self, runs: Measured) -> Estimate:
        edges = np.linspace(runs.log_C.min(), runs.log_C.max(), self.bins + 1)
        of_row = np.clip(np.searchsorted(edges, runs.log_C, side="right") - 1, 0, self.bins - 1)

        def estimate(log_loss: np.ndarray, weight: np.ndarray) -> Optima:
            used = np.flatnonzero(weight > 0)
            order = used[np.lexsort((log_loss[used], of_row[used]))]
            first = np.unique(of_row[order], return_index=True)[1]
            smallest, largest = (extreme.reduceat(runs.log_N[order], first) for extreme in (np.minimum, np.maximum))
            alone, notes = int(np.sum(smallest == largest)), ()
            if 2 * alone > len(first):
                notes = (
                    f"{alone} of {len(first)} filled bins hold one size only, whose least loss is no optimum over "
                    "sizes; give fewer bins, or use Hull().",
                )
            return _rows(runs, order[first], log_loss, notes)

        return estimate


@dataclass(frozen=True)
class Hull:
    """Approach 1 of McLeish et al. 2025: the corners of the lower convex hull of log loss over log C.

    Their vantage point at (2 max C, 2 max L) only closes the hull from above. The corners kept are those at which the
    loss still falls, from the cheapest run to the best one. The fewest runs decide: look at the number of points.
    """

    name = "hull"
    weighs = False

    def bound(self, runs: Measured) -> Estimate:
        def estimate(log_loss: np.ndarray, weight: np.ndarray) -> Optima:
            used = np.flatnonzero(weight > 0)
            order = used[np.lexsort((log_loss[used], runs.log_C[used]))]
            # Only a run better than every cheaper one can be a corner at which the loss falls.
            best_before = np.minimum.accumulate(log_loss[order])[:-1]
            order = order[log_loss[order] < np.concatenate([[np.inf], best_before])]
            x, y = runs.log_C[order], log_loss[order]
            corners: list[int] = []
            for i in range(len(order)):
                while len(corners) > 1 and not _turns_left(x, y, corners[-2], corners[-1], i):
                    corners.pop()
                corners.append(i)
            return _rows(runs, order[corners], log_loss)

        return estimate


@dataclass(frozen=True)
class IsoFlop:
    """Approach 2 of Hoffmann et al. 2022: at every budget the minimum of a curve through the losses over log N.

    - `budgets`: in FLOP; a run belongs to the nearest one within `tolerance` (relative). Default: as the runs' own
      compute clusters.
    - `curve`: "parabola", by least squares in the loss (Hoffmann et al.), or "akima", through every point of log loss
      (Porian et al. 2024).
    - `weighted`: regress the medians of the resamples, each with its inverse variance among them as weight (Porian et
      al.). Budgets where half the resamples have no minimum are left out.

    Of several runs of one size the best counts. A minimum beyond the sizes or at the last one, and a parabola that
    bends down, are discarded, with a remark. A parabola is the shape of no law: sizes centred on the optimum bias the
    coefficient, and a centre that drifts with the budget biases the exponent.
    """

    budgets: Sequence[float] | None = None
    tolerance: Annotated[float, FRACTION] = 0.1
    curve: Literal["parabola", "akima"] = "parabola"
    weighted: bool = False
    name = "iso-FLOP"

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def weighs(self) -> bool:
        return self.curve == "parabola"

    def bound(self, runs: Measured) -> Estimate:
        if self.curve not in _CURVES:
            raise BadInput(f"frontier: curve: expected one of {sorted(_CURVES)}, got {self.curve!r}; choose one")
        minimum = _CURVES[self.curve]
        log_C, members = self.members(runs)

        def estimate(log_loss: np.ndarray, weight: np.ndarray) -> Optima:
            log_N, log_D, least = np.full((3, len(log_C)), np.nan)
            notes = []
            for i, rows in enumerate(members):
                best = _best_of_size(rows[weight[rows] > 0], runs.log_N, log_loss)
                if len(best) < _SIZES:
                    notes.append(f"Budget {np.exp(log_C[i]):.3g} FLOP discarded: {len(best)} sizes, {_SIZES} needed.")
                    continue
                x = runs.log_N[best]
                log_N[i], least[i], reason = minimum(x, log_loss[best], weight[best])
                if reason:
                    notes.append(f"Budget {np.exp(log_C[i]):.3g} FLOP discarded: {reason}.")
                    continue
                log_D[i] = np.interp(log_N[i], x, runs.log_D[best])
            return Optima(log_C, log_N, log_D, least, tuple(notes))

        return estimate

    def members(self, runs: Measured) -> tuple[np.ndarray, list[np.ndarray]]:
        """Log budgets, and the rows of each."""
        width = np.log1p(self.tolerance)
        if self.budgets is not None:
            wrong = [C for C in self.budgets if not 0 < C < np.inf]
            if wrong or len(self.budgets) < 2:
                raise BadInput(
                    f"frontier: budgets: expected two or more positive numbers of FLOP, got {tuple(self.budgets)}; "
                    "write them like 6e18"
                )
            log_C = np.log(np.sort(np.asarray(self.budgets, np.float64)))
            nearest = np.argmin(np.abs(runs.log_C[:, None] - log_C), axis=1)
            near = np.abs(runs.log_C - log_C[nearest]) <= width
            members = [np.flatnonzero(near & (nearest == i)) for i in range(len(log_C))]
        else:
            order = np.argsort(runs.log_C, kind="stable")
            members = np.split(order, np.flatnonzero(np.diff(runs.log_C[order]) > width) + 1)
            wide = max(members, key=lambda rows: np.ptp(runs.log_C[rows]))
            if np.ptp(runs.log_C[wide]) > 2 * width:
                low, high = np.exp(runs.log_C[wide].min()), np.exp(runs.log_C[wide].max())
                raise BadInput(
                    f"frontier: expected runs on budgets {self.tolerance:.0%} apart or more, got compute without a gap "
                    f"from {low:.3g} to {high:.3g} FLOP; give budgets=(...), or use Hull()"
                )
            log_C = np.array([runs.log_C[rows].mean() for rows in members])
        return log_C, members

    def step(self, runs: Measured) -> np.ndarray:
        """Mean step between neighbouring sizes of each budget, in log N."""
        sizes = [np.unique(runs.log_N[rows]) for rows in self.members(runs)[1]]
        return np.array([np.ptp(x) / (len(x) - 1) if len(x) > 1 else np.nan for x in sizes])


type Method = Envelope | IsoFlop | Hull


def _rows(runs: Measured, rows: np.ndarray, log_loss: np.ndarray, notes: tuple[str, ...] = ()) -> Optima:
    return Optima(runs.log_C[rows], runs.log_N[rows], runs.log_D[rows], log_loss[rows], notes)


def _turns_left(x: np.ndarray, y: np.ndarray, a: int, b: int, c: int) -> bool:
    return (x[b] - x[a]) * (y[c] - y[a]) - (y[b] - y[a]) * (x[c] - x[a]) > 0


def _best_of_size(rows: np.ndarray, log_N: np.ndarray, log_loss: np.ndarray) -> np.ndarray:
    order = rows[np.lexsort((log_loss[rows], log_N[rows]))]
    return order[np.diff(log_N[order], prepend=-np.inf) > 0]


def _parabola(x: np.ndarray, log_loss: np.ndarray, weight: np.ndarray) -> tuple[float, float, str]:
    # In the loss itself, so that its floor does not matter; centred, so that the columns are not nearly dependent.
    centre, root, loss = x.mean(), np.sqrt(weight), np.exp(log_loss)
    columns = np.vander(x - centre, 3, increasing=True)
    (c0, c1, c2), *_ = np.linalg.lstsq(columns * root[:, None], loss * root, rcond=None)
    if not c2 > 0:
        return np.nan, np.nan, f"its parabola bends down; {_NO_OPTIMUM}"
    at = centre - c1 / (2 * c2)
    if not x[0] < at < x[-1]:
        return np.nan, np.nan, f"its parabola has its minimum at {np.exp(at):.3g} parameters; {_NO_OPTIMUM}"
    return at, float(np.log(c0 - c1**2 / (4 * c2))), ""


def _akima(x: np.ndarray, log_loss: np.ndarray, weight: np.ndarray) -> tuple[float, float, str]:
    from scipy.interpolate import Akima1DInterpolator  # a tenth of a second to import, which no other verb needs

    fine = np.linspace(x[0], x[-1], _FINE * (len(x) - 1))
    values = Akima1DInterpolator(x, log_loss)(fine)
    best = int(np.argmin(values))
    if best in (0, len(fine) - 1):
        return (
            np.nan,
            np.nan,
            f"its least loss is that of its {'smallest' if best == 0 else 'largest'} size; {_NO_OPTIMUM}",
        )
    return fine[best], float(values[best]), ""


_CURVES = {"parabola": _parabola, "akima": _akima}
