"""What a column of runs must be. Every refusal is one sentence: row, column, value, remedy.

Rows are counted from 1 in the table as its owner has it (the header is no row), and columns carry the
owner's names. Nothing here drops or repairs a value.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from jaxscale.core.errors import BadInput
from jaxscale.core.flops import FLOP_PER_PARAM_TOKEN, PETAFLOP_DAY, training_flops
from jaxscale.studies.tables.columns import brief
from jaxscale.studies.tables.numerals import Numerals, both_readings
from jaxscale.studies.units import CountUnit

type Rows = np.ndarray

CONVENTIONS = {
    **dict.fromkeys(["with embeddings", "with", "total", "with_embeddings"], "with embeddings"),
    **dict.fromkeys(["without embeddings", "without", "non_embedding", "non-embedding"], "without embeddings"),
    "undeclared": "undeclared",
}
# C / (6 N D) outside this range is no matter of counting attention or embeddings.
_SIX_ND = (0.2, 5.0)
_COMPUTE = ((1e9, "GFLOP"), (1e12, "TFLOP"), (1e15, "PFLOP"), (1e18, "EFLOP"), (1e21, "ZFLOP"))
_ALIKE = np.log(2.0)  # so far apart, the rows' ratios of C to 6ND may be those of one architecture


def first(bad: np.ndarray, rows: Rows) -> tuple[int, str]:
    """Position of the first bad row and how a sentence names it, others counted."""
    where = np.flatnonzero(bad)
    more = f" (and {len(where) - 1} more rows)" if len(where) > 1 else ""
    return int(where[0]), f"row {rows[where[0]]}{more}"


def known(name: str, names: Iterable[str], role: str, kind: str = "column") -> str:
    """`name`, if it is one of `names`, which are of a `kind`. Raises `BadInput` with close matches."""
    names = list(names)
    if name not in names:
        near = get_close_matches(name, names, n=3)
        hint = f"did you mean {', '.join(map(repr, near))}?" if near else f"the {kind}s are {', '.join(names[:20])}"
        raise BadInput(f"{role}: there is no {kind} {name!r}; {hint}")
    return name


def numbers(name: str, column: np.ndarray, read: Numerals, rows: Rows, *, suffixes: bool) -> np.ndarray:
    """float64 values of a column that was `read`. Refuses text, and suffixes such as the B of `1.3B` unless asked."""
    bad = read.unread | (read.suffixed if not suffixes else False)
    if bad.any():
        i, where = first(bad, rows)
        two = both_readings(column[i])
        remedy = f"it may be {two}: say which" if two else "write a plain number"
        if i == 0 and bad.sum() == 1 and len(rows) > 1:
            remedy = f"if it is a unit, delete the row and map {name}[unit]; else write a plain number"
        raise BadInput(
            f"{where}, column {name!r}: expected a number, got the text {brief(column[i])}; {remedy}, or leave the row "
            "out with a filter: `where=...`"
        )
    return read.values


def finite(name: str, values: np.ndarray, rows: Rows, also: Sequence[str] = ()) -> None:
    """Refuses NaN, missing cells and infinities; the filter that helps names the columns that `also` have some."""
    bad = ~np.isfinite(values)
    if bad.any():
        i, where = first(bad, rows)
        got = "a missing value (NaN)" if np.isnan(values[i]) else f"{values[i]}"
        columns = [_filterable(column) for column in dict.fromkeys([name, *also])]
        rule = " and ".join(f"{column} is not None and {column} < 1e300" for column in columns)
        raise BadInput(
            f"{where}, column {name!r}: expected a finite number, got {got}; "
            f'fill it in, or leave such rows out with the filter "{rule}"'
        )


def positive(name: str, values: np.ndarray, rows: Rows, symbol: str, above: float = 0.0) -> None:
    """Refuses values that are not above `above`."""
    bad = ~(values > above)
    if bad.any():
        i, where = first(bad, rows)
        raise BadInput(
            f"{where}, column {name!r}: expected {symbol} above {above:g}, got {values[i]:g}; "
            f'correct it, or leave such rows out with the filter "{_filterable(name)} > {above:g}"'
        )


def non_negative(name: str, values: np.ndarray, rows: Rows, role: str) -> None:
    """Refuses negative weights and noise."""
    bad = ~(values >= 0)
    if bad.any():
        i, where = first(bad, rows)
        raise BadInput(f"{where}, column {name!r}: expected {role} of zero or more, got {values[i]:g}; correct it")


def _filterable(name: str) -> str:
    return name if name.isidentifier() else f"`{name}`"


@dataclass(frozen=True)
class _Range:
    # Where the largest value of any real set of runs lies; a unit was forgotten, or applied twice, outside.
    least: float
    most: float
    what: str
    unit: str
    scaled: str
    probably: str


_RUN = (1e16, 1e27)  # FLOP of the largest run of a study, from toys to the largest there are
_PLAUSIBLE = {
    "N": _Range(1e3, 1e16, "parameters", "params", "M", "in millions or billions"),
    "D": _Range(1e6, 1e18, "tokens", "tokens", "B", "in billions or millions"),
    "C": _Range(1e12, 1e34, "FLOP", "FLOP", "EFLOP", "in a larger unit"),
}


def plausible(symbol: str, name: str, values: np.ndarray, unit: CountUnit, rows: Rows) -> None:
    """Refuses counts that are surely in another unit: too small where no unit was stated, too large anywhere."""
    known, largest = _PLAUSIBLE[symbol], float(values.max())
    if np.median(values) <= known.most < largest:
        i, where = first(values > known.most, rows)
        raise BadInput(
            f"{where}, column {name!r}: comes to {values[i]:g} {known.what}, more than any run has, and other rows do "
            f'not; correct it, or leave such rows out with the filter "{_filterable(name)} < {values[i]:g}"'
        )
    if largest > known.most:
        raise BadInput(
            f"column {name!r}: its largest value comes to {largest:g} {known.what}, more than any run has; "
            f"the values are probably plain counts already: write {symbol}={name}[{known.unit}]"
        )
    if largest < known.least and not unit.stated:
        scaled = {"N": ["M", "B"], "D": ["B"]}.get(symbol) or [
            unit for size, unit in _COMPUTE if _RUN[0] <= size * largest <= _RUN[1]
        ]
        written = " or ".join(f"{symbol}={name}[{unit}]" for unit in scaled or [known.scaled])
        raise BadInput(
            f"column {name!r}: its largest value, {largest:g}, is too small for {known.what}, which are probably "
            f"{known.probably}: write {written}, or {symbol}={name}[{known.unit}] if right"
        )


def compute_agrees(N: np.ndarray, D: np.ndarray, C: np.ndarray, names: dict[str, str], rows: Rows) -> None:
    """Refuses C that is not 6ND within a factor of five, and names the unit that explains it."""
    ratio = C / training_flops(N, D)
    bad = ~((ratio >= _SIX_ND[0]) & (ratio <= _SIX_ND[1]))
    if not bad.any():
        return
    i, where = first(bad, rows)
    middle = float(np.median(ratio))
    remedy = "correct the row, or leave C out of the mapping if it counts something else"
    if np.ptp(np.log(ratio)) < _ALIKE:
        per_token = f"{FLOP_PER_PARAM_TOKEN * middle:.3g}"
        remedy += f" (active parameters of experts), and plan with `cost=SixND(per_token={per_token})`"
    for scale, letter in ((1e3, "K"), (1e6, "M"), (1e9, "B"), (1e12, "T")):
        if _SIX_ND[0] <= middle / scale <= _SIX_ND[1]:
            guilty = "N" if N.max() < D.max() and N.max() < 1e5 else "D"
            what = {"N": "params", "D": "tokens"}[guilty]
            spelled = {"K": "thousands", "M": "millions", "B": "billions", "T": "trillions"}[letter]
            remedy = f"{what} are probably in {spelled}: write {guilty}={names[guilty]}[{letter}]"
    for scale, letter in ((1e15, "M"), (1e18, "B")):
        if _SIX_ND[0] <= middle / scale <= _SIX_ND[1]:
            remedy = f"both are probably scaled: write N={names['N']}[{letter}] and D={names['D']}[B]"
    for size, unit in (*_COMPUTE, (PETAFLOP_DAY, "PF-days")):
        if 0.5 <= middle * size <= 2.0:
            remedy = f"the compute is probably in {unit}: write C={names['C']}[{unit}]"
    raise BadInput(
        f"{where}, column {names['C']!r}: expected C near 6 N D = {training_flops(N[i], D[i]):.4g}, got {C[i]:.4g} "
        f"({ratio[i]:.3g} times as much); {remedy}"
    )


def convention(declared: str | None, column: np.ndarray | None, rows: Rows) -> str:
    """The one convention of N ("with embeddings", "without embeddings", "undeclared"). Refuses a mixture."""
    if column is None:
        found = CONVENTIONS.get((declared or "undeclared").lower())
        if found is None:
            raise BadInput(
                "`n_convention=...`: expected 'with embeddings', 'without embeddings' or a column of these, got "
                f"{declared!r}; choose one"
            )
        return found
    labels = [CONVENTIONS.get(str(value).lower()) for value in column]
    for i, label in enumerate(labels):
        if label is None:
            raise BadInput(
                f"row {rows[i]}, column {declared!r}: expected 'with embeddings' or 'without embeddings', "
                f"got {column[i]!r}; correct it"
            )
        if label != labels[0]:
            raise BadInput(
                f"row {rows[i]}, column {declared!r}: N is counted {label} here and {labels[0]} in row {rows[0]}; "
                f'keep one convention with the filter "{_filterable(str(declared))} == {str(column[0])!r}", or recount'
            )
    return labels[0] or "undeclared"
