"""Whether N, D and the loss can be what they are called, taken together: units, swaps, kinds of loss, runs.

Each column alone may be anything; D/N and the loss at that size may not. What cannot be is refused where no unit was
stated; what is doubtful, or was stated, is remarked upon. Every remark begins with "Check".
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from jaxscale.core.errors import BadInput
from jaxscale.studies.checks.checkpoints import checkpoints
from jaxscale.studies.checks.checks import first

# Tokens per parameter. Public studies lie between .006 and 6e4 row by row, and between 4 and 600 in the middle.
_ROW = (1e-4, 5e5)
_MIDDLE = (0.3, 1e4)
# Nearer values are doubted where the loss is also this low for the size and the data.
_NEAR, _LOW_FOR = (3.0, 2e3), (0.6, 0.5)
_SPELLED = {"K": (1e3, "thousands"), "M": (1e6, "millions"), "B": (1e9, "billions")}
_GUESS = 12.5  # nats: a guess among 270,000 tokens
_LARGE = 9.0  # nats: a model that has learnt next to nothing
# Median loss over that of usual text models of these sizes. Public studies in nats per token lie between .8 and 1.3,
# nats to bits is 1.44, bits per byte about .33, a logarithm to base ten .15.
_LEVEL = (0.4, 1.28)
_PERPLEXED = 2.0  # times: more than bits make
_SIZED = 1e7  # parameters below which models are of characters as often as of words


@dataclass(frozen=True)
class Reading:
    """What is known of a table once it is read: canonical columns, the owner's names and rows."""

    columns: Mapping[str, np.ndarray]
    names: Mapping[str, str]
    rows: np.ndarray
    stated: frozenset[str]
    target: str
    unit_of: Mapping[str, str]
    grouped: np.ndarray
    runs_known: bool

    @property
    def tokens_and_params(self) -> bool:
        return {"N", "D"} <= set(self.columns) and self.unit_of["D"] in ("", "tokens")

    @property
    def of_text(self) -> bool:
        """Whether the target is, or is taken as, a loss in nats per token."""
        return self.target == "loss" and self.unit_of["loss"] in ("", "nats")

    def name(self, symbol: str) -> str:
        return self.names.get(symbol, symbol)


def doubts(table: Reading) -> tuple[str, ...]:
    """Remarks on what N, D and the loss are called. Raises `BadInput` on what they cannot be."""
    found = []
    if table.tokens_and_params:
        # An error is not of text, and its data are no tokens.
        found += _ratio(table) if table.target == "loss" and table.unit_of["loss"] != "error" else []
        if not table.runs_known:
            found += checkpoints(table.columns["N"], table.columns["D"], table.grouped)
    if {"N", "D", "C"} & set(table.columns) and table.of_text:
        found += _loss(table)
        found += _level(table) + _effects(table) if table.tokens_and_params else []
    return tuple(found)


def _ratio(table: Reading) -> list[str]:
    """Tokens per parameter, row by row and in the middle."""
    ratio, N, D = table.columns["D"] / table.columns["N"], table.name("N"), table.name("D")
    usual = "tokens per parameter, where trained models have about 1 to 10,000"
    bad = (ratio < _ROW[0]) | (ratio > _ROW[1])
    if bad.any():
        i, where = first(bad, table.rows)
        remedy = f"their {N!r} or {D!r} is probably in another unit than in the other rows: correct it"
        if max(np.mean(ratio < _MIDDLE[0]), np.mean(ratio > _MIDDLE[1])) > 0.6:  # more than half: the whole column
            remedy = _unit_guess(table, float(np.median(ratio)))
        said = f"{where}: D/N comes to {ratio[i]:.3g} {usual}; {remedy}"
        if {"N", "D"} <= table.stated:
            return [f"Check N and D in {said}."]
        raise BadInput(f"{said}, or state both units if right (N={N}[params], D={D}[tokens] or [samples])")
    middle, level = float(np.median(ratio)), _level_of(table, np.ones(len(ratio), bool))
    sized = table.columns["N"].max() > 10 * _SIZED
    if middle < _MIDDLE[0] or (middle < _NEAR[0] and level < _LOW_FOR[0] and sized):
        other = "in another unit than stated" if "D" in table.stated else f"in thousands (D={D}[K])"
        return [
            f"Check N and D: half of the rows have under {middle:.2g} {usual}. Are N ({N}) and D ({D}) swapped, or is "
            f"D {other}, or not in tokens (D={D}[samples])?"
        ]
    if middle > _MIDDLE[1] or (middle > _NEAR[1] and level < _LOW_FOR[1]):
        other = "their stated unit right" if {"N", "D"} & table.stated else f"N in thousands (N={N}[K])"
        return [f"Check N and D: half of the rows have over {middle:.2g} {usual}. Is {other}?"]
    return []


def _unit_guess(table: Reading, ratio: float) -> str:
    """Of the usual units the one that brings D/N closest to twenty."""
    symbol, off = ("N", ratio / 20) if ratio > 1 else ("D", 20 / ratio)
    letter = min(_SPELLED, key=lambda letter: abs(np.log(off / _SPELLED[letter][0])))
    name = table.name(symbol)
    if symbol in table.stated:
        return f"is the unit stated for {symbol} ({name!r}) or for the other one right?"
    return f"column {name!r} is probably in {_SPELLED[letter][1]}: write {symbol}={name}[{letter}]"


def _loss(table: Reading) -> list[str]:
    """Losses that no model of text has, by themselves."""
    loss, name = table.columns["loss"], table.name("loss")
    if len(loss) > 2 and np.ptp(loss) == 0:
        raise BadInput(
            f"column {name!r}: expected losses that differ between runs, got {loss[0]:g} in every row; map the column "
            "that was measured"
        )
    wild = np.abs(loss) > 1e6
    if wild.any():
        i, where = first(wild, table.rows)
        raise BadInput(
            f"{where}, column {name!r}: expected a loss, got {loss[i]:g}; correct it, or leave such rows out with the "
            f'filter "{name if name.isidentifier() else f"`{name}`"} < 100"'
        )
    if np.median(loss) > _LARGE or (loss.max() > _GUESS and np.mean(loss > _LARGE) > 0.2):
        return [
            f"Check the unit of the loss: {name} reaches from {loss.min():.3g} to {loss.max():.3g}, and losses of text "
            f"in nats per token lie below {_LARGE:g}. Is it a perplexity (loss={name}[ppl]), or in percent?"
        ]
    bad = loss > _GUESS
    if bad.any():
        i, where = first(bad, table.rows)
        return [
            f"Check the loss in {where}: {loss[i]:.3g}, where the others have {np.median(loss):.3g} in the middle and "
            f"a guess among 270,000 tokens has {_GUESS:g} nats."
        ]
    return []


def _level(table: Reading) -> list[str]:
    """The loss against that of text models of these sizes, in nats per token."""
    loss, name = table.columns["loss"], table.name("loss")
    if np.median(loss) > _LARGE:
        return []  # said above
    sized = table.columns["N"] >= _SIZED
    if sized.sum() >= max(3, len(loss) // 4):
        level = _level_of(table, sized)
        if level > _LEVEL[1]:
            kind = f"in bits (loss={name}[bits])" if level < _PERPLEXED else f"a perplexity (loss={name}[ppl])"
            return [
                f"Check the unit of the loss: {name} is {level:.2g} times what text models of these sizes have in nats "
                f"per token (1.44 is nats to bits). Is it {kind}?"
            ]
        if level < _LEVEL[0]:
            return [_small(name, f"{level:.2g} times what text models of these sizes have in nats per token")]
    if loss.max() < 1:
        return [_small(name, f"at most {loss.max():.3g}, less than text models have in nats per token")]
    return []


def _level_of(table: Reading, rows: np.ndarray) -> float:
    """Median of the loss over that of usual text models of the same N and D; NaN where it is no such loss."""
    if not table.of_text:
        return float("nan")
    N, D, loss = (table.columns[s][rows] for s in ("N", "D", "loss"))
    # Chinchilla's text as Besiroglu et al. 2024 (arXiv 2404.10102) read it; others lie within a third.
    return float(np.median(loss / (1.82 + 482 / N**0.348 + 2085 / D**0.366)))


def _small(name: str, how: str) -> str:
    return (
        f"Check the unit of the loss: {name} is {how}. Is it a logarithm, a share, or in bits per byte "
        f"(loss={name}[bpb])?"
    )


def _effects(table: Reading) -> list[str]:
    """A loss that hardly varies, or rises with size or data."""
    x = np.stack([np.log(table.columns[s]) for s in ("N", "D")], axis=1)
    loss, name = table.columns["loss"], table.name("loss")
    if len(loss) < 8 or np.any(loss <= 0):
        return []
    y = np.log(loss)
    if np.ptp(y) < 2e-3 and np.ptp(x.sum(1)) > np.log(10):
        return [
            f"Check the loss: {name} varies by {np.ptp(loss) / np.median(loss):.1%} while N D varies "
            f"{np.exp(np.ptp(x.sum(1))):.2g} times."
        ]
    found = []
    design, y = _within(x, table.grouped), _within(y[:, None], table.grouped)[:, 0]
    slopes, _, rank, _ = np.linalg.lstsq(design, y)
    rank += int(table.grouped.max()) + 1
    if np.linalg.matrix_rank(design) == 2 and len(y) > rank + 3:
        residual = y - design @ slopes
        errors = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * np.sum(residual**2) / (len(y) - rank))
        for symbol, slope, error in zip("ND", slopes, errors, strict=True):
            if slope > 4 * error and slope > 0.02:
                found.append(
                    f"Check {symbol} and the loss: {name} rises with {symbol} (as {symbol}^{slope:.2f} at the same "
                    f"{'D' if symbol == 'N' else 'N'}). Is {table.name(symbol)} the right column?"
                )
    return found


def _within(columns: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Columns (n, k) less their means in each group."""
    sums = np.stack([np.bincount(group, column) for column in columns.T], axis=1)
    return columns - (sums / np.bincount(group)[:, None])[group]
