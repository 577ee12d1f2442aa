"""How a table is read, beyond its mapping."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from jaxscale.studies.tables.budget import USUAL

type Names = str | Sequence[str] | None


@dataclass(frozen=True)
class Options:
    """How a table is read, beyond its mapping.

    - `where`: filter on the table's own columns; the rows left out are recorded.
    - `group`, `run_id`: column or columns whose values label groups, and runs that share noise.
    - `last_of`: a column that names runs, of which the last row with finite numbers in all that is mapped is read.
    - `weight`: a column; `noise`: a column, with a unit as for the loss, or one number.
    - `n_convention`: "with embeddings", "without embeddings", or a column of these.
    - `tokens_per_byte`, `tokens_per_character`: a number or a column, for losses per byte or character.
    - `max_table`: bytes of memory ("4GB") that a file may take once it is decompressed and read.
    - `sheet`: which one of an Excel file; the first where none is named.
    - `decimal`: the mark before decimals, "," or ".", of a text whose cells do not tell, as 1,234 does not.
    - `target`: symbol of what the law predicts.
    - `duplicates`: "once" counts copies of a whole row once and keeps rows that are equal in what is mapped only,
      "keep" keeps copies too, "refuse" refuses both; whatever is found is said.
    - `name`, `source`, `licence`, `provenance`: what is kept with the numbers. Facts by the name of a question of the
      fit card (`tuning`, `batch_size`, `training_data`, ...) answer it.
    """

    where: str | None = None
    group: Names = None
    run_id: Names = None
    last_of: str | None = None
    weight: str | None = None
    noise: str | float | None = None
    n_convention: str | None = None
    tokens_per_byte: float | str | None = None
    tokens_per_character: float | str | None = None
    max_table: str | float = USUAL
    sheet: str | None = None
    decimal: str | None = None
    target: str = "loss"
    duplicates: str = "once"
    name: str | None = None
    source: str | None = None
    licence: str = "undeclared"
    provenance: Mapping[str, str] = field(default_factory=dict)


def options_of(given: Mapping[str, Any]) -> Options:
    """`Options` from keywords. Raises `TypeError` naming the options there are."""
    known = [f.name for f in fields(Options)]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise TypeError(f"reading a study has no option {unknown}; its options are {known}")
    return Options(**given)
