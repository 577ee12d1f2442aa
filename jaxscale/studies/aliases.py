"""Names under which tables found in the wild keep N, D, C and the loss; read only where no mapping is given."""

from collections.abc import Iterable

from jaxscale.core.errors import BadInput
from jaxscale.studies.tables.shapes import explained
from jaxscale.studies.units import split_unit

ALIASES = {
    "N": ("params", "num_params", "n_params", "parameters", "param_count", "model_size", "non_embedding_param_size"),
    "D": ("tokens", "tokens_seen", "data_size", "n_tokens", "num_tokens", "training_tokens", "train_tokens"),
    "C": ("flops", "flop", "compute", "budget", "training_flops"),
    "M": ("tokens_per_param",),
    "loss": (
        *("val/loss", "val_loss", "eval/loss", "eval_loss", "lm_loss", "validation_loss"),
        *("test_loss", "final_loss", "train/loss", "train_loss"),
    ),
}


def _plain(column: str) -> tuple[str, str | None]:
    # "Tokens (B)" carries its unit in the header as often as "tokens[B]".
    name, unit = split_unit(column.replace("(", "[").replace(")", "]"))
    return name.lower(), unit


def resolve(columns: Iterable[str], target: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """A mapping from the table's own column names, and a remark on each that is not the symbol itself.

    Raises `BadInput` where two columns could be one symbol, or the target or every input is missing.
    """
    columns = list(columns)
    mapping: dict[str, str] = {}
    remarks: list[str] = []
    for symbol in dict.fromkeys([*ALIASES, target]):
        if symbol in columns:
            mapping[symbol] = symbol
            continue
        names = (symbol.lower(), *ALIASES.get(symbol, ()))
        found = [column for column in columns if _plain(column)[0] in names]
        if len(found) > 1:
            raise BadInput(
                f"{symbol}: the columns {', '.join(map(repr, found))} could each be it; say which one, "
                f"as in {symbol}={found[0]}"
            )
        if found:
            unit = _plain(found[0])[1]
            mapping[symbol] = found[0] if unit is None or split_unit(found[0])[1] else f"{found[0]}[{unit}]"
            remarks.append(f"column {found[0]!r} was taken as {symbol}")
    for needed, missing in ((target, target not in mapping), ("N", not set(mapping) - {target})):
        if missing and (shape := explained(columns)):
            raise BadInput(f"{needed}: no column is named so; {shape}")
        if missing:
            raise BadInput(
                f"{needed}: no column is named so; the columns are {', '.join(columns[:20])}; "
                f"say which one, as in {needed}=column[unit]"
            )
    return mapping, tuple(remarks)
