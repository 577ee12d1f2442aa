"""`crossvalidate`: laws fitted to a part of the runs and scored on the rest, all parts of a law by one program.

The parts that matter to a forecast are origins in scale: everything below a cut is fitted, everything above is
forecast. What a law misses there, and how its misses grow with distance, is the only evidence on what it will miss
beyond the data. Leaving out data sets or independent units says how it carries over, not how far.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxscale.core.ensemble import Ensemble
from jaxscale.core.errors import BadInput
from jaxscale.core.evaluate import predict
from jaxscale.core.law import AbstractLaw, signature
from jaxscale.core.ranges import SEED, checked, many
from jaxscale.core.results import RESULTS
from jaxscale.core.runs import Runs, Table
from jaxscale.core.scale import Scale
from jaxscale.infer.backtest.guard import along_compute, log_slopes, unbounded
from jaxscale.infer.backtest.noise import RunNoise, log_density, noise_of
from jaxscale.infer.backtest.splits import Parts, parted
from jaxscale.infer.correction.correction import Correction, correctable, corrected, correction
from jaxscale.infer.fit.fit import Fit, fit
from jaxscale.infer.local.linearised import at_runs, linear, tangent
from jaxscale.infer.resample.bootstrap import bootstrap
from jaxscale.infer.resample.schemes import Bayesian
from jaxscale.infer.search.problem import FitProblem
from jaxscale.objectives.objective import AbstractObjective

_BESIDE = " + discrepancy"  # after the name of a law that forecasts with what it leaves out
_STARTS = 12  # cold ones of each part
_SPARE = 3  # runs more than parameters that a part must hold, where no prior helps


@dataclass(frozen=True)
class Origins:
    """What K laws said about the runs that each of m parts left out.

    - `fits`: to all runs, by label. A corrected law has the fit of the law itself.
    - `miss`: log observed - log predicted of every scored run, shape (K, m, n); nan elsewhere, where a refit failed,
      and where a law overflows.
    - `spread`: of log predicted over resamples, as a standard deviation, shape (K, m, n); zero without resamples.
    - `elasticity`: d ln L / d ln C of the law at every scored run, N and D grown alike, shape (K, m, n); nan for laws
      without scale.
    - `wild`: scored runs at which the law's exponents leave the bounds of its fitted runs (`exponents`), (K, m, n).
    - `code`: how each refit ended, a `RESULTS` code, shape (K, m); `singular` too where a part has too few runs.
    - `corrections`: what a law leaves out, by the labels of those that forecast with it; `law` is both.
    - `alone`: the labels of their laws alone.
    """

    fits: Mapping[str, Fit]
    parts: Parts
    miss: np.ndarray
    spread: np.ndarray
    elasticity: np.ndarray
    wild: np.ndarray
    code: np.ndarray
    corrections: Mapping[str, Correction] = field(default_factory=dict)
    alone: Mapping[str, str] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.fits)

    def law_of(self, label: str) -> str:
        """The label of the law alone."""
        return self.alone.get(label, label)

    def correction_at(self, label: str, points: Mapping[str, np.ndarray]) -> np.ndarray:
        """What `label` adds to the log of its law at m points, shape (m,); zero for a law alone."""
        if label not in self.corrections:
            return np.zeros(len(next(iter(points.values()))))
        return self.corrections[label].at(linear(self.fits[label], points))

    def law(self, label: str) -> AbstractLaw:
        """What forecasts under `label`: the fitted law, or one with its correction (`Corrected`)."""
        fitted, beside = self.fits[label], self.corrections.get(label)
        return fitted.law if beside is None else corrected(fitted, beside)

    def log_residuals(self, label: str) -> np.ndarray:
        """log observed - log predicted of every run, shape (n,)."""
        fitted, beside = self.fits[label], self.corrections.get(label)
        residual = fitted.log_residuals()
        return residual if beside is None else residual - beside.at(at_runs(fitted))

    def noise(self, label: str) -> RunNoise:
        """Of one run about what `label` forecasts."""
        fitted, beside = self.fits[label], self.corrections.get(label)
        freedom = len(fitted.problem.split.names()) + (0.0 if beside is None else beside.freedom)
        return noise_of(fitted.runs, self.log_residuals(label), freedom)

    @property
    def enough(self) -> np.ndarray:
        """Whether a part holds runs enough for a law, shape (K, m)."""
        return np.stack([_enough(f, self.parts) for f in self.fits.values()])

    @property
    def usable(self) -> np.ndarray:
        """Whether a law was fitted to a part, and keeps within its bounds on all that the part left out, (K, m)."""
        return (self.code == RESULTS.converged) & ~self.wild.any(axis=2)

    @property
    def error(self) -> np.ndarray:
        """Mean absolute relative error of every law beyond every origin, shape (K, m).

        nan where it was not `usable`, infinite where it overflows. Every scored run of an origin counts once.
        """
        with np.errstate(over="ignore"):
            size = np.abs(np.expm1(-self.miss))
        size = np.where(np.isnan(size), np.inf, size)
        mean = np.sum(np.where(self.parts.scored, size, 0), axis=2) / np.sum(self.parts.scored, axis=1)
        return np.where(self.usable, mean, np.nan)

    @property
    def compute_error(self) -> np.ndarray:
        """|ln(C' / C)| of every scored run, shape (K, m, n): C' is the compute that would have reached what was
        observed, by the law's account. To first order in the miss."""
        with np.errstate(divide="ignore"):
            return np.abs(self.miss) / np.maximum(-self.elasticity, 0)

    def log_score(self, noise: np.ndarray) -> np.ndarray:
        """Mean log density of what was observed, on the log scale, at every origin, shape (K, m).

        Of a Student-t whose scale holds the parameters' spread and the `noise` of a run about each law, shape (K, n).
        It knows nothing of the law's own error, and so falls fast where there is one.
        """
        scale = np.maximum(np.hypot(noise[:, None, :], self.spread), 1e-12)
        each = np.where(self.parts.scored, log_density(self.miss / scale) - np.log(scale), 0)
        return np.where(self.usable, np.sum(each, axis=2) / np.sum(self.parts.scored, axis=1), np.nan)


@checked
def crossvalidate(
    laws: Mapping[str, AbstractLaw],
    data: Runs | Table,
    objective: AbstractObjective | None = None,
    *,
    by: Scale = None,
    cuts: Annotated[int, many(1, like="8")] | Iterable[float] = 8,
    resamples: Annotated[int, many(0)] = 0,
    discrepancy: bool = False,
    key: PRNGKeyArray | Annotated[int, SEED] = 0,
    **options: Any,
) -> Origins:
    """Refit every law to the runs below each of `cuts` origins and score it above.

    **Arguments:**

    - `objective`: default `log_huber(1e-3)`, as in `fit`.
    - `by`: what grows from origin to origin: the name of a column, `C` being compute (6ND where there is no such
      column), or a function from `Runs` to one number per run. Default: compute; where it is not known, the input that
      spans most decades. Or `group` or `cluster`: each data set, or each independent unit, is left out in turn.
    - `cuts`: how many origins, spread evenly over the ranks of the scale; or their values.
    - `resamples`: Bayesian bootstraps of every refit (Rubin 1981), for the parameters' share of a miss.
    - `discrepancy`: score every law a second time, as "NAME + discrepancy", with what it leaves out
      (`correction`), which every origin learns from its own runs; where the likelihood is one of log residuals.
    - `options`: those of `fit`.

    Raises `BadInput` on laws whose output may be negative, or where the runs cannot be parted so.
    """
    if not laws:
        raise BadInput("crossvalidate: expected at least one law, got none")
    for label, law in laws.items():
        if not signature(law).output.positive:
            raise BadInput(
                f"crossvalidate: misses are relative, and the output of {label} may be negative; leave it out"
            )
    key = jax.random.key(key) if isinstance(key, int) else key
    fits = {label: fit(law, data, objective, **options) for label, law in laws.items()}
    parts = parted(by, cuts, data, fits)
    along = {label: correctable(fitted) if discrepancy else () for label, fitted in fits.items()}
    found = {label: _refits(f, parts, resamples, key, along[label], options) for label, f in fits.items()}
    corrections, alone = {}, {}
    for label, names in along.items():
        if not names:
            continue
        name = label + _BESIDE
        fits[name], corrections[name], alone[name] = fits[label], correction(tangent(fits[label]), names), label
        found[name] = found[label]._replace(miss=found[label].miss - found[label].left)
    miss, spread, elasticity, wild, code, _ = (np.stack(x) for x in zip(*found.values(), strict=True))
    return Origins(fits, parts, miss, spread, elasticity, wild, code, corrections, alone)


class _Told(NamedTuple):
    """As in `Origins`, of one law; `left`: what it left out, by the runs of each origin, shape (m, n)."""

    miss: np.ndarray
    spread: np.ndarray
    elasticity: np.ndarray
    wild: np.ndarray
    code: np.ndarray
    left: np.ndarray


def _enough(fit: Fit, parts: Parts) -> np.ndarray:
    """Whether each part holds runs enough for the law, shape (m,): with priors, as many as it has parameters."""
    spare = 0 if fit.problem.prior else _SPARE
    return np.sum(parts.fitted, axis=1) >= len(fit.problem.split.names()) + spare


def _refits(
    whole: Fit, parts: Parts, resamples: int, key: PRNGKeyArray, along: tuple[str, ...], options: Mapping[str, Any]
) -> _Told:
    """One law at every origin, with its correction along the inputs `along` if any.

    Every part is a fit of its own, with its own starts and chart, in the programs of the whole: runs are left out by
    weight. What serves the whole as a chart or a start may not serve a quarter of it.
    """
    runs, n = whole.runs, whole.count
    miss, spread, elasticity, left = np.full((4, *parts.scored.shape), np.nan)
    wild = np.zeros(parts.scored.shape, bool)
    code = np.full(len(parts.labels), int(RESULTS.singular))
    # The optimum of all runs is a start too, and a good one.
    starts = min(_STARTS, options.get("starts", _STARTS))
    for i in np.flatnonzero(_enough(whole, parts)):
        weight = jnp.asarray(np.where(parts.fitted[i], runs.weight, 0), runs.weight.dtype)
        kept = eqx.tree_at(lambda r: r.weight, runs, weight)
        part = fit(whole.law, kept, whole.problem.template.objective, **{**options, "starts": starts})
        code[i] = part.certificate.code
        if part.certificate.code != RESULTS.converged:
            continue
        scored = parts.scored[i]
        logs, slopes = _told(part.problem)
        predicted = np.asarray(logs, np.float64)[:n]
        miss[i] = np.where(scored, np.log(np.asarray(runs.target, np.float64)) - predicted, np.nan)
        known = {name: np.asarray(x, np.float64)[:n] for name, x in slopes.items()}
        bent = unbounded({name: x[parts.fitted[i]] for name, x in known.items()}, known)
        wild[i] = scored & np.any(list(bent.values()), axis=0)
        elasticity[i] = np.where(scored, along_compute(known), np.nan)
        spread[i] = np.where(scored, 0.0, np.nan)
        if along:
            here = at_runs(part)
            left[i] = correction(tangent(part, here), along).at(here)
        if resamples:
            # From the part's optimum alone: from its other optima too, a spread would cost several times as much.
            alone = dataclasses.replace(part, alternatives=())
            drawn = bootstrap(alone, resamples, key=key, scheme=Bayesian())
            spread[i] = np.where(scored, robust_spread(drawn, part.runs.inputs | {"group": part.runs.group}), np.nan)
    return _Told(miss, spread, elasticity, wild, code, left)


def robust_spread(drawn: Ensemble, inputs: Mapping[str, Any]) -> np.ndarray:
    """Standard deviation of log predictions over resamples from their central 68 %: a wild one does not set it.

    Where less than half converged, all are taken: one that ran out of steps lies near its optimum, and to have no
    width would be worse than to have a rough one. The ensemble says how many failed.
    """
    kept = drawn.ok() if 2 * drawn.failed <= drawn.size else drawn
    given = {name: inputs[name] for name in signature(drawn.law).inputs}
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.asarray(kept(**given), np.float64))
    low, high = np.quantile(np.where(np.isfinite(logs), logs, np.inf), [0.1587, 0.8413], axis=0)
    return (high - low) / 2


@eqx.filter_jit
def _told(problem: FitProblem) -> tuple[Float[Array, " n"], dict[str, Array]]:
    """Log predictions, and the law's exponents in its inputs."""
    law = problem.template.law
    inputs = {**problem.runs.inputs, "group": problem.runs.group}
    return jnp.log(predict(law, problem.runs)), log_slopes(law, inputs)
