"""`3,412` in every cell: read where what is mapped leaves one way, else refused with both ways and how to say which.

Tables are drawn afresh; the numbers that were written are the oracle.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxscale.core.errors import BadInput
from jaxscale.studies import Study

SEEDS = [0, 1, 2]
MAP = {"N": "params", "D": "tokens", "loss": "loss[nats]"}


def ladder(seed: int) -> dict[str, np.ndarray]:
    """Sizes in whole thousands, twenty tokens for each and their double, and losses of three decimals, none round."""
    rng = np.random.default_rng(seed)
    N = np.repeat(rng.choice(np.arange(20_000, 900_000), 6, replace=False) * 1000, 2)
    D = N * np.tile([20, 40], 6)
    thousandths = np.round(1000 * (1.7 + 400 * N**-0.34 + 410 * D**-0.28)).astype(int)
    return {"params": N, "tokens": D, "loss": (thousandths + (thousandths % 10 == 0)) / 1000}


def written(folder: Path, data: dict[str, Any], separator: str = ";") -> Path:
    """A file of cells as they are, quoted where they hold the separator."""
    path = folder / "runs.csv"
    quoted = [[f'"{x}"' if separator in str(x) else str(x) for x in row] for row in zip(*data.values(), strict=True)]
    path.write_text("\n".join(separator.join(row) for row in [list(data), *quoted]) + "\n")
    return path


def with_comma(values: Any) -> list[str]:
    """3.412 as `3,412`."""
    return [f"{x:.3f}".replace(".", ",") for x in values]


@pytest.mark.parametrize("separator", [";", ","])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_loss_in_nats_has_decimals(seed: int, separator: str, tmp_path: Path) -> None:
    data = ladder(seed)
    study = Study.read(written(tmp_path, data | {"loss": with_comma(data["loss"])}, separator), MAP)
    np.testing.assert_array_equal(study.columns["loss"], data["loss"])
    assert any(
        remark == "decimal commas were read in column 'loss': read the other way, the values are none of what they are "
        "mapped to"
        for remark in study.remarks
    ), study.remarks


@pytest.mark.parametrize("seed", SEEDS)
def test_the_other_columns_decide(seed: int, tmp_path: Path) -> None:
    """The sizes alone may be 20 to 900 millions of parameters or 20 thousand to 900 thousand millions; the compute,
    6ND, is that of one of them."""
    data = ladder(seed)
    path = written(
        tmp_path, data | {"params": with_comma(data["params"] / 1e6), "flops": 6.0 * data["params"] * data["tokens"]}
    )
    study = Study.read(path, MAP | {"N": "params[M]", "C": "flops"})
    np.testing.assert_allclose(study.columns["N"], data["params"], rtol=1e-12)
    grouped = written(
        tmp_path,
        data | {"params": [f"{n // 1000:,}" for n in data["params"]], "flops": 6.0 * data["params"] * data["tokens"]},
    )
    with pytest.raises(BadInput, match="say which"):  # some are 20,123 K: without the comma they are right
        Study.read(grouped, MAP | {"N": "params[K]"})
    study = Study.read(grouped, MAP | {"N": "params[K]", "C": "flops"})
    np.testing.assert_array_equal(study.columns["N"], data["params"])


@pytest.mark.parametrize("separator", [";", ","])
@pytest.mark.parametrize("seed", SEEDS)
def test_what_may_be_both_is_refused_and_can_be_said(seed: int, separator: str, tmp_path: Path) -> None:
    data = ladder(seed)
    cells = with_comma(data["loss"])
    path = written(tmp_path, data | {"loss": cells}, separator)
    unstated = MAP | {"loss": "loss"}  # a squared error may be in the thousands
    with pytest.raises(BadInput, match=r"row 1 .*'loss'") as error:
        Study.read(path, unstated)
    dot, comma = cells[0].replace(",", ""), cells[0].replace(",", ".")
    assert (
        f'it may be {dot} with a comma between thousands (`decimal="."`), or {comma} with a decimal comma '
        '(`decimal=","`): say which'
    ) in str(error.value)
    np.testing.assert_array_equal(Study.read(path, unstated, decimal=",").columns["loss"], data["loss"])
    np.testing.assert_array_equal(
        Study.read(path, unstated, decimal=".").columns["loss"], np.round(1000 * data["loss"])
    )
    # Said of a frame's text too, and where it is no reading the checks say so.
    frame = data | {"loss": cells}
    np.testing.assert_array_equal(Study.read(frame, unstated, decimal=",").columns["loss"], data["loss"])
    with pytest.raises(BadInput, match="probably a perplexity"):
        Study.read(path, MAP, decimal=".")


def test_what_is_said_stands_above_no_cell_that_contradicts_it(tmp_path: Path) -> None:
    path = written(tmp_path, {"N": ["1,3", "2,625", "4,5"], "D": [2e9, 4e9, 8e9], "loss": [3.5, 3.1, 2.8]})
    with pytest.raises(BadInput, match=r"'N': expected a number, got the text '1,3'"):
        Study.read(path, {"N": "N[B]", "D": "D", "loss": "loss"}, decimal=".")
    for wrong in ("", ";", ",."):
        with pytest.raises(BadInput, match=r"`decimal=\.\.\.`: expected a comma or a dot"):
            Study.read(path, decimal=wrong)
    # A column that nobody asks for refuses nothing.
    Study.read(path, {"D": "D", "loss": "loss"}, decimal=".")
