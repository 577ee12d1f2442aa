"""Ours: the outlook with its band and the conformal ones, and what is customary with the law that it chose."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from benchmarks.forecast.scores import LEVELS, Answer, Ends, Failed, central
from benchmarks.forecast.splits import Split
from jaxscale import (
    BadInput,
    bootstrap,
    crossvalidate,
    fit,
    forecast_with_discrepancy,
    learn_discrepancy,
    outlook,
    sample,
    student_t,
)
from jaxscale.cli.inputs import forecasters
from jaxscale.core.law import AbstractLaw, signature
from jaxscale.core.runs import Runs
from jaxscale.infer.forecast import Outlined, Outlook, conformal
from jaxscale.infer.posterior.predictive import predictive

OUTLOOK = "outlook"
_DRAWS = 400


def forecast(split: Split, _: str | None) -> Answer:
    """`outlook` with every law of loss in N and D, as `jaxscale forecast` has it; conformal bands beside its own.

    `law` is the chosen one without its correction: what is customary is done with it. `hindsight` is the mean error of
    every candidate on the held-out runs: nothing was chosen by it, it tells what a better choice could have gained.
    """
    found = outlook(forecasters(None, split.fitted), split.fitted)
    made = found.at(split.inputs, allow_far=True)
    bands, refused = _conformal(found, made)
    about = {
        "chosen": made.chosen,
        "law": found.origins.law_of(made.chosen),
        "ranking": [[r.label, r.score, r.inside, r.reason] for r in found.ranking],
        "weights": dict(found.weights),
        "hindsight": {label: float(np.mean(np.abs(y / split.observed - 1))) for label, y in made.others.items()},
        "remarks": [*made.remarks(), *refused],
    }
    return Answer(made.point, {level: made.interval(level) for level in LEVELS}, bands, about)


def _conformal(found: Outlook, made: Outlined) -> tuple[dict[str, Ends], list[str]]:
    """Bands from the misses of the law that forecasts, by variant; and why there is none, of those that refuse."""
    miss, decades = found.origins.miss[found.origins.labels.index(made.chosen)], found.origins.parts.decades
    variants: dict[str, Callable[[], conformal.Conformal]] = {
        "split conformal": lambda: conformal.split(miss, decades),
        "normalised conformal": lambda: conformal.normalised(miss, decades, float(np.median(made.noise))),
        "weighted conformal": lambda: conformal.weighted(miss, decades),
        "conformal by origin": lambda: conformal.by_origin(miss, decades),
    }
    bands: dict[str, Ends] = {}
    refused = []
    for name, learnt in variants.items():
        try:
            bands[name] = _around(made, learnt())
        except BadInput as refusal:
            refused.append(f"{refusal}")
    return bands, refused


def _around(made: Outlined, band: conformal.Conformal) -> Ends:
    """Few misses cannot speak for a high level: the band is then infinite."""
    half = {level: band.half_width(made.decades, level) for level in LEVELS}
    return {level: (made.point * np.exp(-h), made.point * np.exp(h)) for level, h in half.items()}


def bootstrapped(split: Split, chosen: str | None) -> Answer:
    """Percentiles over refits (Huber 1e-3) of resampled runs, each with a residual of the fit added: the customary."""
    law = _law(split, chosen)
    fitted = fit(law, split.fitted)
    held = split.held.runs(signature(law))
    drawn = bootstrap(fitted, _DRAWS).ok()
    logs = np.log(np.asarray(drawn(**held.inputs), np.float64))
    residual = np.log(np.asarray(fitted.runs.target, np.float64)) - np.log(_predicted(fitted.law, fitted.runs))
    logs = logs + np.random.default_rng(0).choice(residual, logs.shape)
    ends = {level: (np.exp(low), np.exp(high)) for level, (low, high) in central(logs).items()}
    return Answer(_predicted(fitted.law, held), ends, about={"chosen": chosen, "draws": drawn.size})


def posterior(split: Split, chosen: str | None) -> Answer:
    """The posterior predictive of one run: Student-t noise, the law's declared priors; the median is the point."""
    law = _law(split, chosen)
    found = sample(law, split.fitted)
    draws = predictive(found.model, split.held.runs(signature(law)), jax.random.key(1))
    about = {"chosen": chosen, "engine": found.engine, "remarks": list(found.ensemble.remarks)}
    return Answer(np.median(draws, axis=0), central(draws), about=about)


def discrepancy(split: Split, chosen: str | None) -> Answer:
    """A Gaussian process beside the law, its scale learnt from what the law missed inside the fitted runs."""
    label, law = f"{chosen}", _law(split, chosen)
    origins = crossvalidate({label: law}, split.fitted, student_t(), prior=True)
    learnt = learn_discrepancy(origins, label)
    made = forecast_with_discrepancy(origins.fits[label], learnt, split.inputs, allow_far=True)
    about = {
        "chosen": chosen,
        "amplitude": vars(learnt.amplitude),
        "lengths": learnt.lengths,
        "remarks": list(made.doubts),
    }
    return Answer(made.point, {level: made.interval(level) for level in LEVELS}, about=about)


# What needs the law that the outlook chose comes after it.
OURS: Mapping[str, Callable[[Split, str | None], Answer]] = {
    OUTLOOK: forecast,
    "bootstrap of its law": bootstrapped,
    "posterior of its law": posterior,
    "discrepancy of its law": discrepancy,
}


def _law(split: Split, chosen: str | None) -> AbstractLaw:
    if chosen is None:
        raise Failed("the outlook chose no law")
    return forecasters(chosen, split.fitted)[chosen]


def _predicted(law: AbstractLaw, runs: Runs) -> Any:
    return np.asarray(jax.vmap(lambda at: law(**at))(dict(runs.inputs)), np.float64)
