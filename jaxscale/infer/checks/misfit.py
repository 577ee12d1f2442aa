"""Runs far from the fitted law, rows of two kinds, and a law far from the runs.

The scale of the residuals is a robust one, so that what it is to find does not widen it. A fit by absolute deviations
passes through as many runs as it has parameters: these say nothing of the scale and are left out of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jaxscale.core.numerics.robust import robust_scale
from jaxscale.core.runs import NAMED, Runs, named_runs
from jaxscale.infer.checks.mixed import Mixed, mixed

_FAR, _GAP = 10.0, 2.6  # robust standard deviations, and times the next: a run far from the law and from all others
_ALONE = 30.0  # robust standard deviations that need no gap
_LEAST = 0.02  # relative: a run that is off by less may be an unlucky one
_USUAL = 0.02  # relative: repeats of a run of text differ by .1 to 2 %
_SCATTERED = 0.06  # relative: public studies whose recipes differ reach .05
_FEW = 0.2  # of the runs: more are no outliers
_SPARE = 3  # runs beyond the parameters, without which there is no scale
_EACH = 3  # outliers with a sentence each


@dataclass(frozen=True)
class Misfit:
    """Log residuals at the optimum (observed over predicted) against their robust scale.

    - `scale`: robust standard deviation of the log residuals; NaN where too few runs, or none of a sign, have one.
    - `outliers`: indices of runs far beyond it and beyond all others, the furthest first; `off`: their log residuals.
    - `mixed`: two kinds of rows, where these explain what the law does not.
    - `furthest`: indices of runs, the furthest first, where the law is far from the runs as a whole; else empty.
    """

    scale: float
    outliers: tuple[int, ...] = ()
    off: tuple[float, ...] = ()
    mixed: Mixed | None = None
    furthest: tuple[int, ...] = ()

    def remarks(self, rows: Sequence[int] | np.ndarray | None = None) -> tuple[str, ...]:
        """Warnings, as sentences; `rows` are the owner's numbers of the runs."""
        if self.mixed is not None:
            many, factor = len(self.mixed.apart), self.mixed.factor
            what = (
                f"the losses of {many} runs are {factor:.3g} times those of the others at the same inputs; are they of "
                "another tokeniser, corpus or unit?"
                if not self.mixed.what
                else f"{self.mixed.what} of {many} runs fits the others if it is in thousands; is it in another unit?"
            )
            return (f"Check the rows: {what} They are {named_runs(self.mixed.apart, rows)}.",)
        if self.furthest:
            return (
                f"Check the rows: runs lie {self.scale:.1%} from the fitted law, and repeats of a run differ by .1 to "
                "2 %. Are units, tokenisers, corpora or recipes mixed, or is the law the wrong one? The furthest are "
                f"{named_runs(self.furthest, rows)}.",
            )
        if len(self.outliers) > _EACH:
            low, high = np.exp(np.min(self.off)), np.exp(np.max(self.off))
            return (
                f"Check {named_runs(self.outliers, rows)}: the losses are {low:.3g} to {high:.3g} times what the law "
                f"says, where runs lie {self.scale:.2%} from it. Are numbers there off, or did these runs go wrong?",
            )
        return tuple(
            f"Check {named_runs((i,), rows)}: the loss is {np.exp(off):.3g} times what the law says, where runs lie "
            f"{self.scale:.2%} from it. Is a number there off, or did the run go wrong?"
            for i, off in zip(self.outliers, self.off, strict=True)
        )


def misfit(runs: Runs, predicted: np.ndarray, free: int, *, losses: bool) -> Misfit:
    """What the log residuals of `predicted` (n,) show, of a law with `free` parameters.

    `losses`: the law predicts a loss of text, of which it is known how far repeats of a run lie apart.
    """
    target, weight, noise = (np.asarray(x, np.float64) for x in (runs.target, runs.weight, runs.noise))
    used = np.flatnonzero(weight > 0)
    target, predicted, noise = target[used], np.asarray(predicted, np.float64)[used], noise[used]
    if len(used) < free + _SPARE or not np.all((target > 0) & (predicted > 0) & np.isfinite(predicted)):
        return Misfit(float("nan"))
    residual = np.log(target / predicted)
    size = np.abs(residual)
    order = np.argsort(-size)
    scale = float(robust_scale(residual[order[: len(used) - free]]))
    known = noise / target
    far = _outliers(size[order], np.maximum(scale, known[order]))
    usual = 3 * float(np.median(known))
    few = far <= _FEW * len(used)
    rest = residual[order[far:]] if few else residual
    if np.sqrt(np.mean(rest**2)) > max(_USUAL, usual):
        inputs = {name: np.asarray(x, np.float64)[used] for name, x in runs.columns.items()}
        positive = {name: x for name, x in inputs.items() if np.all(x > 0) and np.ptp(np.log(x)) > 0}
        group = np.asarray(runs.group)[used]
        kinds = mixed(positive, target, group, residual) if 1 <= len(positive) <= 3 else None
        if kinds is not None:
            return Misfit(scale, mixed=Mixed(kinds.what, kinds.factor, used[kinds.apart]))
    # Few runs do not tell their scale well.
    if losses and (not few or scale > _SCATTERED * (1 + 4 / (len(used) - free)) + usual):
        return Misfit(scale, furthest=tuple(map(int, used[order[:NAMED]])))
    named = order[:far]
    return Misfit(scale, tuple(map(int, used[named])), tuple(map(float, residual[named])))


def _outliers(size: np.ndarray, scale: np.ndarray) -> int:
    """How many of the residuals, largest first, stand apart from the rest."""
    beyond = np.cumprod((size > _FAR * scale) & (size > _LEAST)).astype(bool)
    gap = np.append(size[:-1] > _GAP * size[1:], False)
    alone = np.cumprod((size > _ALONE * scale) & (size > _LEAST)).sum()
    return int(max(alone, *(np.flatnonzero(beyond & gap) + 1), 0))
