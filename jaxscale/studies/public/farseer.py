"""The Farseer grid and its seven extrapolation targets (Li et al. 2025), as ScaleBench keeps them."""

from collections.abc import Sequence

import numpy as np

from jaxscale.core.flops import training_flops
from jaxscale.studies.dataset import Dataset, SourceFile, Table

_FOLDER = "benchmark/dataset/farseer_scaling_law"


def tidy(tables: Sequence[Table]) -> Table:
    """404 rows of the grid, then 7 of the test, at full precision."""
    joined = {name: np.concatenate([table[name] for table in tables]) for name in ("N", "D", "loss")}
    splits = [label for label, table in zip(("train", "test"), tables, strict=True) for _ in table["N"]]
    return {
        "params": joined["N"],
        "tokens": joined["D"],
        "loss": joined["loss"],
        "split": np.array(splits, dtype=object),
        "flops": training_flops(joined["N"], joined["D"]),
    }


DATASET = Dataset(
    slug="farseer",
    title="Farseer's grid of models and its test runs",
    repository="PlanarG/active-sl",
    commit="e0a58ffde4f6fdfb20880d47d6d180fdbcb1440d",
    licence="MIT (the collection)",
    citation="Li et al. 2025, Farseer: A Refined Scaling Law in Large Language Models, arXiv 2506.10972",
    sha256="297b6857fb1c8caa279f1895a9a6ba70f306204307503ca3da0c127ff8201639",
    files=(
        SourceFile(
            f"{_FOLDER}/train-00000-of-00001.parquet",
            "98c4167b4b111814bcf8450bef0ec975239da067dd4f42ef6b71f4c1667705bc",
            7363,
        ),
        SourceFile(
            f"{_FOLDER}/test-00000-of-00001.parquet",
            "f886cce70555fed73c6ecbdc6588edc0cb0947a00db36e15c8795afcba280f3d",
            2841,
        ),
    ),
    tidy=tidy,
    mapping={"N": "params[params]", "D": "tokens[tokens]", "C": "flops[FLOP]", "loss": "loss[bpc]"},
    n_convention="without embeddings",
    duplicates="keep",
    note="the loss is in bits per character; fit on `where=\"split == 'train'\"`, score on the rest; "
    "four rows of the grid occur twice in the source",
)
