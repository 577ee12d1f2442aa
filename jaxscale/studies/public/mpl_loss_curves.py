"""Loss curves under nine learning-rate schedules (Luo et al. 2025, the multi-power law)."""

from collections.abc import Sequence

import numpy as np

from jaxscale.studies.dataset import Dataset, SourceFile, Table, renamed


def tidy(tables: Sequence[Table]) -> Table:
    """171 rows: the one curve that the record names (100M parameters, cosine over 24000 steps, a training curve)."""
    (raw,) = tables

    def same(value: object) -> np.ndarray:
        return np.full(len(raw["step"]), value, dtype=object if isinstance(value, str) else np.float64)

    labels = {"model_size": same("100M"), "params_nominal": same(1e8), "schedule": same("cosine_24000")}
    return {
        **labels,
        "split": same("train"),
        **renamed(raw, {"step": "step", "lr": "lr", "loss": "loss"}),
    }


# Warm-up of 2,160 steps to 3e-4 in all, and the floor of a cosine is a tenth; see the source's README.
_SCHEDULES = {
    "constant_24000": "constant 21840 3e-4",
    "constant_72000": "constant 69840 3e-4",
    "cosine_24000": "cosine 21840 3e-4 3e-5",
    "cosine_72000": "cosine 69840 3e-4 3e-5",
    "wsd_20000_24000": "constant 17840 3e-4; exponential 4000 3e-4 3e-5",
    "wsdld_20000_24000": "constant 17840 3e-4; linear 4000 3e-4 3e-5",
    "wsdcon_3": "constant 5840 3e-4; constant 8000 3e-5",
    "wsdcon_9": "constant 5840 3e-4; constant 8000 9e-5",
    "wsdcon_18": "constant 5840 3e-4; constant 8000 18e-5",
}


def derived(table: Table) -> Table:
    """Each row's schedule by its segments, as `segments_of` reads them."""
    texts = [f"warmup 2160 3e-4; {_SCHEDULES[str(label)]}" for label in table["schedule"]]
    return {"segments": np.array(texts, dtype=object)}


DATASET = Dataset(
    slug="mpl_loss_curves",
    title="Loss curves under nine learning-rate schedules",
    repository="thu-yao-01-luo/MultiPowerLaw",
    commit="8da9f1902602f3391b971a811e3cc51604541769",
    licence="MIT",
    citation="Luo et al. 2025, A Multi-Power Law for Loss Curve Prediction Across Learning Rate Schedules, "
    "arXiv 2503.12811",
    sha256="c60ac68d5ef7e8651f16cdfe9a63e9d57ed44f579e7960b481bdc62048ebb5c7",
    files=(
        SourceFile(
            "loss_curve_repo/csv_100/cosine_24000.csv",
            "dd544dc61a11fa138c98ac0b673d5512287062d2d2d2e9c2867976abc8c46e69",
            6128,
        ),
    ),
    tidy=tidy,
    mapping={
        "N": "params_nominal[params]",
        "S": "step[steps]",
        "lr": "lr",
        "schedule": "segments[segments]",
        "loss": "loss[nats]",
    },
    derived=derived,
    run_id=("model_size", "schedule"),
    note="rows are points of curves: the rows of one run are correlated; N is nominal",
    downloaded_note="only 1 of the 27 curves (171 of 6265 rows) is recorded for download; "
    "set JAXSCALE_DATA_DIR to a folder with the whole tidy table",
)
