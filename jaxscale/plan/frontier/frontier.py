"""`frontier`: the compute-optimal N and D as powers of C from the runs themselves, beside those of a fitted law.

Approaches 1 and 2 of Hoffmann et al. 2022, and their variants, find the best run of several budgets and regress its
log N and log D on log C. They know nothing of a law, and none is free of bias; given one, `frontier` says how large.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxscale.core import quantities as q
from jaxscale.core.errors import BadInput
from jaxscale.core.flops import training_flops
from jaxscale.core.law import AbstractLaw, Signature, signature
from jaxscale.core.ranges import SEED, checked, many
from jaxscale.core.runs import Runs, Table
from jaxscale.objectives.residual import RawResidual, relative_noise
from jaxscale.plan.allocate import Bounds, allocate
from jaxscale.plan.cost import SixND
from jaxscale.plan.frontier.methods import Envelope, Estimate, Hull, IsoFlop, Measured, Method, Optima

__all__ = ["Envelope", "Frontier", "Hull", "IsoFlop", "PowerOfC", "frontier"]

_FEW = 5
_SAME = 1e-3  # in log C: closer than this, two budgets are one that was rounded
_FLOOR = 0.33  # of a step between sizes: a minimum is not known better than that (Porian et al. 2024)
_EQUAL = 1e-4  # of a weight: rounding of one and the same noise is less in float32
_BEYOND = float(np.log(1e3))


@dataclass(frozen=True)
class PowerOfC:
    """`coefficient * C**exponent`, C in FLOP. `draws`: (log coefficient, exponent) of every resample, shape (n, 2)."""

    coefficient: float
    exponent: float
    draws: np.ndarray = field(repr=False)

    def __call__(self, C: Any) -> np.ndarray:
        return self.coefficient * np.asarray(C, np.float64) ** self.exponent

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Quantiles of the exponent over the resamples."""
        low, high = np.quantile(self.draws[:, 1], [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    def band(self, C: Any, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Quantiles of the value at C over the resamples."""
        values = self.draws[:, 0] + self.draws[:, 1] * np.log(np.asarray(C, np.float64))[..., None]
        low, high = np.quantile(np.exp(values), [(1 - level) / 2, (1 + level) / 2], axis=-1)
        return low, high


@dataclass(frozen=True)
class Frontier:
    """The compute-optimal frontier by one method.

    - `N`, `D`: powers of C, each regressed for itself; their exponents add up to one where C = 6ND.
    - `points`: what was regressed: C, N, D, loss, and weight, which adds up to one.
    - `bias`: what the method adds to the exponent of N on noise-free losses of a law at these runs; None without a law.
    - `remarks`: warnings, as sentences.
    """

    method: str
    N: PowerOfC
    D: PowerOfC
    points: Mapping[str, np.ndarray] = field(repr=False)
    bias: float | None
    remarks: tuple[str, ...]

    def __str__(self) -> str:
        low, high = self.N.interval()
        bias = "" if self.bias is None else f", bias {self.bias:+.4f}"
        return (
            f"N = {self.N.coefficient:.4g} C^{self.N.exponent:.4f} (95 %: {low:.4f} to {high:.4f}{bias}) by "
            f"{self.method} from {len(self.points['C'])} points"
        )


@checked
def frontier(
    data: Runs | Table,
    method: Method,
    *,
    law: AbstractLaw | None = None,
    n: Annotated[int, many(2)] = 1000,
    resample: Literal["runs", "noise"] = "runs",
    seed: Annotated[int, SEED] = 0,
) -> Frontier:
    """Compute-optimal N and D as powers of C, from runs with N, D and a loss (C where there is one, else 6ND).

    **Arguments:**

    - `method`: `Envelope(...)`, `IsoFlop(...)` or `Hull()`.
    - `law`: of N and D, such as that of a fit to the same runs: its noise-free losses at these runs show the bias.
    - `n`, `seed`: resamples behind the intervals.
    - `resample`: "runs" draws whole runs (clusters) with replacement; "noise" adds the runs' known noise to the losses.

    The bias is reported and not subtracted. Raises `BadInput` on unfit runs or where fewer than two budgets have an
    optimum.
    """
    runs = _measured(data)
    estimate = method.bound(runs)
    found = estimate(runs.log_loss, runs.weight)
    drawn = _resampled(estimate, runs, resample, n, np.random.default_rng(seed))
    point, weight = found, None
    if isinstance(method, IsoFlop) and method.weighted:
        point, weight = _weighted(found, drawn, method.step(runs))
    line = _lines(point, weight)
    if line is None:
        why = f" ({found.notes[0].rstrip('.')})" if found.notes else ""
        raise BadInput(
            f"frontier: expected an optimum at two budgets or more, got {int(np.isfinite(point.log_N).sum())}{why}; "
            "add sizes on either side of the optimum, or give fewer, wider budgets"
        )
    good = [fit for fit in (_lines(one, weight) for one in drawn) if fit is not None]
    draws = np.array(good) if good else np.full((1, 2, 2), np.nan)
    bias, said = (None, ()) if law is None else _bias(method, runs, law, weight)
    kept, share = _shares(point, weight)
    remarks = [*point.notes, *said]
    if not method.weighs and np.ptp(runs.weight) > _EQUAL * np.max(runs.weight):
        remarks.append(
            "Not used: the runs' weights and known noise, which only a parabola (IsoFlop) takes: this method goes "
            "through the least losses as they are."
        )
    if law is None and isinstance(method, IsoFlop):
        remarks.append("The method's bias was not evaluated; give law=fit(...).law.")
    if kept.sum() < _FEW:
        remarks.append(f"The frontier rests on {kept.sum()} points.")
    if len(good) < n:
        remarks.append(f"{n - len(good)} of {n} resamples have fewer than two optima and are left out.")
    return Frontier(
        method=method.name,
        N=PowerOfC(float(np.exp(line[0][0])), float(line[0][1]), draws[:, 0]),
        D=PowerOfC(float(np.exp(line[1][0])), float(line[1][1]), draws[:, 1]),
        points={
            **{s: np.exp(x[kept]) for s, x in zip(("C", "N", "D", "loss"), point[:4], strict=True)},
            "weight": share,
        },
        bias=bias,
        remarks=tuple(remarks),
    )


def _measured(data: Runs | Table) -> Measured:
    runs = data if isinstance(data, Runs) else _of_table(data)
    used = np.asarray(runs.weight) > 0
    inputs = {name: np.asarray(column, np.float64)[used] for name, column in runs.inputs.items()}
    missing = [name for name in ("N", "D") if name not in inputs]
    if missing:
        raise BadInput(f"frontier: expected runs with N and D, got {sorted(inputs)}; give {missing[0]} as well")
    if len(np.unique(np.asarray(runs.group)[used])) > 1:
        raise BadInput("frontier: expected the runs of one group, got several; choose one with where=...")
    C = inputs["C"] if "C" in inputs else training_flops(inputs["N"], inputs["D"])
    loss, noise = (np.asarray(x, np.float64)[used] for x in (runs.target, runs.noise))
    for name, column in (("C", C), ("N", inputs["N"]), ("D", inputs["D"]), ("loss", loss)):
        bad = np.flatnonzero(~(np.isfinite(column) & (column > 0)))
        if len(bad):
            raise BadInput(
                f"frontier: expected positive finite {name}, got {column[bad[0]]} for run {bad[0]}; leave that run out"
            )
    if len(C) == 0 or np.ptp(np.log(C)) < _SAME:
        raise BadInput(f"frontier: expected runs of several budgets, got {len(C)} runs of one; add cheaper ones")
    return Measured(
        log_C=np.log(C),
        log_N=np.log(inputs["N"]),
        log_D=np.log(inputs["D"]),
        log_loss=np.log(loss),
        # Squares in the loss: a known noise divides residuals, as in every fit.
        weight=(np.asarray(runs.weight, np.float64) / np.asarray(relative_noise(RawResidual(), runs), np.float64) ** 2)[
            used
        ],
        cluster=np.unique(np.asarray(runs.cluster)[used], return_inverse=True)[1],
        noise=noise,
    )


def _of_table(data: Table) -> Runs:
    # A pure number as output: the optimum does not depend on the unit of the loss.
    inputs = {"N": q.PARAMS, "D": q.TOKENS}
    try:
        return data.runs(Signature({**inputs, "C": q.FLOPS}, q.PURE))
    except BadInput:
        return data.runs(Signature(inputs, q.PURE))


def _resampled(
    estimate: Estimate, runs: Measured, resample: str, n: int, generator: np.random.Generator
) -> list[Optima]:
    if resample == "noise":
        if not np.any(runs.noise > 0):
            raise BadInput('frontier: resample="noise": expected runs with a known noise, got none; read noise=...')
        loss = np.exp(runs.log_loss)
        draws = (loss + runs.noise * generator.standard_normal(len(loss)) for _ in range(n))
        return [estimate(np.log(draw), runs.weight) for draw in draws]
    if resample != "runs":
        raise BadInput(f'frontier: resample: expected "runs" or "noise", got {resample!r}; choose one')
    units = int(runs.cluster.max()) + 1
    counts = (np.bincount(generator.integers(units, size=units), minlength=units) for _ in range(n))
    return [estimate(runs.log_loss, runs.weight * count[runs.cluster]) for count in counts]


def _weighted(found: Optima, drawn: list[Optima], step: np.ndarray) -> tuple[Optima, np.ndarray]:
    """Medians over the resamples, and their inverse variances; weight zero where half of them have no minimum."""
    table = np.array([one[1:4] for one in drawn])
    share = np.mean(np.isfinite(table[:, 0]), axis=0)
    ok = share >= 0.5
    medians, sd = np.full((3, len(share)), np.nan), np.ones(len(share))
    medians[:, ok] = np.nanmedian(table[:, :, ok], axis=0)
    sd[ok] = np.maximum(np.nanstd(table[:, 0, ok], axis=0), _FLOOR * step[ok]) / share[ok]
    notes = [
        f"Budget {np.exp(c):.3g} FLOP discarded: a minimum in {s:.0%} of the resamples only."
        for c, s in zip(found.log_C[~ok], share[~ok], strict=True)
    ]
    log_N, log_D, log_loss = medians
    return Optima(found.log_C, log_N, log_D, log_loss, tuple(notes)), np.where(ok, sd**-2.0, 0.0)


def _shares(optima: Optima, weight: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Which optima there are, and their shares of the weight."""
    weight = np.ones_like(optima.log_N) if weight is None else weight
    kept = np.isfinite(optima.log_N) & (weight > 0)
    return kept, weight[kept] / max(weight[kept].sum(), 1e-300)


def _lines(optima: Optima, weight: np.ndarray | None) -> np.ndarray | None:
    """Rows (intercept, slope) of log N and of log D on log C; None with fewer than two budgets."""
    kept, share = _shares(optima, weight)
    x, y = optima.log_C[kept], np.stack([optima.log_N[kept], optima.log_D[kept]])
    if len(x) < 2 or np.ptp(x) < _SAME:
        return None
    off = x - share @ x
    slope = (y * share) @ off / (share @ off**2)
    return np.stack([y @ share - slope * (share @ x), slope], axis=1)


def _bias(
    method: Method, runs: Measured, law: AbstractLaw, weight: np.ndarray | None
) -> tuple[float | None, tuple[str, ...]]:
    """What the method adds to the exponent of N on the law's noise-free losses at the runs' N and D."""
    if set(signature(law).inputs) not in ({"N", "D"}, {"C", "M"}):
        raise BadInput(
            f"frontier: law: expected a law of N and D (such as Chinchilla) or of C and M = D/N (such as Gadre), got "
            f"{type(law).__name__} of {sorted(signature(law).inputs)}; fit one of these"
        )
    # Compute that is not 6ND keeps the runs' mean ratio to ND along a budget.
    log_k, log_N, log_D = (jnp.asarray(x, float) for x in (np.mean(runs.log_C - runs.log_N - runs.log_D), *runs[1:3]))
    losses = np.asarray(_log_losses(law, log_N, log_D, log_k), np.float64)
    ideal = method.bound(runs)(losses, runs.weight)
    found = _lines(ideal, weight)
    if found is None:
        return None, ("On the law's noise-free losses the method finds no two optima: these runs miss them.",)
    true = ideal._replace(log_N=np.full_like(ideal.log_N, np.nan))
    ok = np.isfinite(ideal.log_N)
    true.log_N[ok] = _best_sizes(law, ideal.log_C[ok], float(log_k), float(jnp.min(log_N)), float(jnp.max(log_N)))
    exact = _lines(true, weight)
    assert exact is not None
    bias = float(found[0][1] - exact[0][1])
    return bias, (
        f"Bias: on noise-free losses of {type(law).__name__} at these runs the method finds the exponent "
        f"{found[0][1]:.4f} of N instead of {exact[0][1]:.4f}; the difference is not subtracted.",
    )


def _log_loss(law: AbstractLaw, log_N: Array, log_D: Array, log_k: Array) -> Array:
    offered = {"N": log_N, "D": log_D, "C": log_k + log_N + log_D, "M": log_D - log_N}
    return jnp.log(law(**{name: jnp.exp(offered[name]) for name in signature(law).inputs}))


@eqx.filter_jit
def _log_losses(law: AbstractLaw, log_N: Array, log_D: Array, log_k: Array) -> Array:
    return jax.vmap(lambda n, d: _log_loss(law, n, d, log_k))(log_N, log_D)


def _best_sizes(law: AbstractLaw, log_C: np.ndarray, log_k: float, low: float, high: float) -> np.ndarray:
    """log N of least loss at each budget, up to three decades beyond the sizes."""
    bounds = Bounds(N=(float(np.exp(low - _BEYOND)), float(np.exp(high + _BEYOND))), ratio=(1e-30, 1e30))
    best = allocate(law, np.exp(log_C), cost=SixND(float(np.exp(log_k))), bounds=bounds)
    return np.log(np.asarray(best.N, np.float64))
