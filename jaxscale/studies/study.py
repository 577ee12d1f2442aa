"""Study: the runs of one investigation as a host record in float64, with units, groups and provenance."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Self

import numpy as np

from jaxscale.core.errors import BadInput
from jaxscale.core.law import Signature
from jaxscale.core.quantities import Quantity
from jaxscale.core.runs import Runs
from jaxscale.core.shown import sentence
from jaxscale.studies import reading, units
from jaxscale.studies.checks import checks
from jaxscale.studies.convert import CANONICAL, SCALED
from jaxscale.studies.curves import curves, shaped
from jaxscale.studies.exclusions import Exclusion
from jaxscale.studies.expressions import mask_of
from jaxscale.studies.options import options_of
from jaxscale.studies.sheet import labelled


@dataclass(frozen=True, eq=False)
class Study:
    """Runs by symbol, in canonical units (counts, FLOP, nats per token), and where they come from.

    - `columns`: float64 arrays of shape (n,) by symbol; `columns[target]` is what a law predicts.
    - `units`: unit by symbol; empty where none was stated (then a law's own unit is taken).
    - `rows`: 1-based rows in the owner's table; `table`: the owner's columns at these rows.
    - `groups`, `group`: labels, and the index into them per row; `cluster`: the run a row belongs to.
    - `weight` (default 1), `noise` (known standard deviation of the target, 0 where unknown): shape (n,).
    - `levels`: of a column of texts, such as schedules, the texts that its numbers count.
    - `provenance`: source, licence, sha256, n_convention, loss_unit, transformations, exclusions, ...
    - `remarks`: sentences that a reader must see.
    """

    name: str
    columns: Mapping[str, np.ndarray]
    units: Mapping[str, str]
    rows: np.ndarray
    group: np.ndarray
    cluster: np.ndarray
    weight: np.ndarray
    noise: np.ndarray
    target: str = "loss"
    groups: tuple[str, ...] = ()
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    table: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for frozen in ("columns", "units", "levels", "provenance", "table"):
            object.__setattr__(self, frozen, MappingProxyType(dict(getattr(self, frozen))))
        for array in (*self.columns.values(), self.rows, self.group, self.cluster, self.weight, self.noise):
            array.setflags(write=False)

    @classmethod
    def read(cls, data: Any, /, mapping: Mapping[str, str] | None = None, **options: Any) -> Self:
        """From a path, a pandas, polars or Arrow table, a dict of columns or a list of dicts.

        `mapping` gives each symbol a column and a unit, `{"N": "params[M]", "loss": "val_loss[nats]"}`;
        `options` are the fields of `options.Options`. Raises `BadInput`, one sentence that names row,
        column, value and remedy.
        """
        return cls(**reading.read(data, mapping, options_of(options)))

    @classmethod
    def from_arrays(cls, name: str, columns: Mapping[str, Any], loss: Any, **options: Any) -> Self:
        """From arrays of shape (n,) already in canonical units, by symbol, and their losses (simulations)."""
        # D, M and S are in the unit of whichever law takes them.
        mapping = {symbol: f"{symbol}[{CANONICAL[symbol] if symbol in 'NC' else '1'}]" for symbol in columns}
        chosen = options_of({"name": name, "source": name, **options})
        return cls(**reading.read({**columns, "loss": loss}, {**mapping, "loss": "loss"}, chosen))

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, expression: str) -> Self:
        """The rows that fulfil a filter on the owner's columns, recorded. Raises `BadInput`."""
        return self.select(mask_of(expression, self.table), expression)

    def select(self, mask: Any, reason: str) -> Self:
        """The rows where `mask` (n,) is true; what was left out and why goes to the provenance."""
        mask = np.asarray(mask)
        if mask.dtype != bool or mask.shape != (len(self),):
            raise BadInput(f"select: expected {len(self)} booleans, got {mask.dtype} of shape {mask.shape}")
        if not mask.any():
            raise BadInput(f"where: no row of {len(self)} fulfils {reason!r}; loosen the filter")
        groups, group = labelled([self.groups[g] for g in self.group[mask]]) if self.groups else ((), None)
        left_out = Exclusion(int(mask.sum()), len(self), reason).after(self.provenance.get("exclusions", ""))
        return replace(
            self,
            columns={symbol: column[mask] for symbol, column in self.columns.items()},
            rows=self.rows[mask],
            group=np.zeros(int(mask.sum()), dtype=np.int64) if group is None else group,
            groups=groups,
            cluster=np.unique(self.cluster[mask], return_inverse=True)[1],
            weight=self.weight[mask],
            noise=self.noise[mask],
            table={name: column[mask] for name, column in self.table.items()},
            provenance={**self.provenance, "exclusions": left_out},
        )

    def remarked(self, *sentences: str) -> Self:
        """The same runs with more remarks."""
        return replace(self, remarks=(*self.remarks, *sentences))

    @property
    def unit(self) -> str:
        """Unit of the target; empty means the law's own."""
        return self.units[self.target]

    def runs(self, wanted: Signature, dtype: Any = None) -> Runs:
        """The inputs and the target that a law's signature names, cast once to `dtype` (default: jax's float).

        `M` is D/N where it is not a column. Where the law predicts a curve, the rows of one run become its steps.
        Raises `BadInput` on a missing input, one that was not mapped, or a wrong unit.
        """
        self._check_output(wanted.output)
        found = Runs.of(
            {name: self._input(name, q) for name, q in wanted.inputs.items() if name != "group"},
            self.columns[self.target],
            weight=self.weight,
            group=self.group,
            cluster=self.cluster,
            noise=self.noise,
            dtype=dtype,
        )
        return curves(found, wanted, self.rows) if wanted.output.axes else found

    def _check_output(self, wanted: Quantity) -> None:
        # A law whose output is a pure number or an error is in the task's own unit, whatever that is.
        if self.unit in ("", wanted.unit) or wanted.unit in ("", "error"):
            return
        if self.unit == "nats-unigram":
            raise BadInput(
                f"the law predicts {wanted.unit}, but {self.target} of {self.name!r} is relative to a unigram model "
                "(nats-unigram) and negative; fit a law of such losses"
            )
        per = self.unit.rpartition("/")[2] if "/" in self.unit else ""
        remedy = f"`tokens_per_{per}=...`, which converts it, or " if per else ""
        raise BadInput(
            f"the law predicts {wanted.unit}, but {self.target} of {self.name!r} is in {self.unit}; give {remedy}"
            f"the column without a unit ({self.target}=column) to fit it as it stands"
        )

    def _input(self, symbol: str, wanted: Quantity) -> np.ndarray:
        if (wanted.axes and symbol not in self.columns) or symbol in self.levels:
            found = shaped(symbol, self.columns, self.levels, self.rows)
            if found is not None:
                return found
        if symbol in self.columns:
            values, unit = self.columns[symbol], self.units[symbol]
        elif symbol == "M" and wanted.unit == CANONICAL["M"] and {"N", "D"} <= set(self.columns):
            values, unit = self.columns["D"] / self.columns["N"], "tokens/param"
        elif symbol in self.table:
            # A name says nothing of a unit: what a law takes went through the mapping, its units and its checks.
            stated = f"[{wanted.unit}]" if wanted.unit else ""
            scaled = f", or as in {symbol}={symbol}[{SCALED[symbol]}]" if symbol in SCALED else ""
            raise BadInput(
                f"the law needs {symbol} ({wanted.doc}), and column {symbol!r} of {self.name!r} is not in the mapping "
                f"({self.provenance.get('mapping', 'none')}); add it with its unit: {symbol}={symbol}{stated}{scaled}"
            )
        else:
            formula = {"C": "6ND", "D": "C/6N", "N": "C/6D"}.get(symbol, "")
            also = f", or {symbol}={formula} to derive it" if formula else ""
            raise BadInput(
                f"the law needs {symbol} ({wanted.doc}), and {self.name!r} has {', '.join(self.columns)}; "
                f"map a column ({symbol}=column[unit]){also}"
            )
        if unit and unit.casefold() != wanted.unit.casefold() and (wanted.unit or not units.known(unit)):
            right = f"[{wanted.unit}]" if wanted.unit else " without one"
            scaled = f" or, scaled, [B {wanted.unit}]" if wanted.unit else ""
            raise BadInput(
                f"the law takes {symbol} in {wanted.unit or 'plain numbers'}, but {self.name!r} has it in {unit}; "
                f"correct the unit ({symbol}=column{right}{scaled}) or map another column to it"
            )
        if wanted.refuses(values).any():
            bound = checks.non_negative if wanted.nothing or not wanted.positive else checks.positive
            bound(symbol, values, self.rows, symbol)
        return values

    def summary(self) -> dict[str, str]:
        """A small table for printing: runs, ranges by symbol, groups, source."""
        shown = {"study": self.name, "runs": str(len(self))}
        for symbol, column in self.columns.items():
            unit = f" {self.units[symbol]}" if self.units[symbol] else " (unit not stated)" * (symbol == self.target)
            shown[symbol] = f"{column.min():.4g} to {column.max():.4g}{unit}"
        if self.groups:
            shown["groups"] = ", ".join(f"{g} ({int((self.group == i).sum())})" for i, g in enumerate(self.groups))
        if len(clusters := np.unique(self.cluster)) < len(self):
            shown["independent runs"] = str(len(clusters))
        return shown | {
            key: self.provenance[key] for key in ("source", "licence", "exclusions") if key in self.provenance
        }

    def describe(self) -> str:
        """`summary` and the remarks as text."""
        lines = [f"{key}: {value}" for key, value in self.summary().items()]
        return "\n".join(map(sentence, [*lines, *(f"note: {remark}" for remark in self.remarks)]))
