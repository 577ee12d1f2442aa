"""Checkpoints over mixtures of seven domains (the SlimPajama runs of the data-mixing repository)."""

from collections.abc import Sequence

import numpy as np

from jaxscale.core.flops import training_flops
from jaxscale.studies.dataset import Dataset, SourceFile, Table, renamed, rounded

_DOMAINS = ("arxiv", "book", "c4", "github", "commoncrawl", "stackexchange", "wikipedia")


def tidy(tables: Sequence[Table]) -> Table:
    """2452 rows; `loss_avg` is the mean of the seven domains that were logged; mixtures numbered in order."""
    (raw,) = tables
    weights = np.column_stack([raw[f"weight_{domain}"] for domain in _DOMAINS])
    losses = np.column_stack([raw[f"{domain}_loss"] for domain in _DOMAINS])
    return {
        **renamed(
            raw,
            {"params": "model_size", "tokens": "n_tokens"}
            | {f"h_{domain}": f"weight_{domain}" for domain in _DOMAINS}
            | {f"loss_{domain}": f"{domain}_loss" for domain in (*_DOMAINS, "openhermes")},
        ),
        "flops": rounded(training_flops(raw["model_size"], raw["n_tokens"])),
        "loss_avg": rounded(np.nanmean(losses, axis=1)),
        # Weights of one mixture differ in the last digits, hence the rounding.
        "mixture_id": np.unique(weights.round(6), axis=0, return_inverse=True)[1].astype(np.float64),
    }


DATASET = Dataset(
    slug="mixture_slimpajama_dmsl",
    title="Mixtures of SlimPajama's seven domains",
    repository="meiqwq/Explaining-Data-Mixing-Scaling-Laws",
    commit="c2bf1106e8e54b8d368cd6de2515d4804f1c8a36",
    licence="none stated; read where it lies, not redistributed",
    citation="Explaining Data Mixing Scaling Laws (repository, 2026)",
    sha256="46e18ddd52908f1403dca50b024f979b4adf7878a2f82c24bf989a35e023f4d2",
    files=(
        SourceFile(
            "data/dmsl_llm_slimpajama.csv", "9c950a9f96e058318cfcefde5835143525937186163f4c2345b030ef0ea0519f", 738762
        ),
    ),
    tidy=tidy,
    mapping={"N": "params[params]", "D": "tokens[tokens]", "C": "flops[FLOP]", "loss": "loss_avg[nats]"},
    run_id=("params", "mixture_id"),
    n_convention="with embeddings",
    note="checkpoints of one run are correlated and lie on its learning-rate schedule; "
    "loss_avg leaves out a domain that was not logged",
)
