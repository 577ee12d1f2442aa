"""The rows under reading: located columns, numbers, labels, and what was done to them."""

from collections.abc import Mapping, Sequence

import numpy as np

from jaxscale.core.errors import BadInput
from jaxscale.core.groups import EXACT, label
from jaxscale.studies import units
from jaxscale.studies.checks import checks
from jaxscale.studies.exclusions import Exclusion
from jaxscale.studies.expressions import mask_of
from jaxscale.studies.options import Names
from jaxscale.studies.tables.columns import OwnersTable
from jaxscale.studies.tables.numerals import Numerals, numerals
from jaxscale.studies.tables.shapes import explained


class Sheet:
    """The rows under reading: the owner's table, what was done to it, and what must be said about it."""

    def __init__(self, owner: OwnersTable, where: str | None) -> None:
        table = owner.columns
        total = len(next(iter(table.values())))
        self.table, self.rows = dict(table), np.arange(1, total + 1)
        self.done: list[str] = []
        self.remarks: list[str] = [*owner.remarks]
        self.exclusions = ""
        self.units = owner.units
        self.levels: dict[str, tuple[str, ...]] = {}  # by symbol, the texts that its numbers stand for
        self.wanting: list[str] = []  # columns in use that have missing or infinite cells
        self._read: dict[str, Numerals] = {}
        if where is not None:
            mask = mask_of(where, table)
            if not mask.any():
                raise BadInput(f"where: no row of {total} fulfils {where!r}; loosen the filter")
            self.keep(mask, where)

    def keep(self, mask: np.ndarray, rule: str) -> None:
        """Leave out the rows where `mask` is false, by a rule that is recorded."""
        self.exclusions = Exclusion(int(mask.sum()), len(self.rows), rule).after(self.exclusions)
        self.table, self.rows = {name: column[mask] for name, column in self.table.items()}, self.rows[mask]
        self._read = {name: read.of(mask) for name, read in self._read.items()}

    def locate(self, text: str, role: str) -> tuple[str, str | None]:
        """Column and unit of `"column[unit]"`. Raises `BadInput` where there is no such column."""
        name, unit = units.split_unit(text)
        # A header that itself reads "tokens[B]" states its unit.
        column = name if name in self.table or text not in self.table else text
        if column not in self.table and (shape := explained(self.table)):
            raise BadInput(f"{role}: there is no column {column!r}; {shape}")
        return checks.known(column, self.table, role), unit

    def in_units(self, mapping: Mapping[str, str]) -> dict[str, str]:
        """The mapping, with the units of a row of units where it states none."""
        for text in mapping.values():
            name, unit = units.split_unit(str(text))
            if unit is not None and self.units.get(name, unit) != unit:
                self.remarks.append(
                    f"column {name!r}: taken in [{unit}], not in the [{self.units[name]}] under its header"
                )
        return {symbol: self.in_unit(text) for symbol, text in mapping.items()}

    def in_unit(self, text: str) -> str:
        """`"column"` as `"column[unit]"` where a row of units has one for it."""
        return f"{text}[{self.units[text]}]" if isinstance(text, str) and text in self.units else text

    def read(self, name: str) -> Numerals:
        """A column as numbers, parsed once however often it is asked for."""
        if name not in self._read:
            self._read[name] = numerals(self.table[name])
        return self._read[name]

    def numbers(self, name: str, *, suffixes: bool = False) -> np.ndarray:
        """Finite float64 values of a column. Raises `BadInput`."""
        values = checks.numbers(name, self.table[name], self.read(name), self.rows, suffixes=suffixes)
        if self.suffixed(name):
            self.remarks.append(f"column {name!r}: suffixes such as 1.3B were read as numbers")
        checks.finite(name, values, self.rows, self.wanting)
        return values

    def wants(self, name: str) -> bool:
        """Whether cells of the column are missing or infinite."""
        read = self.read(name)
        return bool((~read.unread & ~np.isfinite(read.values)).any())

    def suffixed(self, name: str) -> bool:
        """Whether cells of the column carry a suffix such as the B of `1.3B`."""
        return bool(self.read(name).suffixed.any())


def labels(sheet: Sheet, names: Names, role: str) -> tuple[tuple[str, ...], np.ndarray]:
    """Distinct labels of one or several columns, and the index per row. Raises `BadInput` on a missing one.

    `role` names the option that gave the columns.
    """
    if names is None or not len(sheet.rows):
        return (), np.zeros(len(sheet.rows), dtype=np.int64)
    cells = [sheet.table[checks.known(n, sheet.table, role)] for n in ([names] if isinstance(names, str) else names)]
    for i, row in enumerate(zip(*cells, strict=True)):
        if any(cell is None or cell != cell for cell in row):
            raise BadInput(f"row {sheet.rows[i]}, column {names!r}: expected a label, got a missing value; fill it in")
        # Several columns together tell rows apart all the same, and may be measured numbers, such as FLOP.
        if len(row) == 1 and any(not isinstance(cell, str) and abs(cell) >= EXACT for cell in row):
            raise BadInput(
                f"row {sheet.rows[i]}, column {names!r}: expected a label, got a number of so many digits that "
                "it is not told apart from its neighbours; give it as text"
            )
    return labelled([" / ".join(label(cell) for cell in row) for row in zip(*cells, strict=True)])


def labelled(labels: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Distinct labels in the order of first appearance, and the index of each row's."""
    order = {label: i for i, label in enumerate(dict.fromkeys(labels))}
    return tuple(order), np.array([order[label] for label in labels], dtype=np.int64)
