"""FILE and how it is read: what every command on a table of runs asks for, as one object."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any

from jaxscale.cli import options

if TYPE_CHECKING:
    from pathlib import Path

    from jaxscale.studies import Study


@dataclass(frozen=True)
class Source:
    """A table of runs, or `data:NAME`, with the options on how it is read."""

    file: options.Table
    map: options.Map = None
    where: options.Where = None
    run_id: options.RunId = None
    last_of: options.LastOf = None
    duplicates: options.Duplicates = None
    tokens_per_byte: options.PerByte = None
    tokens_per_character: options.PerCharacter = None
    decimal: options.Decimal = None
    sheet: options.Sheet = None
    max_table: options.MaxTable = None

    def study(self, stated: list[str] | None = None, **more: Any) -> "Study":
        """The runs, read with what else a command asks of them. Raises `BadInput`."""
        from jaxscale.cli.inputs import study_of

        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("file", "map", "where")}
        return study_of(self.file, self.map or (), self.where, stated, **own, **more)

    @property
    def reads(self) -> dict[str, "Path | None"]:
        """The file that is read, as `targets.check` takes it."""
        from jaxscale.cli.inputs import local

        return {"FILE": local(self.file)}


def spread(command: Callable[..., Any]) -> inspect.Signature:
    """The signature of `command`, a `Source` in it as its fields: typer makes an option of each."""
    found = []
    for given in inspect.signature(command).parameters.values():
        if given.annotation is not Source:
            found.append(given.replace(kind=given.KEYWORD_ONLY))
            continue
        found += [
            inspect.Parameter(
                f.name,
                given.KEYWORD_ONLY,
                annotation=f.type,
                default=inspect.Parameter.empty if f.default is MISSING else f.default,
            )
            for f in fields(Source)
        ]
    return inspect.Signature(found)


def gathered(command: Callable[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `command` out of those of its spread signature."""
    return {
        name: Source(**{f.name: given[f.name] for f in fields(Source)}) if p.annotation is Source else given[name]
        for name, p in inspect.signature(command).parameters.items()
    }
