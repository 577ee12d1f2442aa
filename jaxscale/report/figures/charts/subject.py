"""What the page is about, as arrays, and the only part of it that knows how bands, origins and rankings are made."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from jaxscale.core.evaluate import predict
from jaxscale.core.flops import size_at, tokens_for, training_flops
from jaxscale.core.law import signature
from jaxscale.infer.backtest.noise import noise_at
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.forecast.outlook import Outlook
from jaxscale.infer.forecast.prediction import Outlined, Tested
from jaxscale.plan.allocate import allocate, plannable
from jaxscale.plan.plan_run import Planned, as_inputs
from jaxscale.report.figures.plots.style import columns
from jaxscale.studies import Study

LEVEL = 0.9
_POINTS = 48
_BUDGETS = 64
_BEYOND = 10.0  # times the largest run: how far a path goes of itself


@dataclass(frozen=True)
class Subject:
    """An outlook on the n runs of `study`, and what was asked of it.

    - `runs`: columns of the runs with weight, shape (n,): the inputs, N, D, C = 6ND and M = D/N where the law knows
      them, `loss`, `law` (what it says), `off` (relative residual), `row` (1-based, of the owner's table), `group`.
    - `test`, `held`: held-out runs, forecast and as they stand; `asked`: points.
    - `planned` and `plan`: the compute-optimal run and its forecast.
    """

    found: Outlook
    study: Study
    runs: Mapping[str, np.ndarray]
    test: Tested | None = None
    held: Study | None = None
    asked: Outlined | None = None
    planned: Planned | None = None
    plan: Outlined | None = None

    @property
    def fit(self) -> Fit:
        return self.found.fit

    @property
    def unit(self) -> str:
        """Of the loss, where the table states one: a law fits a loss in any unit, and its own says nothing then."""
        return self.study.unit

    @property
    def alone(self) -> str:
        """What a caption adds where the law is drawn, and the forecast is a corrected one."""
        return (
            " Of the law alone, without its correction." if self.found.chosen in self.found.origins.corrections else ""
        )

    @property
    def sized(self) -> bool:
        """Whether the law knows size and data."""
        return plannable(self.fit.law)

    @property
    def axis(self) -> str | None:
        """The input that a path goes along: compute, or a law's one input; None where there are several others."""
        names = [name for name in signature(self.fit.law).inputs if name != "group"]
        return "C" if self.sized else names[0] if len(names) == 1 else None

    @property
    def held_rows(self) -> np.ndarray:
        """1-based rows of the owner's table that were held out."""
        return np.zeros(0, int) if self.held is None else self.held.rows

    def along(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Where points lie on that axis, shape (m,)."""
        if self.axis == "C" and {"N", "D"} <= set(inputs):
            return training_flops(inputs["N"], inputs["D"])
        return np.asarray(inputs[str(self.axis)], np.float64)

    def ends(self) -> tuple[float, float]:
        """Where a path starts and stops: at the smallest run, and beyond whatever is shown, tenfold at the least."""
        x = self.runs[str(self.axis)]
        shown = [self.along(made.inputs) for made in (self.test and self.test.outlined, self.asked, self.plan) if made]
        far = max([_BEYOND * float(x.max()), *(1.2 * float(points.max()) for points in shown)])
        return float(x.min()), far


def columns_of(fit: Fit, study: Study) -> dict[str, np.ndarray]:
    """The runs of a `Subject`."""
    known, loss, group = columns(fit)
    used = np.asarray(fit.runs.weight) > 0
    law = np.asarray(predict(fit.law, fit.runs), np.float64)[used]
    label = np.array(study.groups)[group] if study.groups else np.full(loss.shape, "")
    return {**known, "loss": loss, "law": law, "off": np.log(loss / law), "row": study.rows[used], "group": label}


@dataclass(frozen=True)
class Optima:
    """Compute-optimal runs of m budgets, shape (m,) each. `inside`: whether a minimum, not an end of the range."""

    N: np.ndarray
    D: np.ndarray
    loss: np.ndarray
    inside: np.ndarray


def optima(subject: Subject, budgets: np.ndarray) -> Optima:
    """`allocate` for at most 64 budgets; every chart pads to 64, so that one program serves all."""
    padded = np.pad(budgets, (0, _BUDGETS - len(budgets)), mode="edge")
    best = allocate(subject.fit.law, padded)
    N, D, loss = (np.asarray(x, np.float64)[: len(budgets)] for x in (best.N, best.D, best.loss))
    return Optima(N, D, loss, ~np.asarray(best.on_bound)[: len(budgets)])


@dataclass(frozen=True)
class Path:
    """A forecast along `x`. `name`: the input; `words`: what kind of path; `edge`: where it leaves the runs."""

    name: str
    words: str
    x: np.ndarray
    made: Outlined
    edge: float


def path(subject: Subject) -> Path | None:
    """Along the compute-optimal runs of every budget, or along a law's one input; None where a law has several.

    Where the law knows no optimum inside the allowed range, along the runs' middle tokens per parameter instead.
    """
    name = subject.axis
    if name is None:
        return None
    x = np.geomspace(*subject.ends(), _POINTS)
    inputs, words = {name: x}, "along its one input"
    if subject.sized:
        best = optima(subject, x)
        N, words = best.N, "along the compute-optimal runs"
        if not best.inside.all():
            ratio = float(np.median(subject.runs["M"]))
            N, words = size_at(x, ratio), f"at {ratio:.3g} tokens per parameter, the middle of the runs"
        inputs = as_inputs(N, tokens_for(x, N))
    # What was asked for was refused where it lies too far; the path to it need not be asked for again.
    made = subject.found.at(inputs, allow_far=True)
    outside = np.flatnonzero(made.decades <= 0)
    return Path(name, words, x, made, float(x[outside[-1]] if outside.size else x[0]))


@dataclass(frozen=True)
class Widths:
    """Half-widths of the 90 % band in natural logarithms, by cause, shape (m,) each; `low` and `high`: its ends."""

    parameters: np.ndarray
    noise: np.ndarray
    law: np.ndarray
    low: np.ndarray
    high: np.ndarray


def widths(made: Outlined) -> Widths:
    """The three uncertainties of a forecast, and the total."""
    half = made.half_widths(LEVEL)
    return Widths(half["parameters"], half["noise"], half["law"], *made.interval(LEVEL))


@dataclass(frozen=True)
class Misses:
    """What the chosen law missed from inside the runs.

    - `decades`, `miss` (log observed - log forecast), `origin` (label), `held` (whether the 90 % band of its own
      origin, parameters included, holds it): shape (m,).
    - `line`, `band`: the half-width of noise and law over distance.
    """

    decades: np.ndarray
    miss: np.ndarray
    origin: np.ndarray
    held: np.ndarray
    line: np.ndarray
    band: np.ndarray


def misses(found: Outlook) -> Misses:
    """Every forecast of the chosen law that the bands were learnt from."""
    origins, law = found.origins, found.origins.labels.index(found.chosen)
    miss, decades = origins.miss[law], origins.parts.decades
    # Where the law left its bounds it would not have been believed, and no band was learnt.
    seen = np.isfinite(miss) & np.isfinite(decades) & origins.usable[law][:, None]
    noise = np.broadcast_to(noise_at(found.noise, found.fit.runs.inputs), miss.shape)
    known = np.hypot(noise, np.nan_to_num(origins.spread[law]))[seen]
    line = np.linspace(0, float(decades[seen].max()), _POINTS)
    return Misses(
        decades=decades[seen],
        miss=miss[seen],
        origin=np.array(origins.parts.labels)[np.nonzero(seen)[0]],
        held=np.abs(miss[seen]) <= found.bands.half_width(LEVEL, decades[seen], known),
        line=line,
        band=found.bands.half_width(LEVEL, line, found.noise.scale),
    )


def scores(found: Outlook) -> list[tuple[str, float, float, np.ndarray]]:
    """Label, score, in-sample error, error by origin (shape (origins,), nan where none) of each law, best first."""
    error = dict(zip(found.origins.labels, found.origins.error, strict=True))
    return [(r.label, np.nan if r.reason else r.score, r.inside, error[r.label]) for r in found.ranking]
