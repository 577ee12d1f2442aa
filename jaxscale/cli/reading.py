"""Checks of options that belong together."""

from jaxscale.core.errors import BadInput
from jaxscale.core.law import AbstractLaw
from jaxscale.objectives import Pooled
from jaxscale.studies import Study


def whole(text: str, option: str, least: int) -> int:
    """A whole number of at least `least`. Raises `BadInput`."""
    try:
        value = int(text)
    except ValueError:
        value = None
    if value is None or value < least:
        raise BadInput(f"{option}: expected a whole number of at least {least}, got {text}; write it like 4000")
    return value


def joint(law: AbstractLaw, split: str | None, group: str | None, study: Study) -> AbstractLaw:
    """The law itself, or one for all groups with the parameters in `split` separate. Raises `BadInput`."""
    if split is None:
        return law
    names = [name.strip() for name in split.split(",") if name.strip()]
    if not names:
        raise BadInput(f"--split: expected parameters separated by commas, got {split!r}; write it as in --split E,A")
    if not study.groups:
        raise BadInput(
            f"--split: expected --group with the column that tells the data sets of {study.name!r} apart, got "
            f"{'none' if group is None else repr(group)}; the columns are {', '.join(list(study.table)[:20])}"
        )
    return Pooled(law, names, study.groups)
