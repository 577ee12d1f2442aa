"""Columns of an owner's table as canonical columns: counts, FLOP, nats per token, noise, weights."""

from collections.abc import Mapping

import numpy as np

from jaxscale.core.errors import BadInput
from jaxscale.core.flops import FLOP_PER_PARAM_TOKEN, training_flops
from jaxscale.core.quantities import SCHEDULE
from jaxscale.studies import units
from jaxscale.studies.checks import checks
from jaxscale.studies.options import Options
from jaxscale.studies.sheet import Sheet, labels

CANONICAL = {"N": "params", "D": "tokens", "C": "FLOP", "M": "tokens/param", "S": "steps"}
SCALED = {"N": "M", "D": "B", "C": "EFLOP"}  # units that tables often keep these in
_FORMULAS = {("C", "6ND"): "6 N D", ("D", "C/6N"): "C / (6 N)", ("N", "C/6D"): "C / (6 D)"}


def canonical(
    sheet: Sheet, mapping: Mapping[str, str], options: Options
) -> tuple[dict[str, np.ndarray], dict[str, str], dict[str, str]]:
    """Columns, units and owner's column names by symbol; formulas such as `6ND` are applied last. Raises `BadInput`."""
    columns: dict[str, np.ndarray] = {}
    unit_of: dict[str, str] = {}
    names: dict[str, str] = {}
    derived = {}
    sheet.wanting = [name for name in map(_bare, mapping.values()) if name in sheet.table and sheet.wants(name)]
    for symbol, text in mapping.items():
        if not isinstance(text, str):
            raise BadInput(f"{symbol}: expected a column with its unit, as in {symbol}='column[unit]', got {text!r}")
        squeezed = "".join(mark for mark in text.upper() if mark not in " *()")
        if (symbol, squeezed) in _FORMULAS and text not in sheet.table:
            derived[symbol] = _FORMULAS[symbol, squeezed]
            continue
        name, unit = sheet.locate(text, symbol)
        if name in names.values():
            other = next(s for s, n in names.items() if n == name)
            raise BadInput(f"column {name!r} is mapped to {other} and to {symbol}; map it once")
        names[symbol] = name
        if unit == SCHEDULE.unit:
            sheet.levels[symbol], index = labels(sheet, name, symbol)
            columns[symbol], unit_of[symbol] = index.astype(np.float64), SCHEDULE.unit
            continue
        read_one = _loss if symbol in ("loss", options.target) and symbol not in CANONICAL else _count
        columns[symbol], unit_of[symbol] = read_one(sheet, symbol, name, unit, options)
    for symbol, formula in derived.items():
        needed = [s for s in "NDC" if s in formula and s != symbol]
        lacking = [s for s in needed if s not in columns]
        if lacking:
            raise BadInput(f"{symbol}={mapping[symbol]} needs {lacking[0]}, which is not mapped; map a column to it")
        for s in needed:
            if s in names and not units.usual(_unit(mapping, s), s):
                raise BadInput(f"{symbol}={mapping[symbol]} is not for {s} in {unit_of[s]}; map a column to {symbol}")
        a, b = (columns[s] for s in (needed if symbol == "C" else ["C", *(s for s in needed if s != "C")]))
        columns[symbol] = training_flops(a, b) if symbol == "C" else a / (FLOP_PER_PARAM_TOKEN * b)
        unit_of[symbol] = CANONICAL[symbol]
        sheet.done.append(f"{symbol} = {formula}")
    ordinary = [s for s in "NDC" if s in names and units.usual(_unit(mapping, s), s)]
    if len(ordinary) == 3:
        checks.compute_agrees(columns["N"], columns["D"], columns["C"], names, sheet.rows)
    for symbol in ordinary:
        checks.plausible(symbol, names[symbol], columns[symbol], _unit(mapping, symbol), sheet.rows)
    return columns, unit_of, names


def _bare(text: object) -> str:
    return units.split_unit(str(text))[0]


def _unit(mapping: Mapping[str, str], symbol: str) -> units.CountUnit:
    return units.count_unit(units.split_unit(mapping[symbol])[1], symbol)


def _count(sheet: Sheet, symbol: str, name: str, text: str | None, _: Options) -> tuple[np.ndarray, str]:
    unit = units.count_unit(text, symbol)
    if unit.scale != 1.0 and sheet.suffixed(name):
        raise BadInput(
            f"column {name!r}: its cells carry suffixes (1.3B) and the mapping the unit [{text}]; state the scale once"
        )
    values = sheet.numbers(name, suffixes=True)
    if symbol in units.USUAL and units.usual(unit, symbol):
        checks.positive(name, values, sheet.rows, symbol)
    if unit.scale != 1.0:
        sheet.done.append(f"{symbol} = {name} x {unit.scale:g}")
    return values * unit.scale, unit.word


def _loss(sheet: Sheet, symbol: str, name: str, text: str | None, options: Options) -> tuple[np.ndarray, str]:
    unit = units.loss_unit(text, symbol)
    values = sheet.numbers(name)
    if unit.logarithm:
        checks.positive(name, values, sheet.rows, "a perplexity", above=1.0)
        sheet.done.append(f"{symbol} = ln({name})")
        return np.log(values), "nats"
    if unit.positive:
        checks.positive(name, values, sheet.rows, symbol)
    if unit.name == "nats" and len(values) and values.min() > 15.0:
        raise BadInput(
            f"column {name!r}: its smallest value, {values.min():g}, is too large for nats per token; it is probably a "
            f"perplexity: write {symbol}={name}[ppl], or {symbol}={name} to take it as it stands"
        )
    factor = _nats_per(sheet, unit, options)
    if factor is None:
        return values, unit.name
    if unit.name != "nats":
        sheet.done.append(f"{symbol} = {name} in {unit.name} x {_told(factor)} nats per token")
    return values * factor, "nats"


def _nats_per(sheet: Sheet, unit: units.LossUnit, options: Options) -> float | np.ndarray | None:
    """Nats per token of one `unit`, or None where no conversion is asked for or known."""
    if unit.per == "token":
        return unit.factor
    rate = {"byte": options.tokens_per_byte, "character": options.tokens_per_character}.get(unit.per)
    if rate is None:
        return None
    if isinstance(rate, str):
        name = checks.known(rate, sheet.table, f"`tokens_per_{unit.per}=...`")
        values = sheet.numbers(name)
        checks.positive(name, values, sheet.rows, f"tokens per {unit.per}")
        return unit.factor / values
    if not (0 < rate < np.inf):
        raise BadInput(
            f"`tokens_per_{unit.per}=...`: expected a positive number, got {rate}; about 0.25 is usual for text"
        )
    return unit.factor / rate


def _told(factor: float | np.ndarray) -> str:
    return f"{factor:g}" if isinstance(factor, float) else "a column of"


def noise_of(sheet: Sheet, options: Options, target: str, unit: str) -> np.ndarray:
    """Known standard deviation of the target, in its unit; zero where none is known. Raises `BadInput`."""
    if options.noise is None:
        return np.zeros(len(sheet.rows))
    if not isinstance(options.noise, str):
        if not (0 <= options.noise < np.inf):
            raise BadInput(f"noise: expected a standard deviation of zero or more, got {options.noise}; correct it")
        return np.full(len(sheet.rows), float(options.noise))
    name, text = sheet.locate(sheet.in_unit(options.noise), "noise")
    values = sheet.numbers(name)
    checks.non_negative(name, values, sheet.rows, "a standard deviation")
    found = units.loss_unit(units.split_unit(target)[1] if text is None else text, "noise")
    if found.logarithm:
        raise BadInput(
            f"noise: column {name!r} is in perplexity, which does not convert; give it in nats: {name}[nats]"
        )
    factor = _nats_per(sheet, found, options)
    converted, in_unit = (values, found.name) if factor is None else (values * factor, "nats")
    if unit and in_unit and in_unit != unit:
        raise BadInput(f"noise: column {name!r} is in {in_unit} and the loss in {unit}; give both in one unit")
    return np.asarray(converted)


def weight_of(sheet: Sheet, column: str) -> np.ndarray:
    """Weights of zero or more, not all zero. Raises `BadInput`."""
    name = checks.known(column, sheet.table, "weight")
    values = sheet.numbers(name)
    checks.non_negative(name, values, sheet.rows, "a weight")
    if not values.any():
        raise BadInput(f"column {name!r}: every weight is zero; give at least one run a positive weight")
    return values
