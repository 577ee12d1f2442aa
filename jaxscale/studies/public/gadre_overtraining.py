"""Over-trained models on three corpora (Gadre et al. 2024); the source is hundreds of small JSON files."""

from jaxscale.studies.dataset import Dataset

DATASET = Dataset(
    slug="gadre_overtraining",
    title="Over-training on three corpora",
    repository="mlfoundations/scaling",
    commit="a003c4913793ac2ae7ef87b28ecb562955d026d5",
    licence="MIT",
    citation="Gadre et al. 2024, Language models scale reliably with over-training and on downstream tasks, "
    "arXiv 2403.08540",
    sha256="eaac69cc602b53e2326cdd284175b8b14da896442a15b9c3cd6136ab348a83f5",
    mapping={
        "N": "params[params]",
        "D": "tokens[tokens]",
        "C": "flops[FLOP]",
        "M": "tokens_per_param",
        "loss": "loss[nats]",
    },
    group=("dataset",),
    n_convention="with embeddings",
    note="the loss is the C4 validation loss, whatever the corpus of training",
)
