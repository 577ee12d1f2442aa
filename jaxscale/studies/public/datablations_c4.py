"""Runs on repeated C4 tokens (Muennighoff et al. 2023); the source is two notebooks, no table."""

from jaxscale.studies.dataset import Dataset

DATASET = Dataset(
    slug="datablations_c4",
    title="Repeated data: runs of many epochs on C4",
    repository="huggingface/datablations",
    commit="13701315b163f1c54642b94ad237b2699187c3ee",
    licence="Apache-2.0",
    citation="Muennighoff et al. 2023, Scaling Data-Constrained Language Models, arXiv 2305.16264",
    sha256="ab6995b81b95a73950393b7d75a03b660a487fe53c586e6ca6bb429d9aee62d6",
    mapping={
        "N": "params[params]",
        "D": "tokens[tokens]",
        "U": "unique_tokens[tokens]",
        "C": "flops[FLOP]",
        "loss": "loss[nats]",
    },
    n_convention="with embeddings",
    note="sizes and tokens were read from run names; the authors left out 114 of 296 runs as outliers",
)
