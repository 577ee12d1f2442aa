"""Dense runs over learning rate and batch size (Li et al. 2025, Step Law)."""

from collections.abc import Sequence

import numpy as np

from jaxscale.core.flops import training_flops
from jaxscale.studies.dataset import Dataset, SourceFile, Table, renamed, rounded

_SEQUENCE = 2048.0
_FINAL_LR = 1e-5
_NAMES = {
    "params": "N",
    "tokens": "D",
    "width": "h",
    "ffn_width": "ffnh",
    "n_heads": "numh",
    "depth": "numl",
    "lr": "lr",
    "batch_size": "bs",
    "steps": "ti",
    "loss": "smooth loss",
    "loss_last": "loss",
    "exp_name": "exp_name",
}


def tidy(tables: Sequence[Table]) -> Table:
    """1911 rows; the smoothed final loss is the loss; sequences of 2048 tokens, final learning rate 1e-5."""
    (raw,) = tables
    rows = len(raw["N"])
    return {
        **renamed(raw, _NAMES, exact=("params", "tokens")),
        "batch_tokens": raw["bs"] * _SEQUENCE,
        "lr_final": np.full(rows, _FINAL_LR),
        "flops": rounded(training_flops(raw["N"], raw["D"])),
        "seq_len": np.full(rows, _SEQUENCE),
    }


DATASET = Dataset(
    slug="steplaw_dense",
    title="Step Law: dense runs over learning rate and batch size",
    repository="step-law/steplaw",
    commit="32a8f4cc50247695fb56cc6c9117abdf67c97763",
    licence="none stated; read where it lies, not redistributed",
    citation="Li et al. 2025, Predictable Scale: Part I, Step Law, arXiv 2503.04715",
    sha256="9eea57a3d62e2fd0ffe9a1bf6b4ec50a0fb11a08a1312e69b4180214a9c8c308",
    files=(
        SourceFile(
            "data/dense_lr_bs_loss.csv", "9e46181076c04d450294d75dfe6f72adc416e231e154a07b337e378f9410002c", 344476
        ),
    ),
    tidy=tidy,
    mapping={"N": "params[params]", "D": "tokens[tokens]", "C": "flops[FLOP]", "loss": "loss[nats]"},
    n_convention="without embeddings",
    note="diverged runs are in it, with losses up to 11",
)
