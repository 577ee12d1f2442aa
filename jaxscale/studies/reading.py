"""From a table and a mapping to the fields of a `Study`: columns, labels, checks, provenance."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from jaxscale.core.errors import BadInput
from jaxscale.studies import commas, convert, lasts
from jaxscale.studies.aliases import resolve
from jaxscale.studies.checks import checks, duplicates, sanity
from jaxscale.studies.options import Names, Options
from jaxscale.studies.sheet import Sheet, labels
from jaxscale.studies.tables.columns import OwnersTable
from jaxscale.studies.tables.tables import open_table, sha256_of
from jaxscale.studies.units import split_unit


def read(data: Any, mapping: Mapping[str, str] | None, options: Options) -> dict[str, Any]:
    """The fields of a `Study`. Raises `BadInput`, one sentence that names row, column, value and remedy."""
    duplicates.check_way(options.duplicates)
    table, said = opened(data, options), ()
    if not mapping:
        mapping, said = resolve(table.columns, options.target)
    elif options.target not in mapping:
        raise BadInput(
            f"the mapping lacks {options.target}; say which column it is, as in {options.target}=column[nats]"
        )
    return commas.decided(
        replace(table, remarks=(*table.remarks, *said)), mapping, lambda table: _fields(table, data, mapping, options)
    )


def _fields(table: OwnersTable, data: Any, mapping: Mapping[str, str], options: Options) -> dict[str, Any]:
    sheet = Sheet(table, options.where)
    if options.last_of is not None:
        lasts.keep_last(sheet, mapping, options)
    if options.duplicates == "once":
        duplicates.count_once(sheet)
    mapping = sheet.in_units(mapping)
    columns, unit_of, names = convert.canonical(sheet, mapping, options)
    groups, group = labels(sheet, options.group, "group")
    runs, cluster = labels(sheet, options.run_id, "`run_id=...`")
    convention = options.n_convention
    n_column = sheet.table.get(convention) if convention else None
    keys = [*columns.values(), group, *([cluster] if runs else [])]
    named = [*columns, *(["group"] if groups else []), *(["run"] if runs else [])]
    duplicates.equal_rows(sheet, keys, named, refuse=options.duplicates == "refuse")
    _remark(sheet, columns, names, groups, group, bool(runs))
    stated = frozenset(s for s, n in names.items() if split_unit(mapping[s])[1] is not None or sheet.suffixed(n))
    read = sanity.Reading(columns, names, sheet.rows, stated, options.target, unit_of, group, runs_known=bool(runs))
    sheet.remarks.extend(sanity.doubts(read))
    provenance = {
        "source": options.source or (str(data) if isinstance(data, str | Path) else f"a {type(data).__name__}"),
        "licence": options.licence,
        "sha256": sha256_of(Path(data)) if isinstance(data, str | Path) else _digest(columns),
        "n_convention": checks.convention(convention, n_column, sheet.rows),
        "loss_unit": unit_of[options.target] or "undeclared",
        "mapping": ", ".join(f"{symbol}={text}" for symbol, text in mapping.items()),
        "transformations": "; ".join(sheet.done) or "none",
        **({"run_id": _joined(options.run_id)} if runs else {}),
        **({"exclusions": sheet.exclusions} if sheet.exclusions else {}),
        **options.provenance,
    }
    weight = np.ones(len(sheet.rows)) if options.weight is None else convert.weight_of(sheet, options.weight)
    return {
        "name": options.name or (Path(data).name.split(".")[0] if isinstance(data, str | Path) else "table"),
        "columns": columns,
        "units": unit_of,
        "rows": sheet.rows,
        "group": group,
        "cluster": cluster if runs else np.arange(len(sheet.rows)),
        "weight": weight,
        "noise": convert.noise_of(sheet, options, mapping[options.target], unit_of[options.target]),
        "target": options.target,
        "groups": groups,
        "levels": sheet.levels,
        "provenance": provenance,
        "remarks": tuple(sheet.remarks),
        "table": sheet.table,
    }


def opened(data: Any, options: Options) -> OwnersTable:
    """The table as its owner has it. Raises `BadInput`."""
    return open_table(data, options.max_table, sheet=options.sheet, decimal=options.decimal)


def _joined(names: Names) -> str:
    return names if isinstance(names, str) else ", ".join(names or ())


def _digest(columns: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for symbol in sorted(columns):
        digest.update(symbol.encode() + b"\0" + np.ascontiguousarray(columns[symbol], dtype="<f8").tobytes())
    return digest.hexdigest()


def _remark(
    sheet: Sheet,
    columns: Mapping[str, np.ndarray],
    names: Mapping[str, str],
    groups: tuple[str, ...],
    group: np.ndarray,
    grouped_runs: bool,
) -> None:
    for symbol, values in columns.items():
        if len(values) > 1 and np.ptp(values) == 0:
            sheet.remarks.append(f"{symbol} is {values[0]:g} in every row: the runs say nothing about its effect")
    for i, label in enumerate(groups):
        if np.count_nonzero(group == i) == 1:
            sheet.remarks.append(f"group {label!r} has one run only")
    if not grouped_runs and "run_id" in sheet.table and "run_id" not in names.values():
        sheet.remarks.append(
            "column 'run_id' was not given as `run_id=\"run_id\"`: rows are treated as independent runs"
        )
    if {"N", "D"} <= set(columns) and "M" not in columns:
        sheet.done.append("M = D / N where a law asks for it")
