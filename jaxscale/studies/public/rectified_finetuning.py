"""Test loss after fine-tuning thirty models on three tasks (Lin et al. 2024)."""

from collections.abc import Sequence

import numpy as np

from jaxscale.studies.dataset import Dataset, SourceFile, Table, rounded

_TASKS = ("flan", "gigaword", "wmt19")
_COLUMNS = ("dataset", "model", "family", "params", "ft_samples", "loss")


def tidy(tables: Sequence[Table]) -> Table:
    """1350 rows, one per task, model and number of examples, in that order; the source has one column per number."""
    rows = []
    for task, table in zip(_TASKS, tables, strict=True):
        for i, model in enumerate(table["config name"]):
            for samples in (int(name) for name in table if name.isdigit()):
                loss = table[str(samples)][i]
                rows.append((task, model, table["family"][i], table["size"][i], float(samples), loss))
    rows.sort(key=lambda row: (row[0], row[1], row[4]))
    columns = dict(zip(_COLUMNS, zip(*rows, strict=True), strict=True))
    return {
        name: np.array(values, dtype=object if isinstance(values[0], str) else np.float64)
        for name, values in columns.items()
    } | {"loss": rounded(np.array(columns["loss"]))}


DATASET = Dataset(
    slug="rectified_finetuning",
    title="Fine-tuning of thirty models on three tasks",
    repository="linhaowei1/Fine-tuning-Scaling-Law",
    commit="5214568013af65e3cefd03860ecd7bc9358b308c",
    licence="Apache-2.0",
    citation="Lin et al. 2024, Selecting Large Language Model to Fine-tune via Rectified Scaling Law, arXiv 2402.02314",
    sha256="7c0234fe66b7b5e3c25652e79145480f530a495d08b725cbd8be49a713937e5c",
    files=(
        SourceFile("benchmark/flan.csv", "ead24af8eaa97ac0507bbd76c4880eb09c6361e252f4971666ba55017215d1e9", 7085),
        SourceFile("benchmark/gigaword.csv", "7d0b08ef9df06eefb4355f859fb44e7860c1e55effd781d318d60a1f8661f2b3", 6499),
        SourceFile("benchmark/wmt19.csv", "523b044495f87c1f954c359fb489cf4e38f739c7fca8161d70665853fb2d293a", 6702),
    ),
    tidy=tidy,
    mapping={"N": "params[params]", "D": "ft_samples[samples]", "loss": "loss[nats]"},
    where="ft_samples > 0",
    group=("dataset",),
    n_convention="with embeddings",
    note="one law per model and task in the paper; the zero-shot rows (ft_samples == 0) are left out",
)
