"""The runs as they come to a fit: which of a table's a law needs, what refuses them, and what is said of them."""

from collections.abc import Iterable

import jax.core
import numpy as np

from jaxscale.core.errors import BadInput
from jaxscale.core.law import AbstractLaw, signature
from jaxscale.core.runs import Runs, Table, check_axes, named_runs
from jaxscale.infer.checks.exact import vanish
from jaxscale.infer.checks.held import against, check_edges
from jaxscale.infer.checks.misfit import misfit
from jaxscale.infer.checks.unused import unused
from jaxscale.infer.search.problem import FitProblem
from jaxscale.objectives.likelihood import Likelihood
from jaxscale.objectives.model import Model
from jaxscale.objectives.objective import AbstractObjective
from jaxscale.objectives.residual import LogResidual


def as_runs(data: Runs | Table, law: AbstractLaw) -> Runs:
    """The runs that `law` needs from a table, or the runs themselves, flattened: a row per number that it predicts.

    Raises `BadInput` where the groups are not those of a joint law, in its order, or arrays have other axes than the
    law's quantities.
    """
    labels = getattr(law, "groups", ())
    if isinstance(data, Runs):
        _indexed(data, labels)
        return flat(data, law)
    if labels and data.groups and tuple(labels) != tuple(data.groups):
        raise BadInput(
            f"groups: {type(law).__name__} has {', '.join(labels)}, and {data.name!r} {', '.join(data.groups)}; "
            "expected the same in the same order: make the law with groups=study.groups"
        )
    return flat(data.runs(signature(law)), law)


def flat(runs: Runs, law: AbstractLaw) -> Runs:
    """One row for each number that `law` predicts. Raises `BadInput` on arrays of other axes than its quantities."""
    check_axes(law, runs)
    return runs.flattened()


def rows_of(data: Runs | Table, law: AbstractLaw) -> np.ndarray | None:
    """The owner's numbers of the rows, where there are any; those of curves stand in another order."""
    return None if signature(law).output.axes else getattr(data, "rows", None)


def check_runs(
    law: AbstractLaw, runs: Runs, objective: AbstractObjective, held: Iterable[str], rows: np.ndarray | None
) -> None:
    """Raises `BadInput` where a run, or a value at which `law` is `held`, cannot be fitted; `rows` name the runs."""
    _usable(runs, rows)
    check_edges(law, runs, held)
    bad = np.flatnonzero(_counted(runs) & (np.asarray(runs.target) <= 0))
    if bad.size and isinstance(objective.residual, LogResidual):
        raise BadInput(
            f"{objective.name}: expected losses above zero, which have a logarithm, got {float(runs.target[bad[0]]):g} "
            f"in {named_runs(bad[:1], rows)}; use an objective of raw residuals, such as raw-huber or raw-squares"
        )


def check_count(problem: FitProblem) -> None:
    """Raises `BadInput` on fewer runs than a fit needs."""
    free, have = len(problem.split.names()), int(_counted(problem.runs).sum())
    # A prior determines what the runs do not.
    need = 1 if problem.prior else free + 1
    if have < need:
        raise BadInput(
            f"{type(problem.template.law).__name__}: expected at least {need} runs for {free} free parameters, got "
            f"{have}; add runs, fix a parameter, or use a law with fewer"
        )


def remarks_on(
    data: Runs | Table, runs: Runs, model: Model, predicted: np.ndarray, free: int, held: Iterable[str]
) -> tuple[str, ...]:
    """What is to be said of the runs, as sentences: the table's own remarks, what has no say, what contradicts the law.

    `model` is the fitted one, of `free` parameters and others `held`; `predicted` (n,) is what it says of the runs.
    """
    law = model.law
    rows = rows_of(data, law)
    said = against(law, runs, held, rows)
    if vanish(runs, predicted) and not isinstance(model.objective, Likelihood):  # which has no optimum there
        said += (
            "The residuals vanish: the law passes through every run to rounding, and runs without noise say nothing "
            "about an error; an interval of them is rounding.",
        )
    elif not said:  # of what a held value does not explain
        said = misfit(runs, predicted, free, losses=signature(law).output.unit == "nats").remarks(rows)
    return (
        *getattr(data, "remarks", ()),
        *unused(data, law, np.asarray(runs.noise)[_counted(runs)]),
        *_unreached(law, runs),
        *said,
    )


def _counted(runs: Runs) -> np.ndarray:
    return np.asarray(runs.weight) > 0


def _indexed(runs: Runs, labels: tuple[str, ...]) -> None:
    """Groups of runs made by hand are indices into a joint law's labels."""
    if not labels or isinstance(runs.group, jax.core.Tracer):
        return
    group = np.asarray(runs.group)
    bad = np.flatnonzero((group < 0) | (group >= len(labels)))
    if bad.size:
        raise BadInput(
            f"runs: group must be an index 0 to {len(labels) - 1}, of {', '.join(labels)}, got {group[bad[0]]} in "
            f"{named_runs(bad[:1], None)}; number the groups in the law's order"
        )


def _usable(runs: Runs, rows: np.ndarray | None) -> None:
    """Studies are checked when read; runs made by hand are checked here."""
    for name, column in (*runs.inputs.items(), ("target", runs.target), ("weight", runs.weight)):
        values = np.asarray(column)
        bad = np.argwhere(~np.isfinite(values))
        if bad.size:
            raise BadInput(
                f"runs: {name} must be finite, got {values[tuple(bad[0])]} in {named_runs(bad[:1, 0], rows)}; "
                "leave that run out, or read the table with Study.read, which says more"
            )
    noise = np.asarray(runs.noise)
    bad = np.flatnonzero(~((noise >= 0) & np.isfinite(noise)))
    if bad.size:
        raise BadInput(
            f"runs: noise must be a standard deviation, finite and not negative, got {noise[bad[0]]} in "
            f"{named_runs(bad[:1], rows)}; give 0 where it is not known"
        )


def _unreached(law: AbstractLaw, runs: Runs) -> tuple[str, ...]:
    """Losses that no parameters of the law give, as a sentence."""
    low = int(np.sum(_counted(runs) & (np.asarray(runs.target) < 0)))
    if not low or not signature(law).output.positive:
        return ()
    return (
        f"{low} {'loss is' if low == 1 else 'losses are'} below zero, and {type(law).__name__} is above it whatever "
        "its parameters: its floor cannot follow; give losses that are not relative to another, or a law whose floor "
        "is free.",
    )
