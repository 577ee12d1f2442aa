"""Units at the edge: `tokens[B]` is a column and a unit, `1.3B` is a number, bits are not nats.

Counts become plain counts, compute becomes FLOP, losses become nats per token where that can be done
without guessing. `bits = nats / ln 2`; a loss per byte times `ln 2 / (tokens per byte)` is a loss per token.
"""

import math
import re
from dataclasses import dataclass

from jaxscale.core import quantities
from jaxscale.core.errors import BadInput

_PREFIX = {"k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12, "p": 1e15, "e": 1e18, "z": 1e21, "y": 1e24}
_SPELLED = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_WORDS = {
    **{
        known.unit.lower(): known.unit
        for known in vars(quantities).values()
        if isinstance(known, quantities.Quantity) and known.unit
    },
    "param": "params",
    "params": "params",
    "parameters": "params",
    "token": "tokens",
    "tokens": "tokens",
    "flop": "FLOP",
    "flops": "FLOP",
    "step": "steps",
    "steps": "steps",
    "sample": "samples",
    "samples": "samples",
    "examples": "samples",
    "tokens/param": "tokens/param",
}
# A petaFLOP/s sustained for one day.
_PFLOP_DAY = 1e15 * 86400.0
_PFLOP_DAYS = {"pfd", "pf-day", "pf-days", "pflop-day", "pflop-days", "pflops-days", "pflop/s-day", "pflop/s-days"}
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_CELL = re.compile(rf"\s*({_NUMBER})\s*([kKmMbBgGtT])?\s*")
_COUNT = re.compile(
    rf"(?P<scale>{_NUMBER}|(?:thousand|million|billion|trillion)s?|[kmbgtpezy])?(?P<gap>\s*)(?P<word>[a-z/-]+)?",
    re.IGNORECASE,
)
_BRACKETED = re.compile(r"(?P<column>.*\S)\s*\[(?P<unit>[^\[\]]*)\]\s*")


@dataclass(frozen=True)
class CountUnit:
    """`scale` turns a cell into the canonical unit; `word` is that unit, empty where none was named.

    A word that is not known here stands as it was written: it may be the unit of a law that is not known here either.
    """

    scale: float = 1.0
    word: str = ""
    stated: bool = False


@dataclass(frozen=True)
class LossUnit:
    """A loss in `name`: `factor` nats per unit, `per` token, byte, character, or nothing that converts."""

    name: str
    factor: float = 1.0
    per: str = ""
    logarithm: bool = False
    positive: bool = True
    stated: bool = True


OWN = LossUnit("", stated=False)
_NATS, _BITS = LossUnit("nats", 1.0, "token"), LossUnit("bits", math.log(2.0), "token")
_BPB, _BPC = LossUnit("bits/byte", math.log(2.0), "byte"), LossUnit("bits/character", math.log(2.0), "character")
_PPL = LossUnit("perplexity", 1.0, "token", logarithm=True)
_LOSSES = {
    **dict.fromkeys(["nats", "nat", "nats/token"], _NATS),
    **dict.fromkeys(["bits", "bit", "bits/token"], _BITS),
    **dict.fromkeys(["bpb", "bits/byte", "bits per byte"], _BPB),
    **dict.fromkeys(["bpc", "bits/char", "bits/character", "bits per character"], _BPC),
    **dict.fromkeys(["nats/byte", "npb"], LossUnit("nats/byte", 1.0, "byte")),
    **dict.fromkeys(["ppl", "perplexity"], _PPL),
    # Loss minus the loss of a unigram model: negative, and no vocabulary-free conversion exists.
    "nats-unigram": LossUnit("nats-unigram", positive=False),
    "error": LossUnit("error"),
    "": OWN,
}


def split_unit(text: str) -> tuple[str, str | None]:
    """`"params[M]"` as `("params", "M")`; the unit is None where there are no brackets."""
    found = _BRACKETED.fullmatch(text)
    return (found["column"], found["unit"].strip()) if found else (text.strip(), None)


def count_unit(unit: str | None, symbol: str) -> CountUnit:
    """The unit of a count or of compute. Raises `BadInput` on what reads as no unit, or as another one than of N or C.

    Which unit any other symbol is in, the law says that takes it.
    """
    if unit is None:
        return CountUnit()
    if unit.lower().replace(" ", "") in _PFLOP_DAYS:
        return _checked(CountUnit(_PFLOP_DAY, "FLOP", stated=True), symbol, unit)
    found = _COUNT.fullmatch(unit)
    if not found:
        raise BadInput(
            f"{symbol}: unit [{unit}] is not known; write a scale (K, M, B, T, P, E, 1e9), a word (params, tokens, "
            "FLOP, steps, samples, layers, ...), both ([B tokens]), or PF-days for compute"
        )
    scale, word = found["scale"], found["word"] or ""
    glued = scale and scale.isalpha() and word and not found["gap"]
    if glued and ((scale + word).lower() in _WORDS or word.lower() not in _WORDS):
        scale, word = None, scale + word  # "tokens" is not tera-"okens", nor are "pixels" peta-"ixels"
    return _checked(CountUnit(_scale(scale), _WORDS.get(word.lower(), word), stated=True), symbol, unit)


USUAL = {"N": ("params",), "D": ("tokens", "samples"), "C": ("FLOP",)}
"""Units in which sizes, data and compute are multiplied and compared; a law may take its D in another one."""


def usual(unit: CountUnit, symbol: str) -> bool:
    """Whether a size, data or compute is in the unit that 6ND is made for, or states none."""
    return not unit.word or unit.word in USUAL[symbol]


def known(word: str) -> bool:
    """Whether a unit is one of the package's quantities."""
    return word in _WORDS.values()


def is_unit(text: str) -> bool:
    """Whether a text by itself is surely a unit: one of a loss, a scale, or a quantity of the package."""
    if text.lower() in _LOSSES or text.lower().replace(" ", "") in _PFLOP_DAYS:
        return bool(text)
    try:
        unit = count_unit(text, "D")
    except BadInput:
        return False
    return known(unit.word) if unit.word else unit.scale != 1.0


def _checked(unit: CountUnit, symbol: str, text: str) -> CountUnit:
    if symbol in ("N", "C") and known(unit.word) and not usual(unit, symbol):
        right = USUAL[symbol][0]
        raise BadInput(
            f"{symbol}: unit [{text}] is wrong; {symbol} is measured in {right}, got {unit.word}; "
            f"map the column to another symbol or give it a unit of {right}"
        )
    if not (0 < unit.scale < math.inf):
        raise BadInput(f"{symbol}: unit [{text}] has the scale {unit.scale:g}; expected a positive finite number")
    return unit


def _scale(text: str | None) -> float:
    if text is None:
        return 1.0
    low = text.lower()
    return _SPELLED.get(low.rstrip("s")) or _PREFIX.get(low) or float(text)


def loss_unit(unit: str | None, symbol: str) -> LossUnit:
    """The unit of a loss; none at all means the law's own. Raises `BadInput` on one that is not known."""
    found = _LOSSES.get((unit or "").lower())
    if found is None:
        raise BadInput(
            f"{symbol}: unit [{unit}] is not a unit of a loss; write nats, bits, bpb (bits per byte), "
            "bpc (bits per character), ppl or error"
        )
    return found


def loss_factor(unit: LossUnit, tokens_per: float | None) -> float:
    """Nats per token of one `unit`, with the tokens per byte (or character) where the unit needs it."""
    return unit.factor if unit.per == "token" or tokens_per is None else unit.factor / tokens_per


def cell(text: str) -> tuple[float, str] | None:
    """A number as people write it (`1.3B`, `300M`, `70e9`): value and suffix, or None where it is no number."""
    found = _CELL.fullmatch(text)
    if found:
        suffix = found[2] or ""
        value = float(found[1]) * _PREFIX.get(suffix.lower(), 1.0)
        return (value, suffix) if math.isfinite(value) else None  # 1e400 is a number that no float holds
    # float() also knows nan and inf, which the finiteness check then names.
    word = text.strip().lower()
    return (float(word), "") if word.lstrip("+-") in {"nan", "inf", "infinity"} else None
