"""The runs of Chinchilla's figure 4, reconstructed from the picture (Besiroglu et al. 2024)."""

from collections.abc import Sequence

import numpy as np

from jaxscale.core.flops import FLOP_PER_PARAM_TOKEN
from jaxscale.studies.dataset import Dataset, SourceFile, Table, renamed, rounded

_EXCLUDED = 5


def tidy(tables: Sequence[Table]) -> Table:
    """245 rows; D is C / (6 N); the five highest losses, which the authors drop, are marked."""
    (raw,) = tables
    table = renamed(raw, {"params": "Model Size", "flops": "Training FLOP", "loss": "loss"})
    excluded = np.zeros(len(raw["loss"]))
    excluded[np.argsort(-raw["loss"], kind="stable")[:_EXCLUDED]] = 1.0
    return {
        "params": table["params"],
        "tokens": rounded(raw["Training FLOP"] / (FLOP_PER_PARAM_TOKEN * raw["Model Size"])),
        "flops": table["flops"],
        "loss": table["loss"],
        "excluded_in_paper": excluded,
    }


DATASET = Dataset(
    slug="chinchilla_besiroglu",
    title="Chinchilla's runs, reconstructed",
    repository="epoch-research/analyzing-chinchilla",
    commit="92258837425e1b5f2851d624287f0120583a3d0e",
    licence="none stated; read where it lies, not redistributed",
    citation="Besiroglu et al. 2024, Chinchilla Scaling: A replication attempt, arXiv 2404.10102",
    sha256="055dbebb0c259dcbe231734da68163fe98a87d1a8b1e314c3d0ab0e465f7d701",
    files=(
        SourceFile(
            "data/svg_extracted_data.csv", "193478df4e90f040016431996c45682659306840ecdadf83cfb9cd5ca0aa1b30", 23224
        ),
    ),
    tidy=tidy,
    mapping={"N": "params[params]", "D": "tokens[tokens]", "C": "flops[FLOP]", "loss": "loss[nats]"},
    n_convention="with embeddings",
    note="tokens are C / (6 N), losses come from a colour map of 256 steps; the paper leaves out five rows: "
    '`where="excluded_in_paper == 0"`',
)
