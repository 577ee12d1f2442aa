"""Checks of options that belong together."""

from jaxscale.compose import Pooled
from jaxscale.core.errors import BadInput
from jaxscale.core.law import AbstractLaw
from jaxscale.core.ranges import SEED, Range, many
from jaxscale.infer.posterior.batched import ENGINES, Engine
from jaxscale.objectives.likelihood import Likelihood
from jaxscale.objectives.parse import objective_from_name
from jaxscale.solve.batch import Solver
from jaxscale.solve.solvers import solver_from_name
from jaxscale.studies import Study


def whole(text: str, option: str, least: int, like: int = 4000) -> int:
    """A whole number of at least `least`, and at most what memory holds. Raises `BadInput`."""
    return _within(text, option, many(least, like=str(like)))


def seed_of(text: str) -> int:
    """A seed. Raises `BadInput`."""
    return _within(text, "--seed", SEED)


def _within(text: str, option: str, allowed: Range) -> int:
    try:
        value: int | str = int(text)
    except ValueError:
        value = text
    allowed.check(value, option)
    return int(value)


def likelihood_of(text: str) -> Likelihood:
    """A noise model by its name. Raises `BadInput`, on a penalty too."""
    try:
        chosen = objective_from_name(text)
    except BadInput as error:
        raise BadInput(str(error).replace("objective", "--likelihood", 1)) from None
    if not isinstance(chosen, Likelihood):
        raise BadInput(
            f"--likelihood: expected a noise model, got the penalty {text}, which has no scale and so no posterior; "
            "use student-t:5, gaussian or huber-density:1"
        )
    return chosen


def solver_of(text: str, max_steps: int | None) -> Solver:
    """A solver by its name, with --max-steps where they are given. Raises `BadInput`."""
    if max_steps is not None:
        whole(str(max_steps), "--max-steps", least=1, like=1000)
    try:
        return solver_from_name(text, max_steps)
    except BadInput as error:
        raise BadInput(str(error).replace("solver", "--solver", 1)) from None


def engine_of(text: str) -> Engine:
    """What draws bagged posteriors. Raises `BadInput`."""
    if text not in ENGINES:
        raise BadInput(f"--engine: expected one of {', '.join(ENGINES)}, got {text!r}")
    return text


def joint(
    law: AbstractLaw, split: str | None, group: str | None, study: Study, partial: str | None = None
) -> AbstractLaw:
    """The law itself, or one for all groups: parameters in `split` separate, those in `partial` partially pooled.

    Raises `BadInput`.
    """
    if split is None and partial is None:
        return law
    levels = {"--split": names_of(split, "--split"), "--partial": names_of(partial, "--partial")}
    asked = "--split" if split is not None else "--partial"
    if not study.groups:
        raise BadInput(
            f"{asked}: expected --group with the column that tells the data sets of {study.name!r} apart, got "
            f"{'none' if group is None else repr(group)}; the columns are {', '.join(list(study.table)[:20])}"
        )
    return Pooled(law, levels["--split"], study.groups, levels["--partial"])


def names_of(text: str | None, option: str) -> list[str]:
    """Names separated by commas. Raises `BadInput` on an empty list."""
    if text is None:
        return []
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise BadInput(f"{option}: expected parameters separated by commas, got {text!r}; write it as in {option} E,A")
    return names
