"""N, D and the loss taken together: what cannot be is refused, what is doubtful remarked upon, the right neither."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxscale.studies import BadInput, Study, datasets, load

SEEDS = (11, 12, 13)
Columns = dict[str, np.ndarray]


def runs(seed: int, n: int = 24) -> Columns:
    """Chinchilla's form with rounded coefficients, D/N between 3 and 300."""
    rng = np.random.default_rng(seed)
    N = 10 ** rng.uniform(7.5, 9.8, n)
    D = N * 10 ** rng.uniform(0.5, 2.5, n)
    loss = (1.8 + 400 * N**-0.34 + 1500 * D**-0.35) * np.exp(0.005 * rng.standard_normal(n))
    return {"N": N, "D": D, "loss": loss}


def alarms(table: Columns, units: str = "", **options: Any) -> list[str]:
    """`units`: of N, D and the loss, as in `params tokens nats`; none where empty."""
    given = dict(zip(("N", "D", "loss"), units.split(), strict=True)) if units else {}
    mapping = {name: f"{name}[{given[name]}]" if name in given else name for name in ("N", "D", "loss")}
    return [x for x in Study.read(table, mapping, **options).remarks if x.startswith("Check")]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("units", ["", "params tokens nats"])
def test_right_runs_draw_no_remark(seed: int, units: str) -> None:
    assert alarms(runs(seed), units) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_column_in_another_unit_is_refused_with_the_unit(seed: int) -> None:
    """The largest model has two billion parameters: 2,000 in millions, which the column alone could be."""
    t = runs(seed)
    with pytest.raises(
        BadInput, match=r"row 1 \(and 23 more rows\): D/N comes to .* column 'N' is probably in millions"
    ):
        alarms(t | {"N": 2e3 * t["N"] / t["N"].max()})


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("column", ["N", "D"])
def test_a_column_in_thousands_is_doubted(seed: int, column: str) -> None:
    t = runs(seed)
    assert any(f"{column} in thousands ({column}={column}[K])" in x for x in alarms(t | {column: t[column] / 1e3}))


def test_stated_units_are_believed_with_a_remark() -> None:
    t = runs(4) | {"N": runs(4)["N"] / 1e6}
    with pytest.raises(BadInput, match=r"write N=N\[M\], or state both units if right \(N=N\[params\], D=D\[tokens\]"):
        alarms(t | {"N": t["N"] * 10})
    (said,) = alarms(t | {"N": t["N"] * 10}, "params tokens nats")
    assert said.startswith("Check N and D in row 1")


@pytest.mark.parametrize("seed", SEEDS)
def test_half_of_the_rows_in_another_unit_are_named(seed: int) -> None:
    t = runs(seed)
    t["N"] = np.where(np.arange(24) % 2, t["N"] / 1e6, t["N"])
    with pytest.raises(
        BadInput, match=r"^row 2 \(and 11 more rows\): D/N comes to .* in another unit than in the other"
    ):
        alarms(t)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("compute", [False, True])
def test_swapped_columns_are_doubted(seed: int, compute: bool) -> None:
    t = runs(seed)
    t = {"N": t["D"], "D": t["N"], "loss": t["loss"], "C": 6 * t["N"] * t["D"]}
    found = Study.read(t, {name: name for name in (t if compute else ("N", "D", "loss"))}).remarks
    assert any("Are N (N) and D (D) swapped" in x for x in found)


@pytest.mark.parametrize("seed", SEEDS)
def test_samples_are_no_tokens(seed: int) -> None:
    t = runs(seed)
    few = t | {"D": 1e7 * t["D"] / t["D"].max()}
    assert alarms(few, "params samples nats") == []
    with pytest.raises(BadInput, match=r"D=D\[tokens\] or \[samples\]"):
        alarms(few | {"N": 1e2 * t["N"]})
    study = Study.read(few, {"N": "N", "D": "D", "loss": "loss[error]"})
    assert not any(x.startswith("Check N and D") for x in study.remarks)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (np.exp, "a perplexity (loss=loss[ppl])"),
        (lambda x: 100 * x, "in percent"),
        (lambda x: x / np.log(2), "in bits (loss=loss[bits])"),
        (np.log10, "a logarithm"),
    ],
)
def test_losses_of_another_kind_are_doubted(seed: int, change: Any, said: str) -> None:
    t = runs(seed)
    (found,) = alarms(t | {"loss": change(t["loss"])})
    assert found.startswith("Check the unit of the loss")
    assert said in found


def test_a_stated_unit_of_the_loss_settles_it() -> None:
    t = runs(5)
    for loss, unit, options in (
        (np.exp(t["loss"]), "ppl", {}),
        (t["loss"] / np.log(2), "bits", {}),
        (t["loss"] * 0.25 / np.log(2), "bpb", {}),
        (t["loss"] * 0.25 / np.log(2), "bpb", {"tokens_per_byte": 0.25}),
    ):
        assert alarms(t | {"loss": loss}, f"params tokens {unit}", **options) == []


def test_losses_that_are_none_are_refused() -> None:
    t = runs(6)
    with pytest.raises(BadInput, match="expected losses that differ between runs, got 3 in every row"):
        alarms(t | {"loss": np.full(24, 3.0)})
    off = t["loss"].copy()
    off[7] = 1e308
    with pytest.raises(BadInput, match=r"^row 8, column 'loss': expected a loss, got 1e\+308"):
        alarms(t | {"loss": off})
    off = t["D"].copy()
    off[7] = 1e308
    with pytest.raises(BadInput, match=r"^row 8, column 'D': comes to 1e\+308 tokens, more than any run has"):
        alarms(t | {"D": off})
    (said,) = alarms(t | {"loss": np.where(np.arange(24) == 7, 10 * t["loss"], t["loss"])})
    assert said.startswith("Check the loss in row 8")
    (said,) = alarms(t | {"loss": 3 + 1e-4 * t["loss"]})
    assert said.startswith("Check the loss: loss varies by")


def test_a_loss_that_rises_with_data_is_doubted() -> None:
    t = runs(7)
    said = alarms(t | {"loss": 3 * (t["D"] / 1e10) ** 0.1})
    assert any(x.startswith("Check D and the loss: loss rises with D (as D^0.10") for x in said)


def grid(sizes: int, amounts: int, step: float) -> Columns:
    N, k = (x.reshape(-1) for x in np.meshgrid(np.geomspace(3e7, 2e9, sizes), np.arange(amounts), indexing="ij"))
    D = 10 * N * (step**k if step else 1 + k)
    return {"N": N, "D": D, "loss": 1.8 + 400 * N**-0.34 + 1500 * D**-0.35}


@pytest.mark.parametrize(
    ("sizes", "amounts", "step"), [(4, 9, 2**0.5), (4, 9, 0.0), (4, 9, 2.0), (8, 20, 1.2), (1, 12, 1.5)]
)
def test_checkpoints_are_asked_for_their_run(sizes: int, amounts: int, step: float) -> None:
    t: dict[str, Any] = dict(grid(sizes, amounts, step))
    found = alarms(t)
    assert any("give its column as `run_id=...`" in x for x in found)
    t["run"] = [f"of {n:.0f}" for n in t["N"]]
    assert alarms(t, run_id="run") == []


@pytest.mark.parametrize(
    ("sizes", "amounts", "step"), [(6, 6, 2.0), (5, 5, 4.0), (8, 4, 1.5), (12, 10, 2.0), (7, 6, 2.5)]
)
def test_grids_of_runs_are_none(sizes: int, amounts: int, step: float) -> None:
    assert alarms(grid(sizes, amounts, step)) == []


@pytest.mark.parametrize("slug", datasets())
def test_public_sets_and_the_pocket_study_draw_no_remark(slug: str, request: pytest.FixtureRequest) -> None:
    folder: Path | None = None if datasets()[slug].shipped else request.getfixturevalue("data_dir")
    assert [x for x in load(slug, data_dir=folder).remarks if x.startswith("Check")] == []


def test_the_summary_says_where_no_unit_was_stated() -> None:
    assert Study.read(runs(8)).summary()["loss"].endswith("(unit not stated)")
    stated = Study.read(runs(8), {"N": "N", "D": "D", "loss": "loss[nats]"})
    assert stated.summary()["loss"].endswith(" nats")
