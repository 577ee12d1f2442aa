"""The pocket study: jaxscale's own small transformers, shipped with the package (see `studies/pocket/SOURCE.md`)."""

from jaxscale.studies.dataset import Dataset

_NOTE = (
    "transformers of 3e3 to 1e6 non-embedding parameters on windows of 64 bytes: a laboratory of scaling laws, not a "
    "guide to large models; loss in nats per byte, a token is a byte"
)


def _record(name: str, title: str, sha256: str, note: str, **columns: object) -> Dataset:
    return Dataset(
        slug=f"pocket_{name}",
        title=title,
        licence="CC0-1.0",
        citation="the jaxscale developers 2026, pocket study, trained by benchmarks/measure",
        sha256=sha256,
        shipped=f"pocket/{name}.csv",
        note=f"{_NOTE}; {note}" if note else _NOTE,
        **{
            "mapping": {"N": "params[params]", "D": "tokens[tokens]", "C": "flops[FLOP]", "loss": "loss[nats]"},
            "where": "status == 'ok'",
            "n_convention": "with embeddings",
        }
        | columns,  # pyright: ignore[reportArgumentType]
    )


DATASETS = (
    _record(
        "grid",
        "Pocket study: size x data on Python sources and on a source of known entropy",
        "aba93a87716c9a61414d8a2f47fd8fdbe37b75c694610ca662a7701e80b1ab64",
        "flops are exact, not 6ND: the output matrix and attention weigh much at this size",
        group=("corpus",),
    ),
)
