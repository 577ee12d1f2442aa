"""Validation curves of dense and routed language models (Clark et al. 2022)."""

from collections.abc import Sequence

import numpy as np

from jaxscale.studies.dataset import Dataset, SourceFile, Table, renamed, rounded

_BATCH_TOKENS = 256.0 * 2048.0
_RENAMED = {
    "run": "hyper_id",
    "loss": "loss_validation",
    "n_experts": "num_experts",
    "width": "d_model",
    "depth": "num_blocks",
    "n_heads": "num_heads",
    "top_k": "k",
    "params_total": "total_parameter_count",
    "params": "dense_parameter_count",
}


def tidy(tables: Sequence[Table]) -> Table:
    """5799 rows of 223 runs; tokens are steps times the batch of the paper (256 sequences of 2048)."""
    (raw,) = tables
    kept = {name: name for name in raw if name not in _RENAMED.values()}
    last = {run: raw["step"][raw["hyper_id"] == run].max() for run in np.unique(raw["hyper_id"])}
    return {
        **renamed(raw, _RENAMED | kept),
        "tokens_est": rounded(raw["step"] * _BATCH_TOKENS),
        "is_final": (raw["step"] == [last[run] for run in raw["hyper_id"]]).astype(np.float64),
    }


DATASET = Dataset(
    slug="routed_lm",
    title="Routed language models",
    repository="google-deepmind/scaling_laws_for_routing",
    commit="42da0c392b127df2c01fa7b705f72396050d05e5",
    licence="Apache-2.0",
    citation="Clark et al. 2022, Unified Scaling Laws for Routed Language Models, arXiv 2202.01169",
    sha256="631897a787b5caf8fd005381a8c7d2bf921d0c7f596b923f43a22d402c3b5d13",
    files=(
        SourceFile("data/curves.csv.gz", "c03e7531add85e594f368d33bac4a0220280be858a7ed12d147cf73af6a3819f", 336608),
    ),
    tidy=tidy,
    mapping={"N": "params[params]", "D": "tokens_est[tokens]", "E": "n_experts", "loss": "loss[nats]"},
    where="loss is not None and step > 0",
    run_id=("run",),
    note="N is the dense (per-token) parameter count; the published law uses the last row of each run: "
    '`where="is_final == 1"`',
)
