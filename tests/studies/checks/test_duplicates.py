"""Rows that occur more than once: copies count once, equal runs are kept, both are said; refused where asked."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jaxscale.studies import BadInput, Study, load

MAP = {"N": "params", "D": "tokens", "loss": "loss[nats]"}


def seeds_rounded(seed: int) -> pd.DataFrame:
    """Two seeds of every run, whose losses differ by less than the second decimal that is written."""
    rng = np.random.default_rng(seed)
    sizes = 10 ** (np.linspace(7, 9, 6) + rng.uniform(-0.1, 0.1, 6))
    N, ratio = (x.ravel() for x in np.meshgrid(sizes, [10.0, 20.0, 40.0]))
    loss = 1.7 + 406 * N**-0.34 + 411 * (ratio * N) ** -0.28
    runs = pd.DataFrame({"params": N, "tokens": ratio * N, "loss": loss})
    two = pd.concat([runs.assign(seed=s) for s in (0, 1)], ignore_index=True)
    return two.assign(loss=(two.loss * np.exp(rng.normal(0, 5e-4, len(two)))).round(2))


def said(study: Study, word: str) -> str:
    (found,) = (remark for remark in study.remarks if remark.startswith(word))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_runs_that_agree_after_rounding_are_kept_and_said(seed: int) -> None:
    table = seeds_rounded(seed)
    equal = int(table.duplicated(["params", "tokens", "loss"]).sum())
    assert equal > 3
    study = Study.read(table, MAP)
    assert len(study) == len(table)
    remark = said(study, "Equal rows")
    assert remark.startswith(f"Equal rows: {equal} rows equal one before in N, D, loss (row ")
    assert remark.count(" as ") == 4  # three pairs, and `as a run of its own`
    assert not any(r.startswith("Counted once") for r in study.remarks)


@pytest.mark.parametrize("seed", range(4))
def test_a_copy_of_a_whole_row_counts_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = seeds_rounded(seed).assign(note=lambda t: np.where(t.seed == 0, np.nan, t.params), tag="a")
    many = int(rng.integers(1, 9))
    copied = rng.choice(len(table), many, replace=False)
    doubled = pd.concat([table, table.iloc[copied]], ignore_index=True)
    shuffled = doubled.sample(frac=1.0, random_state=seed).reset_index(drop=True)
    first = ~shuffled.duplicated().to_numpy()  # pandas takes missing cells for equal as well
    study = Study.read(shuffled, MAP)
    assert study.rows.tolist() == (np.flatnonzero(first) + 1).tolist()
    np.testing.assert_array_equal(study.columns["loss"], shuffled.loss[first])
    copies = "1 row is a copy" if many == 1 else f"{many} rows are copies"
    assert said(study, "Counted once").startswith(f"Counted once: {copies} of one before in all 6 columns of the table")
    assert study.provenance["exclusions"] == f"kept {len(table)} of {len(doubled)} rows: no copy of a whole row"
    kept = Study.read(shuffled, MAP, duplicates="keep")
    assert len(kept) == len(doubled)
    assert "exclusions" not in kept.provenance
    assert said(kept, "Equal rows")


def test_a_filter_comes_first_and_both_are_recorded() -> None:
    table = pd.concat([seeds_rounded(0)] * 2, ignore_index=True)
    study = Study.read(table, MAP, where="seed == 0")
    assert len(study) == len(table) // 4
    assert study.provenance["exclusions"] == "kept 36 of 72 rows: seed == 0; kept 18 of 36 rows: no copy of a whole row"
    assert not any(remark.startswith("Equal rows") for remark in study.remarks)


def test_equal_rows_of_different_runs_or_groups_are_told_apart() -> None:
    for option in ("run_id", "group"):
        study = Study.read(seeds_rounded(1), MAP, **{option: "seed"}, duplicates="refuse")
        assert not any(remark.startswith("Equal rows") for remark in study.remarks)


@pytest.mark.parametrize(
    "table",
    [seeds_rounded(2), pd.concat([seeds_rounded(2).query("seed == 0")] * 2, ignore_index=True)],
    ids=["rounded", "copies"],
)
def test_both_are_refused_where_asked(table: Any) -> None:
    i = int(np.flatnonzero(table.duplicated(["params", "tokens", "loss"]))[0])
    with pytest.raises(BadInput, match=rf"^row {i + 1}: expected different runs, got the same N, D, loss as in row "):
        Study.read(table, MAP, duplicates="refuse")


def test_another_way_is_a_sentence() -> None:
    with pytest.raises(BadInput, match="duplicates: expected one of once, keep, refuse, got 'drop'; choose one"):
        Study.read(seeds_rounded(0), MAP, duplicates="drop")


def test_the_public_grid_is_read_from_its_file_and_as_it_stands_by_name(data_dir: Path) -> None:
    """Four of its 411 rows occur twice in the source; its authors fitted all."""
    path = data_dir / "farseer" / "data.csv"
    assert pd.read_csv(path).duplicated().sum() == 4
    assert len(Study.read(path)) == 407
    assert len(load("farseer")) == 411
