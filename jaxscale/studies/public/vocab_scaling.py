"""Checkpoints over vocabulary size (Tao et al. 2024)."""

from collections.abc import Sequence

import numpy as np

from jaxscale.studies.dataset import Dataset, SourceFile, Table, renamed, rounded

_NAMES = {
    "vocab": "vocab_size",
    "width": "embed_dim",
    "characters": "num_characters",
    "params_non_vocab": "Non_vocab_parameters",
    "flops": "FLOPs",
    "loss_unigram_normalized": "Lossu",
}


def tidy(tables: Sequence[Table]) -> Table:
    """1200 rows; tokens follow from characters by the authors' quadratic in the log of the vocabulary size."""
    (raw,) = tables
    log_v = np.log(raw["vocab_size"])
    embedding = raw["vocab_size"] * raw["embed_dim"]
    return {
        **renamed(raw, _NAMES),
        "params_vocab": rounded(embedding),
        "params": rounded(raw["Non_vocab_parameters"] + embedding),
        "tokens": rounded(raw["num_characters"] * (0.00639222 * log_v**2 - 0.15811069 * log_v + 1.20470122)),
    }


DATASET = Dataset(
    slug="vocab_scaling",
    title="Scaling laws with vocabulary",
    repository="sail-sg/scaling-with-vocab",
    commit="6701cc202af8b075a46eef8e9d263b3f2ebe012c",
    licence="none stated; read where it lies, not redistributed",
    citation="Tao et al. 2024, Scaling Laws with Vocabulary, arXiv 2407.13623",
    sha256="e3b158bf68b77c6877af53ae9f11708579775cfeb9eeb77b86630a92a2cf5b1c",
    files=(SourceFile("exp_data.csv", "6571e877469a44cb50b2d05e1fa485587369ee1c47941a4b3b2bfef80496f1b2", 97273),),
    tidy=tidy,
    mapping={
        "N": "params[params]",
        "D": "tokens[tokens]",
        "C": "flops[FLOP]",
        "loss": "loss_unigram_normalized[nats-unigram]",
    },
    run_id=("params_non_vocab", "vocab"),
    n_convention="with embeddings",
    note="the loss is relative to a unigram model and negative; twenty checkpoints of each run are correlated; "
    "the published coefficients come out only with vocab / 1000 in the token formula",
)
