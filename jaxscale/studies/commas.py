"""Commas that no cell decides: `1,234` everywhere. What they can mean is asked of the quantities that are mapped."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from jaxscale.core.errors import BadInput
from jaxscale.studies.tables.columns import OwnersTable
from jaxscale.studies.tables.numerals import COMMAS, plainly, undecided
from jaxscale.studies.units import split_unit


def decided[T](table: OwnersTable, mapping: Mapping[str, str], read: Callable[[OwnersTable], T]) -> T:
    """`read(table)`, the commas in it as they can be meant if only one way passes all of its checks of what is mapped.

    Where both ways pass, or none, the cells stay text, which `read` refuses with both readings.
    """
    used = {split_unit(str(text))[0] for text in mapping.values()}
    if not any(undecided(column) for name, column in table.columns.items() if name in used):
        return read(table)
    passing = []
    for mark in COMMAS:
        columns, said = plainly(table.columns, decimal=mark)
        words = [f"{remark}: read the other way, the values are none of what they are mapped to" for remark in said]
        try:
            passing.append(read(replace(table, columns=columns, remarks=(*table.remarks, *words))))
        except BadInput:
            continue  # that it is no reading is the answer
    return passing[0] if len(passing) == 1 else read(table)
