"""A safe filter: `"excluded == 0 and model in ['a', 'b']"` as a mask over the user's own columns.

The text is parsed, never evaluated as Python: comparisons, and/or/not, in, arithmetic, names, numbers and
strings have a meaning here, everything else is refused. `loss is not None` tells present from missing;
a name that is no Python name is quoted with backticks.
"""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import reduce
from typing import Any

import numpy as np

from jaxscale.core.errors import BadInput
from jaxscale.studies.tables.columns import brief
from jaxscale.studies.tables.numerals import is_missing, numerals

_LONGEST = 2000
_ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_ORDER: dict[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_MEANT = "comparisons, and/or/not, in, arithmetic, column names, numbers and quoted text"


def mask_of(text: str, table: Mapping[str, np.ndarray]) -> np.ndarray:
    """True for the rows of `table` that fulfil `text`. Raises `BadInput` where the text is not such a filter."""
    if not text.strip() or len(text) > _LONGEST:
        raise BadInput(f"where: expected a filter of 1 to {_LONGEST} characters, got {len(text)}")
    quoted: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        quoted[key := f"_quoted_{len(quoted)}"] = found[1]
        return key

    try:
        tree = ast.parse(re.sub(r"`([^`]+)`", name, text), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise BadInput(f'where: {text!r} is not a filter; write it with {_MEANT}, as in "loss < 4"') from error
    try:
        with np.errstate(all="ignore"):
            value = _Filter(text, table, quoted).value(tree.body)
    except RecursionError as error:
        raise BadInput(f"where: {text[:60]!r}... is nested too deeply; split it into several filters") from error
    if not _is_mask(value):
        raise BadInput(f'where: {text!r} is not a condition on a column; compare something, as in "loss < 4"')
    return value


def _missing(column: np.ndarray) -> np.ndarray:
    """Cells without a value; in a column of numbers also those that say so, such as `-`."""
    if column.dtype == object and (read := numerals(column)).complete:
        return np.isnan(read.values)
    return np.array([cell is None or cell != cell for cell in column], dtype=bool)


def _is_mask(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == bool and value.ndim == 1


class _Filter:
    def __init__(self, text: str, table: Mapping[str, np.ndarray], quoted: Mapping[str, str]) -> None:
        self.text, self.table, self.quoted = text, table, quoted

    def value(self, node: ast.expr) -> Any:
        match node:
            case ast.Name(id=name):
                return self.column(self.quoted.get(name, name))
            case ast.Constant(value=str() as text):
                return text
            case ast.Constant(value=bool() | int() | float() as number):
                return self.number(number)
            case ast.BoolOp(op=op, values=parts):
                combine = np.logical_and if isinstance(op, ast.And) else np.logical_or
                return reduce(combine, [self.condition(part) for part in parts])
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                return ~self.condition(inner)
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return -self.numbers(inner)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return _ARITHMETIC[type(op)](self.numbers(left), self.numbers(right))
            case ast.Compare(left=left, ops=ops, comparators=rights):
                pairs = zip([left, *rights[:-1]], ops, rights, strict=True)
                return reduce(np.logical_and, [self.compared(*pair) for pair in pairs])
        raise BadInput(f"where: {ast.unparse(node)!r} in {self.text!r} is not allowed; a filter knows {_MEANT} only")

    def number(self, number: float) -> np.float64:
        try:
            return np.float64(number)
        except OverflowError as error:
            raise BadInput(f"where: a number in {self.text[:60]!r} is too large; write it as 1e300 at most") from error

    def column(self, name: str) -> np.ndarray:
        if name not in self.table:
            near = get_close_matches(name, self.table, n=3) or list(self.table)[:12]
            near += [c for c in self.table if not c.isidentifier() and name in c and c not in near]
            hint = " (quote such a name with backticks)" if any(not c.isidentifier() for c in near) else ""
            raise BadInput(f"where: there is no column {name!r}; did you mean {', '.join(map(repr, near))}?{hint}")
        return self.table[name]

    def condition(self, node: ast.expr) -> np.ndarray:
        value = self.value(node)
        if not _is_mask(value):
            raise BadInput(
                f"where: {ast.unparse(node)!r} in {self.text!r} is not a condition; compare it with something"
            )
        return value

    def numbers(self, node: ast.expr) -> Any:
        """The numbers that the mapping would see: `1.3B` is one, and `-` is missing."""
        value = self.value(node)
        if isinstance(value, np.ndarray) and value.dtype == object:
            read = numerals(value)
            if read.complete:
                return read.values
            told = f", as {brief(value[int(np.argmax(read.unread))])}" if read.unread.any() else ""
            raise BadInput(f"where: {ast.unparse(node)!r} in {self.text!r} holds text{told}, not numbers only")
        if isinstance(value, str) or value.dtype.kind not in "f":
            raise BadInput(f"where: {ast.unparse(node)!r} in {self.text!r} holds text or conditions, not numbers")
        return value

    def compared(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Any:
        match op:
            case ast.Is() | ast.IsNot() if isinstance(right, ast.Constant) and right.value is None:
                value = self.value(left)
                if not isinstance(value, np.ndarray):
                    raise BadInput(f"where: {ast.unparse(left)!r} in {self.text!r} is not a column")
                gone = _missing(value)
                return gone if isinstance(op, ast.Is) else ~gone
            case ast.In() | ast.NotIn() if isinstance(right, ast.List | ast.Tuple | ast.Set):
                found = [self.equal(left, item) for item in right.elts]
                inside = reduce(np.logical_or, found) if found else np.zeros(self.rows, dtype=bool)
                return inside if isinstance(op, ast.In) else ~inside
            case ast.Eq():
                return self.equal(left, right)
            case ast.NotEq():
                return ~self.equal(left, right)
            case ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE():
                return _ORDER[type(op)](self.numbers(left), self.numbers(right))
        raise BadInput(f"where: {self.text!r} compares in a way that is not allowed; a filter knows {_MEANT} only")

    def equal(self, left: ast.expr, right: ast.expr) -> np.ndarray:
        a, b = self.value(left), self.value(right)
        for one, other in ((a, b), (b, a)):
            if isinstance(one, str) and isinstance(other, np.ndarray) and other.dtype != bool:
                if other.dtype == np.float64 and is_missing(one):
                    return np.isnan(other)  # such cells of a column of numbers were read as missing
                if not one:
                    return np.array([cell is None or cell == "" for cell in other], dtype=bool)
            if isinstance(one, str) and getattr(other, "dtype", None) == np.float64:
                raise BadInput(
                    f"where: {one!r} in {self.text!r} is text, but it is compared with numbers; drop the quotes"
                )
        texts = [isinstance(x, np.ndarray) and x.dtype.kind == "O" for x in (a, b)]
        if any(texts) and any(not isinstance(x, str) and x.dtype == np.float64 for x in (a, b)):
            if not all(numerals(x).complete for x, text in zip((a, b), texts, strict=True) if text):
                raise BadInput(f"where: {self.text!r} compares a column of text with a number; put the value in quotes")
            a, b = (numerals(x).values if text else x for x, text in zip((a, b), texts, strict=True))
        cells_a, cells_b = np.broadcast_arrays(np.asarray(a, dtype=object), np.asarray(b, dtype=object))
        return np.array([x == y for x, y in zip(cells_a.ravel(), cells_b.ravel(), strict=True)]).reshape(cells_a.shape)

    @property
    def rows(self) -> int:
        return len(next(iter(self.table.values())))
