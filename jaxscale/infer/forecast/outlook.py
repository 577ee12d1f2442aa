"""`outlook`: the law that forecasts best on these runs, and what it says of larger ones, as wide as it must be.

In-sample fit says nothing about extrapolation, so it is shown and never used: laws are ranked by what they forecast
from inside the data (`crossvalidate`), and the bands come from what the chosen one missed there; these are the misses
that chose it, which flatters them a little. Laws are fitted as posterior modes: where runs are many their priors say
nothing, where they are few they keep a flexible law from bending as it likes. Every law of N and D is ranked twice:
alone, and times a smooth correction for what it leaves out of the runs (`correction`). Three uncertainties are told:
of the parameters (resamples), of one run (noise), of what forecasts (`bands`). Runs count once each, whatever their
weight.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from jaxscale.core.ensemble import Ensemble, ensemble_doubts
from jaxscale.core.errors import BadInput
from jaxscale.core.evaluate import at_points
from jaxscale.core.law import AbstractLaw, signature
from jaxscale.core.ranges import SEED, checked, many
from jaxscale.core.runs import Runs, Table
from jaxscale.core.scale import Scale, decades_beyond
from jaxscale.infer.backtest.backtest import Origins, crossvalidate, robust_spread
from jaxscale.infer.backtest.guard import refuse_far, wild_at
from jaxscale.infer.backtest.noise import RunNoise, noise_at
from jaxscale.infer.checks.unused import counted_once
from jaxscale.infer.compare.average import mixture
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.forecast.calibration import BEYOND, CORRECTED, Bands, calibrate
from jaxscale.infer.forecast.prediction import Outlined
from jaxscale.infer.forecast.ranking import Ranked, rank, stacked
from jaxscale.infer.resample.bootstrap import bootstrap
from jaxscale.infer.resample.schemes import Bayesian
from jaxscale.objectives.likelihood import Likelihood, student_t

_RESAMPLES = 64  # of every origin's refit: its parameters' spread to a tenth
_DRAWS = 200


@dataclass(frozen=True)
class Outlook:
    """Laws ranked on the runs; each one's fit, resamples, noise and bands.

    - `ranking`: best first; laws that could not be ranked last, with the reason.
    - `origins`: every forecast that the ranking rests on.
    - `weights`: by label, of the mixture whose forecasts from inside the data erred least; for the eye.
    """

    ranking: tuple[Ranked, ...]
    origins: Origins
    weights: Mapping[str, float]
    draws: int = _DRAWS
    key: PRNGKeyArray | None = None  # of the resamples
    _made: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def chosen(self) -> str:
        """Label of what forecast best: a law, alone or with its correction."""
        return self.ranking[0].label

    @property
    def fit(self) -> Fit:
        """The chosen law, fitted to all runs: without its correction, which `at` knows."""
        return self.origins.fits[self.chosen]

    @property
    def law(self) -> AbstractLaw:
        """What forecasts, as a law that plans and predictions take: the chosen one, with its correction if any."""
        return self.origins.law(self.chosen)

    @property
    def ensemble(self) -> Ensemble:
        """Resamples of the chosen law's fit."""
        return self.of(self.chosen).ensemble

    @property
    def bands(self) -> Bands:
        """Of the chosen law's own errors."""
        return self.of(self.chosen).bands

    @property
    def noise(self) -> RunNoise:
        """Of one run about the chosen law."""
        return self.of(self.chosen).noise

    def of(self, label: str) -> "Outlooker":
        """One law's part in it; made when first asked for. Raises `BadInput` on a law whose misses are too few."""
        if label not in self._made:
            self._made[label] = Outlooker(self.origins, label, self.draws, self.key)
        return self._made[label]

    @property
    def remarks(self) -> tuple[str, ...]:
        """What came with the runs and has no say in the ranking and the bands, as sentences."""
        return counted_once(self.fit.runs)

    def averaged(self, draws: int = 1000) -> tuple[Fit, Ensemble]:
        """The mixture of all laws' resamples by `weights`, as a fit and an ensemble that forecasts and plans accept."""
        weights = {label: w for label, w in self.weights.items() if w > 0}
        made = {label: self.of(label).ensemble.ok() for label in weights}
        remarks = tuple(f"{label}: {r}" for label, e in made.items() for r in e.remarks)
        fits = {label: self.origins.fits[label] for label in weights}
        return mixture(fits, {label: e.law for label, e in made.items()}, weights, draws, remarks)

    def at(self, inputs: Mapping[str, Any], *, allow_far: bool = False) -> Outlined:
        """The forecast at `inputs`, which broadcast, by the best law that keeps within its bounds there.

        Raises `BadInput` on a missing or non-positive input, beyond two decades unless `allow_far`, and where no
        ranked law keeps within its bounds.
        """
        ranked = [r.label for r in self.ranking if not r.reason]
        points = self.fit.points(inputs)
        decades = decades_beyond(self.fit.runs, points)
        if not allow_far:
            refuse_far(decades)
        others, chosen, correction = {}, None, np.zeros(0)
        wild: dict[str, str] = {}  # of a law, which its correction shares
        for label in ranked:
            rival = self.origins.fits[label]
            if not set(signature(rival.law).inputs) <= set(inputs):
                continue
            own = rival.points(inputs)
            law, added = self.origins.law_of(label), self.origins.correction_at(label, own)
            if law not in wild:
                wild[law] = wild_at(rival, own)
            if chosen is None and not wild[law]:
                chosen, correction = label, np.broadcast_to(added, decades.shape)
            others[label] = np.broadcast_to(at_points(rival.law, own) * np.exp(added), decades.shape)
        said = [f"{law} is not believed here: {why}." for law, why in wild.items() if why]
        if chosen is None:
            raise BadInput(f"outlook: no law can be used at these points: {' '.join(said)} Ask for nearer points")
        one = self.of(chosen)
        spread = np.broadcast_to(robust_spread(one.ensemble, one.fit.points(inputs)), decades.shape)
        noise = np.broadcast_to(noise_at(one.noise, points), decades.shape)
        doubts = (*said, *self.remarks, *ensemble_doubts(one.ensemble))
        return Outlined(points, others[chosen], decades, spread, noise, one.bands, others, chosen, correction, doubts)


@dataclass(frozen=True)
class Outlooker:
    """One law of an `Outlook`: its resamples, the noise of a run about it, and the bands of its own errors."""

    origins: Origins
    label: str
    draws: int
    key: PRNGKeyArray | None

    @property
    def fit(self) -> Fit:
        return self.origins.fits[self.label]

    @cached_property
    def ensemble(self) -> Ensemble:
        key = jax.random.key(0) if self.key is None else self.key
        return bootstrap(self.fit, self.draws, key=key, scheme=Bayesian())

    @cached_property
    def noise(self) -> RunNoise:
        return self.origins.noise(self.label)

    @cached_property
    def bands(self) -> Bands:
        k = self.origins.labels.index(self.label)
        # An origin at which the law left its bounds is not one at which it would have been believed.
        miss = np.where(self.origins.usable[k][:, None], self.origins.miss[k], np.nan)
        noise = noise_at(self.noise, self.fit.runs.inputs)
        parts = self.origins.parts
        beyond = CORRECTED if self.label in self.origins.corrections else BEYOND
        return calibrate(miss, parts.decades, np.hypot(noise, self.origins.spread[k]), parts.credit, beyond)


@checked
def outlook(
    laws: Mapping[str, AbstractLaw],
    data: Runs | Table,
    likelihood: Likelihood | None = None,
    *,
    by: Scale = None,
    cuts: Annotated[int, many(1, like="8")] = 8,
    resamples: Annotated[int, many(1)] = _RESAMPLES,
    draws: Annotated[int, many(1)] = _DRAWS,
    key: PRNGKeyArray | Annotated[int, SEED] = 0,
    **options: Any,
) -> Outlook:
    """Rank `laws` by what they forecast from inside `data`, and make the best one ready to forecast beyond it.

    **Arguments:** those of `crossvalidate` (here a likelihood, default `student_t()`, as laws are fitted with their
    priors); `draws`: resamples of a fit that forecasts (Bayesian bootstrap).

    Raises `BadInput` where no law can be ranked.
    """
    key = jax.random.key(key) if isinstance(key, int) else key
    likelihood = student_t() if likelihood is None else likelihood
    origins = crossvalidate(
        laws,
        data,
        likelihood,
        by=by,
        cuts=cuts,
        resamples=resamples,
        discrepancy=True,
        key=key,
        prior=True,
        **options,
    )
    ranking = rank(origins)
    if ranking[0].reason:
        raise BadInput(f"outlook: no law could be ranked; {ranking[0].label}: {ranking[0].reason}")
    return Outlook(ranking, origins, stacked(origins, ranking), draws, key)
