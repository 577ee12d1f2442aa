"""`compare`: which law predicts runs it has not seen, and by how much.

Leave-one-out is interpolation: it says which law describes the runs. The scores beyond a cut in scale, and of whole
data sets left out, say more about what a larger run will do.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from jaxscale.core.errors import BadInput
from jaxscale.core.scale import compute
from jaxscale.infer.compare.leave_out import LeaveOneOut, leave_one_out, score_left_out
from jaxscale.infer.compare.stacking import Differences, clustered, differences, pseudo_bma, stacking
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.posterior.posterior import Posterior
from jaxscale.infer.search.units import units

CUTS = (0.5, 0.7, 0.85)  # shares of the runs, by scale, that are below a cut


@dataclass(frozen=True)
class Comparison:
    """K laws on the same n runs.

    - `posteriors`, `loo`: by label, in the order of all other arrays.
    - `elpd`: leave-one-out log predictive densities, shape (n, K); nan for runs of weight zero.
    - `differences`: against the best law, with standard errors over independent units.
    - `stacking`, `pseudo_bma`: weights, shape (K,).
    - `groups`: the same density with each run's whole data set left out, shape (n, K); None with one data set.
    - `beyond`: mean log predictive density per run above each of `cuts` (in the unit of `scale`), given the runs
      below, shape (cuts, K); nan where a posterior failed its gates. None where the runs have no scale.
    """

    posteriors: Mapping[str, Posterior]
    loo: Mapping[str, LeaveOneOut]
    elpd: np.ndarray
    differences: Differences
    stacking: np.ndarray
    pseudo_bma: np.ndarray
    groups: np.ndarray | None
    scale: str | None
    cuts: np.ndarray
    beyond: np.ndarray | None

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.posteriors)

    @property
    def best(self) -> str:
        """The law of the greatest leave-one-out density."""
        return self.labels[int(np.argmax(np.nansum(self.elpd, axis=0)))]

    def remarks(self) -> tuple[str, ...]:
        """What a reader must know, as sentences."""
        found = [f"{label}: {remark}" for label, p in self.posteriors.items() for remark in p.remarks]
        diff, se = self.differences
        close = [
            label
            for label, d, e in zip(self.labels, diff, se, strict=True)
            if label != self.best and -d < max(2 * e, 4)
        ]
        if close:
            found.append(
                f"The runs do not tell {self.best} from {', '.join(close)} (within two standard errors or four nats); "
                "use their average, `average(...)`, or add runs where they differ."
            )
        found.append("Leave-one-out is interpolation; for a larger run, read the scores beyond the cuts.")
        return tuple(found)


def compare(posteriors: Mapping[str, Posterior], *, key: PRNGKeyArray | int = 0) -> Comparison:
    """Compare laws by the posteriors that `sample` drew on the same runs.

    Raises `BadInput` on fewer than two laws, or where the targets differ.
    """
    if len(posteriors) < 2:
        raise BadInput(f"compare: expected at least two laws, got {list(posteriors)}; name another")
    first = next(iter(posteriors.values())).fit
    for label, posterior in posteriors.items():
        _same(label, posterior.fit, first)
    key = jax.random.key(key) if isinstance(key, int) else key
    keys = dict(zip(posteriors, jax.random.split(key, len(posteriors)), strict=True))
    one_out = {label: leave_one_out(p, keys[label]) for label, p in posteriors.items()}
    elpd = np.stack([x.elpd for x in one_out.values()], axis=1)
    used = np.asarray(first.runs.weight) > 0
    of_row = np.asarray(units(first.problem.runs).of_row)[: first.count]
    masks = np.array(
        [used & (np.asarray(first.runs.group) == g) for g in np.unique(np.asarray(first.runs.group)[used])]
    )
    groups = None
    if len(masks) > 1:
        left = [score_left_out(p.fit, masks, jax.random.fold_in(keys[label], 1)) for label, p in posteriors.items()]
        groups = np.stack([np.where(used, np.nansum(np.where(masks, x, 0), axis=0), np.nan) for x in left], axis=1)
    scale, cuts, beyond = None, np.zeros(0), None
    if known := [c for p in posteriors.values() if (c := compute(p.fit.runs.inputs)) is not None]:
        scale, x = known[0]
        cuts = np.unique(np.quantile(x[used], CUTS, method="inverted_cdf"))
        above = used & (x[None, :] >= cuts[:, None])
        scores = [score_left_out(p.fit, above, jax.random.fold_in(keys[label], 2)) for label, p in posteriors.items()]
        # A lane whose posterior failed is nan everywhere, and so is its mean.
        beyond = np.stack([_mean_where(s, above) for s in scores], axis=1)
    return Comparison(
        posteriors=dict(posteriors),
        loo=one_out,
        elpd=elpd,
        differences=differences(elpd[used], of_row[used]),
        stacking=stacking(clustered(elpd[used], of_row[used])),
        pseudo_bma=pseudo_bma(elpd[used], jax.random.fold_in(key, 3), cluster=of_row[used]),
        groups=groups,
        scale=scale,
        cuts=cuts,
        beyond=beyond,
    )


def _mean_where(scores: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.array([np.mean(row[there]) for row, there in zip(scores, mask, strict=True)])


def _same(label: str, fit: Fit, first: Fit) -> None:
    mine, theirs = (np.asarray(f.runs.target) for f in (fit, first))
    if not np.array_equal(mine, theirs) or not np.array_equal(fit.runs.weight, first.runs.weight):
        raise BadInput(
            f"compare: expected every law on the same runs, got {len(mine)} for {label} and {len(theirs)} for the "
            "first (or other targets or weights); sample them from one table"
        )
