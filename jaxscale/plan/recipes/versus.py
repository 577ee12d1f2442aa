"""Two recipes compared at scale: fitted, resampled together, and measured in compute.

The loss of every run must be measured on the same held-out text with the same tokenizer: a recipe that is judged on
its own kind of text, or in other tokens, is not compared at all.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxscale.compose import Pooled, member
from jaxscale.core.ensemble import Ensemble
from jaxscale.core.errors import BadInput
from jaxscale.core.evaluate import predict
from jaxscale.core.flops import training_flops
from jaxscale.core.groups import index_of
from jaxscale.core.law import AbstractLaw, signature
from jaxscale.core.numerics.robust import robust_scale
from jaxscale.core.results import RESULTS
from jaxscale.core.runs import Runs, Table
from jaxscale.core.scale import decades_beyond
from jaxscale.infer.fit import fit
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.resample import bootstrap
from jaxscale.infer.resample.paired import matched
from jaxscale.objectives.objective import AbstractObjective
from jaxscale.plan.allocate import allocate, require_plannable
from jaxscale.plan.plan_run import as_inputs
from jaxscale.plan.recipes.multiplier import Crossover, crossover, multiplier, probability_better
from jaxscale.solve.batch import Solver

_LEVELS = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class Scale:
    """Both recipes at one budget, each trained compute-optimally by its own law.

    - `losses`: of the baseline and of the other recipe.
    - `ratio`: the compute with which the other reaches the baseline's loss, over `flops`; `worth`: the compute with
      which the baseline reaches the other's. Each with its `quantiles`, by name and level; infinite where none does.
    - `average`, `one_run`: the probability that the other is better: its mean, and in one run of each.
    - `decades`: beyond the fitted runs, of the recipe that is further out.
    """

    flops: float
    losses: tuple[float, float]
    ratio: float
    worth: float
    quantiles: Mapping[str, Mapping[str, float]]
    average: float
    one_run: float
    decades: float
    on_bound: bool


@dataclass(frozen=True)
class Versus:
    """A recipe against a baseline.

    - `recipes`: labels, the baseline first; `fits`: one of each, or one joint fit.
    - `noise`: standard deviation of log loss in one run, of each recipe.
    - `draws`: resamples that converged for both, of `asked`; `units` that were drawn, `shared` of them with runs of
      both recipes.
    - `crossover`: over the draws, between the budgets `between`.
    """

    recipes: tuple[str, str]
    fits: tuple[Fit, ...]
    scales: tuple[Scale, ...]
    crossover: Crossover
    between: tuple[float, float]
    noise: tuple[float, float]
    draws: int
    asked: int
    units: int
    shared: int

    @property
    def certified(self) -> bool:
        return all(f.certificate.certified for f in self.fits)


def versus(
    study: Table,
    law: AbstractLaw,
    *,
    at: Sequence[float] | None = None,
    baseline: str | None = None,
    split: Sequence[str] | None = None,
    objective: AbstractObjective | None = None,
    draws: int = 1000,
    noise: float | None = None,
    starts: int = 32,
    seed: int = 0,
    solver: Solver | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Versus:
    """Compare the two groups of `study`, whose losses must be of the same text.

    **Arguments:**

    - `law`: of N and D (or C and M); fitted to each recipe apart, or to both with the parameters of `split` separate
      and the others shared.
    - `at`: budgets in FLOP; default 1, 10 and 100 times the largest run.
    - `baseline`: label of the recipe to compare against; default the first.
    - `draws`: resamples; matched runs are drawn together, see `matched`.
    - `noise`: standard deviation of log loss from run to run; default: the robust residuals of each fit, which also
      hold what the law gets wrong.

    `starts`, `seed` and `solver` are those of `fit`. Raises `BadInput` on other than two groups, an unknown baseline,
    and as `fit` and `allocate` do.
    """
    require_plannable(law)
    recipes = _recipes(study, baseline)
    runs = study.runs(signature(law))
    parts = [np.asarray(runs.group) == study.groups.index(label) for label in recipes]
    scheme, shared = matched(runs)
    if split is None:
        fits = tuple(
            fit(law, study.select(rows, f"of {label}"), objective, starts=starts, seed=seed, solver=solver)
            for rows, label in zip(parts, recipes, strict=True)
        )
        laws = [f.law for f in fits]
        count = len(fits) * draws
        ensembles = []
        for i, (f, rows) in enumerate(zip(fits, parts, strict=True)):
            tell = None if progress is None else lambda done, _, i=i: progress(i * draws + done, count)
            ensembles.append(bootstrap(f, draws, key=seed, scheme=scheme.of_rows(rows), progress=tell))
    else:
        joint = fit(Pooled(law, split, study.groups), study, objective, starts=starts, seed=seed, solver=solver)
        fits = (joint,)
        drawn = bootstrap(joint, draws, key=seed, scheme=scheme.of_rows(parts[0] | parts[1]), progress=progress)
        ensembles = [member(drawn, label) for label in recipes]
        point = Ensemble(jax.tree.map(lambda x: x[None], joint.law), jnp.zeros(1), jnp.zeros(1, jnp.int32))
        laws = [jax.tree.map(lambda x: x[0], member(point, label).law) for label in recipes]

    for e in ensembles:
        e.check()
    ok = np.logical_and(*(np.asarray(e.code) == RESULTS.converged for e in ensembles))
    if ok.sum() < 2:
        raise BadInput(f"bootstrap: expected draws that converge for both recipes, got {ok.sum()} of {draws}; add runs")
    a, b = (_with_point(one, many, ok) for one, many in zip(laws, ensembles, strict=True))
    reach = [_compute(runs, rows) for rows in parts]
    top = max(float(c.max()) for c in reach)
    budgets = [float(f"{k * top:.0e}") for k in (1, 10, 100)] if at is None else [float(c) for c in at]
    between = min(float(c.min()) for c in reach), max(*budgets, top)
    sds = tuple(
        _noise(one, runs, rows) if noise is None else float(noise) for one, rows in zip(laws, parts, strict=True)
    )
    crossed = crossover(b, a, between, paired=True)
    return Versus(
        recipes=recipes,
        fits=fits,
        scales=_scales(a, b, budgets, sds, runs, parts),
        crossover=jax.tree.map(lambda x: x[1:], crossed),
        between=between,
        noise=(sds[0], sds[1]),
        draws=int(ok.sum()),
        asked=draws,
        units=len(scheme.drawn.first),
        shared=shared,
    )


def _recipes(study: Table, baseline: str | None) -> tuple[str, str]:
    labels = list(study.groups)
    if len(labels) != 2:
        shown = ", ".join(labels) or "none"
        raise BadInput(f"recipe: expected a column of two recipes, got {shown}; choose two with a filter: `where=...`")
    first = 0 if baseline is None else int(index_of(baseline, labels, "baseline")[0])
    return labels[first], labels[1 - first]


def _with_point(law: AbstractLaw, ensemble: Ensemble, ok: np.ndarray) -> Ensemble:
    """The draws that converged, after the fitted law itself: one program serves both."""
    stacked = jax.tree.map(lambda one, all_: jnp.concatenate([one[None], all_[ok]]), law, ensemble.law)
    size = int(ok.sum()) + 1
    return Ensemble(stacked, jnp.zeros(size), jnp.zeros(size, jnp.int32), ensemble.method)


def _compute(runs: Runs, rows: np.ndarray) -> np.ndarray:
    given = {name: np.asarray(x, np.float64)[rows] for name, x in runs.inputs.items()}
    return given["C"] if "C" in given else training_flops(given["N"], given["D"])


def _noise(law: AbstractLaw, runs: Runs, rows: np.ndarray) -> float:
    """From the median size of the residuals about the fitted law, raised by what its parameters took of them."""
    residual = np.asarray(jnp.log(runs.target) - jnp.log(predict(law, runs)), np.float64)[rows]
    free = sum(np.size(x) for x in jax.tree.leaves(law))
    return float(robust_scale(residual) * np.sqrt(len(residual) / max(len(residual) - free, 1)))


def _scales(
    a: Ensemble, b: Ensemble, budgets: Sequence[float], noise: Any, runs: Runs, parts: Sequence[np.ndarray]
) -> tuple[Scale, ...]:
    """Row 0 of the ensembles is the fitted law, the others are draws."""
    best = [allocate(one, budgets) for one in (a, b)]
    found = {
        "ratio": np.asarray(multiplier(a, b, budgets, paired=True), np.float64),
        "worth": np.asarray(multiplier(b, a, budgets, paired=True), np.float64),
    }
    draws = [Ensemble(*(jax.tree.map(lambda x: x[1:], (e.law, e.value, e.code)))) for e in (a, b)]
    chance = probability_better(draws[1], draws[0], budgets, noise=(noise[1], noise[0]), paired=True)
    far = np.zeros(len(budgets))
    for plan, rows in zip(best, parts, strict=True):
        own = jax.tree.map(lambda x, rows=rows: x[rows], runs)
        far = np.maximum(far, decades_beyond(own, as_inputs(plan.N[0], plan.D[0])))
    return tuple(
        Scale(
            flops=C,
            losses=(float(best[0].loss[0, i]), float(best[1].loss[0, i])),
            ratio=float(found["ratio"][0, i]),
            worth=float(found["worth"][0, i]),
            # Order statistics, not interpolation: a budget may be infinite.
            quantiles={
                name: {f"{q:g}": float(np.quantile(x[1:, i], q, method="nearest")) for q in _LEVELS}
                for name, x in found.items()
            },
            average=float(chance.average[i]),
            one_run=float(chance.one_run[i]),
            decades=float(far[i]),
            on_bound=any(bool(plan.on_bound[0, i]) for plan in best),
        )
        for i, C in enumerate(budgets)
    )
