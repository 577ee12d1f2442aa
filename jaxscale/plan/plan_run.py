"""One planned run with its intervals, its reach and what to say about it: what `text` and `record` both show."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from jaxscale.core.ensemble import Ensemble, ensemble_doubts
from jaxscale.core.errors import BadInput
from jaxscale.core.evaluate import at_points
from jaxscale.core.flops import FLOP_PER_PARAM_TOKEN
from jaxscale.core.groups import index_of
from jaxscale.core.law import signature
from jaxscale.core.runs import Runs
from jaxscale.core.scale import decades_beyond
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.forecast.forecast import FAR, LEVELS, no_intervals
from jaxscale.plan.allocate import Bounds, allocate, summary
from jaxscale.plan.cost import SixND
from jaxscale.plan.invert import LEAST, MOST, flops_for


@dataclass(frozen=True)
class Planned:
    """The compute-optimal run of one budget.

    - `point`: N (parameters), D (tokens), loss (the law's unit); `quantiles` of the same, None without an ensemble.
    - `target_loss`: what was asked for, None where a budget was; `quantiles["flops"]` is then present.
    - `on_bound`: the optimum is an end of the allowed range; `bound_share`: the share of draws for which it is.
    - `decades`: how far the run lies beyond the fitted ones, in powers of ten of N, D or compute.
    - `per_token`: FLOP per parameter and token that the budget counts.
    - `alternatives`: half and twice the size at the same budget: N, D, loss, `regret` (relative excess of loss).
    """

    flops: float
    point: Mapping[str, float]
    quantiles: Mapping[str, Mapping[str, float]] | None
    on_bound: bool
    bound_share: float
    decades: float
    alternatives: tuple[Mapping[str, float], ...]
    remarks: tuple[str, ...]
    group: str | None = None
    target_loss: float | None = None
    per_token: float = FLOP_PER_PARAM_TOKEN


def plan_run(
    fit: Fit,
    ensemble: Ensemble | None = None,
    *,
    flops: float | None = None,
    loss: float | None = None,
    bounds: Bounds | None = None,
    group: str | None = None,
    per_token: float = FLOP_PER_PARAM_TOKEN,
) -> Planned:
    """The best run for `flops`, or for the smallest budget that reaches `loss`, at `per_token` N D FLOP.

    Raises `BadInput`.
    """
    if (flops is None) == (loss is None):
        raise BadInput("plan: expected either a budget (flops) or a target loss, got both or none; give one of them")
    bounds = (Bounds() if bounds is None else bounds).check()
    index, cost = group_index(fit, group), SixND(per_token)
    label = group_label(fit, index)
    kept = None if ensemble is None else ensemble.ok()
    needed = None
    if loss is not None:
        flops = _budget_for(fit, loss, cost, bounds, index, label)
        if kept is not None:
            needed = np.asarray(flops_for(kept, loss, cost=cost, bounds=bounds, group=label), np.float64)
    assert flops is not None
    _possible(flops, cost, bounds)
    best = allocate(fit.law, flops, cost=cost, bounds=bounds, group=label)
    draws = None if kept is None else allocate(kept, flops, cost=cost, bounds=bounds, group=label)
    found = summary(best, draws, LEVELS)
    point = found["point"]
    quantiles = found.get("quantiles")
    if quantiles is not None and draws is not None:
        ratio = np.asarray(draws.D, np.float64) / np.asarray(draws.N, np.float64)
        quantiles["tokens_per_param"] = {f"{q:g}": float(np.quantile(ratio, q)) for q in LEVELS}
        if needed is not None:
            # Order statistics, not interpolation: a budget may be infinite.
            quantiles["flops"] = {f"{q:g}": float(np.quantile(needed, q, method="nearest")) for q in LEVELS}
    share = 0.0 if draws is None else float(np.mean(np.asarray(draws.on_bound)))
    decades = float(decades_beyond(_of_group(fit, index), as_inputs(point["N"], point["D"], per_token)).max())
    on_bound = bool(best.on_bound)
    return Planned(
        flops=flops,
        point=point,
        quantiles=quantiles,
        on_bound=on_bound,
        bound_share=share,
        decades=decades,
        alternatives=_alternatives(fit, point, index, per_token),
        remarks=_remarks(fit, ensemble, on_bound, share, decades),
        group=label,
        target_loss=loss,
        per_token=per_token,
    )


def as_inputs(N: Any, D: Any, per_token: float = FLOP_PER_PARAM_TOKEN) -> dict[str, np.ndarray]:
    """N and D (broadcasting), and what laws derive from them: C = `per_token` N D and M = D/N."""
    N, D = np.atleast_1d(np.asarray(N, np.float64)), np.atleast_1d(np.asarray(D, np.float64))
    return {"N": N, "D": D, "C": per_token * N * D, "M": D / N}


def group_index(fit: Fit, group: str | None) -> int:
    """Index of a group's label. Raises `BadInput` where a joint law is asked without one, or with another."""
    joint = "group" in signature(fit.law).inputs
    if group is None and not joint:
        return 0
    if not joint:
        raise BadInput(f"group: expected none, for the law is not a joint one, got {group!r}; leave the group out")
    if group is None:
        raise BadInput(
            f"group: expected one of {', '.join(fit.groups)}, got none; name the one to ask about: `group=...`"
        )
    return int(index_of(group, fit.groups)[0])


def group_label(fit: Fit, index: int) -> str | None:
    """A group as `allocate` wants it: its label; None of a law that is not a joint one."""
    return fit.groups[index] if "group" in signature(fit.law).inputs else None


def loss_at(
    fit: Fit,
    N: Any,
    D: Any,
    group: int = 0,
    ensemble: Ensemble | None = None,
    per_token: float = FLOP_PER_PARAM_TOKEN,
) -> np.ndarray:
    """The law (shape (m,)), or every law of an ensemble (shape (draws, m)), at N and D."""
    inputs = {k: v for k, v in as_inputs(N, D, per_token).items() if k in signature(fit.law).inputs}
    if "group" in signature(fit.law).inputs:
        inputs["group"] = np.asarray([group], np.int32)
    if ensemble is not None:
        return np.asarray(ensemble(**inputs), np.float64)
    return at_points(fit.law, inputs)


def _of_group(fit: Fit, index: int) -> Runs:
    runs = fit.runs
    if "group" not in signature(fit.law).inputs:
        return runs
    return eqx.tree_at(lambda r: r.weight, runs, jnp.where(runs.group == index, runs.weight, 0))


def _budget_for(fit: Fit, loss: float, cost: SixND, bounds: Bounds, index: int, label: str | None) -> float:
    unit = signature(fit.law).output.unit
    flops = float(flops_for(fit.law, loss, cost=cost, bounds=bounds, group=label))
    if not math.isfinite(flops):
        floor = np.atleast_1d(np.asarray(fit.params.get("E", np.nan), np.float64))
        known = f"; the fitted floor E is {floor[index % floor.size]:.4g}" if np.isfinite(floor).all() else ""
        raise BadInput(
            f"loss: no budget up to {MOST:g} FLOP reaches {loss:g} {unit} under this fit{known}; ask for a larger loss"
        )
    if flops < 2 * LEAST:
        raise BadInput(f"loss: a run of {LEAST:g} FLOP reaches {loss:g} {unit} already; ask for a smaller loss")
    return flops


def _possible(flops: float, cost: SixND, bounds: Bounds) -> None:
    """Ratio and size bounds may exclude each other at a budget: N = sqrt(C / (6 ratio)) where C = 6ND."""
    if not (math.isfinite(flops) and flops > 0):
        raise BadInput(f"flops: expected a positive finite number of FLOP, got {flops:g}; write it like 1e24")
    low = max(bounds.N[0], math.sqrt(flops / cost.per_token / bounds.ratio[1]))
    high = min(bounds.N[1], math.sqrt(flops / cost.per_token / bounds.ratio[0]))
    if low >= high:
        raise BadInput(
            f"bounds: at {flops:g} FLOP no run has {bounds.N[0]:g} to {bounds.N[1]:g} parameters and "
            f"{bounds.ratio[0]:g} to {bounds.ratio[1]:g} tokens per parameter; widen the size or the ratio"
        )


def _alternatives(
    fit: Fit, point: Mapping[str, float], index: int, per_token: float
) -> tuple[Mapping[str, float], ...]:
    N = np.array([0.5, 2.0]) * point["N"]
    D = point["N"] * point["D"] / N
    losses = loss_at(fit, N, D, index, per_token=per_token)
    return tuple(
        {"N": float(n), "D": float(d), "loss": float(x), "regret": float(x / point["loss"] - 1)}
        for n, d, x in zip(N, D, losses, strict=True)
    )


def _remarks(fit: Fit, ensemble: Ensemble | None, on_bound: bool, share: float, decades: float) -> tuple[str, ...]:
    found = []
    if on_bound:
        found.append(
            "On a bound: the law's loss falls towards an end of the allowed range; this is no minimum. Set bounds "
            "that you would accept, or use a law that is trusted there."
        )
    elif share:
        found.append(f"For {share:.1%} of the draws the optimum lies on a bound of the allowed range.")
    if decades > FAR:
        found.append(
            f"Extrapolation: this run lies {decades:.1f} decades beyond the fitted runs; the intervals hold the "
            "parameters' uncertainty under this law only, and cover less the further out."
        )
    if ensemble is None:
        found.append(no_intervals(fit))
    return (*found, *ensemble_doubts(ensemble))
