"""Gemstones: 22 shapes at constant learning rate, and after cooldown (McLeish et al. 2025).

The source is several frames of logged runs, which the authors averaged over windows of steps.
"""

from jaxscale.studies.dataset import Dataset

DATASET = Dataset(
    slug="gemstones",
    title="Gemstones: 22 widths and depths along training",
    repository="mcleish7/gemstone-scaling-laws",
    commit="5f420478f6057b0cbb4d13405fb10ca64675bccb",
    licence="MIT",
    citation="McLeish et al. 2025, Gemstones: A Model Suite for Multi-Faceted Scaling Laws, arXiv 2502.06857",
    sha256="1e851da9567abd107c55cddbf6728eee204b2fc4332cda4e4a1620f7e6edf424",
    mapping={
        "N": "params[params]",
        "D": "tokens[tokens]",
        "C": "flops[FLOP]",
        "w": "width[width]",
        "l": "depth[layers]",
        "S": "step[steps]",
        "loss": "loss[nats]",
    },
    group=("subset",),
    run_id=("subset", "run_name"),
    n_convention="with embeddings",
    note="the subsets overlap: choose one, as in `where=\"subset == 'hot_100b+'\"`; rows are checkpoints, so those of "
    "one run are correlated; the loss is the training loss averaged over a window",
)
