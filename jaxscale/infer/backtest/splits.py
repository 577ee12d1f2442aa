"""Ways to part runs into fitted and scored ones: by growing scale, by data set, by independent unit."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from jaxscale.core.errors import BadInput
from jaxscale.core.runs import Runs, Table
from jaxscale.core.scale import Scale, decades_beyond, scale_of
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.search.units import units

FIRST, LAST = 0.25, 0.92  # shares of the runs, by rank of the scale, that the first and the last origin are fitted to


@dataclass(frozen=True)
class Parts:
    """m ways to part n runs.

    - `labels`: each in words.
    - `fitted`, `scored`: shape (m, n); a run of weight zero is in neither.
    - `decades`: how far each scored run lies beyond the fitted ones in powers of ten, shape (m, n); nan elsewhere.
    - `units`: independent units (clusters of a group) among the fitted runs, shape (m,).
    """

    labels: tuple[str, ...]
    fitted: np.ndarray
    scored: np.ndarray
    decades: np.ndarray
    units: np.ndarray

    @property
    def credit(self) -> np.ndarray:
        """How much each part counts, shape (m,), one on average: as the units it is fitted to.

        An estimate's variance falls as one over the units. What a law misses with few of them says little of what it
        will miss with all.
        """
        return self.units / np.mean(self.units)


def parted(by: Scale, cuts: int | Iterable[float], data: Runs | Table, fits: Mapping[str, Fit]) -> Parts:
    """Origins in the scale `by`, at `cuts` ranks or at given values; or each `group` or `cluster` left out in turn."""
    first = next(iter(fits.values()))
    used = np.asarray(first.runs.weight) > 0
    if isinstance(by, str) and by in ("group", "cluster"):
        labels, fitted, scored = _left_out(by, first, used)
    else:
        labels, fitted, scored = _origins(*_scale(by, data, fits), cuts, np.asarray(first.runs.cluster), used)
    of_row = np.asarray(units(first.runs).of_row)
    counts = np.array([len(np.unique(of_row[part])) for part in fitted])
    return Parts(labels, fitted, scored, _decades(fits, fitted, scored), counts)


def _left_out(by: str, fit: Fit, used: np.ndarray) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    label = np.asarray(getattr(fit.runs, by))
    values = np.unique(label[used])
    if len(values) < 2:
        raise BadInput(f"crossvalidate: expected at least two values of {by} to leave out in turn, got {len(values)}")
    scored = used & (label == values[:, None])
    names = [fit.groups[v] for v in values] if by == "group" and fit.groups else values
    return tuple(f"without {by} {name}" for name in names), used & ~scored, scored


def _origins(
    scale: str, x: np.ndarray, cuts: int | Iterable[float], cluster: np.ndarray, used: np.ndarray
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    # Checkpoints of one run share its noise: a run is fitted below a cut with all its rows, or with none.
    index = np.unique(cluster, return_inverse=True)[1]
    largest = np.full(index.max() + 1, -np.inf)
    np.maximum.at(largest, index[used], x[used])
    least, sizes = np.min(largest[index[used]]), len(np.unique(largest[index[used]]))
    if isinstance(cuts, int):
        if cuts < 2:
            raise BadInput(f"crossvalidate: cuts: expected at least two, got {cuts}")
        at = np.unique(np.sort(x[used])[np.linspace(FIRST * used.sum(), LAST * used.sum(), cuts).astype(int)])
        at = at[at > least]
        if len(at) < 2:  # most runs share one scale: ranks do not tell the others apart, their values do
            others = np.unique(x[used & (x > least)])
            at = others[np.unique(np.linspace(0, len(others) - 1, min(cuts, len(others))).round().astype(int))]
        if len(at) < 2:
            raise BadInput(
                f"crossvalidate: expected runs at several values of {scale}, got {sizes} in {used.sum()} rows; give "
                "runs of different scale"
            )
    else:
        at = np.unique(np.asarray(list(cuts), np.float64))
        if not len(at) or not np.all((at > least) & (at <= x[used].max())):
            raise BadInput(
                f"crossvalidate: cuts: expected values of {scale} above {least:.4g} and up to {x[used].max():.4g}, "
                f"got {at.tolist()}; runs are needed on both sides of each"
            )
    fitted = used & (largest[index] < at[:, None])
    scored = used & (x >= at[:, None])
    return tuple(f"{scale} < {cut:.3g}" for cut in at), fitted, scored


def _scale(by: Scale, data: Runs | Table, fits: Mapping[str, Fit]) -> tuple[str, np.ndarray]:
    """The scale by the first law whose inputs know it; where none is asked for, compute before anything else."""
    why = ""
    for wanted in ("C", None) if by is None else (by,):
        for f in fits.values():
            try:
                return scale_of(wanted, data, f.runs, f.law)
            except BadInput as refusal:
                why = str(refusal).partition(": ")[2]
    raise BadInput(f"crossvalidate: {why}")


def _decades(fits: Mapping[str, Fit], fitted: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """The distance that a forecast of the scored runs would be given: of the law for which they lie furthest."""
    furthest = np.zeros(scored.shape)
    for f in fits.values():
        columns = {name: np.asarray(x, np.float64) for name, x in f.runs.inputs.items()}
        for part, below in enumerate(fitted):
            kept = eqx.tree_at(lambda r: r.weight, f.runs, jnp.asarray(below, f.runs.weight.dtype))
            furthest[part] = np.maximum(furthest[part], decades_beyond(kept, columns))
    return np.where(scored, furthest, np.nan)
