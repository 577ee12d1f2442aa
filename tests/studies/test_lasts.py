"""The last checkpoint of each run, against the same choice by pandas, on histories that are drawn afresh."""

import numpy as np
import pandas as pd
import pytest

from jaxscale.core.errors import BadInput
from jaxscale.studies import Study

SEEDS = [0, 1, 2]
MAP = {"N": "params", "D": "tokens", "loss": "val/loss[nats]"}


def history(seed: int) -> pd.DataFrame:
    """Six runs of W&B, shuffled: train loss at every step, validation loss, with tokens, at every third one only."""
    rng = np.random.default_rng(seed)
    parts = []
    for i, N in enumerate(10 ** rng.uniform(7, 9, 6)):
        step = 100 * np.arange(1, rng.integers(20, 40))
        D = 20 * N * step / step[-1]
        loss = 1.7 + 406 * N**-0.34 + 411 * D**-0.28 + rng.normal(0, 1e-3, len(step))
        evaluated = np.arange(len(step)) % 3 == len(step) % 3
        parts.append(
            pd.DataFrame(
                {
                    "run": f"llama-{i}",
                    "_step": step,
                    "_runtime": 1.5 * step,
                    "params": N,
                    "tokens": np.where(evaluated, D, np.nan),
                    "train/loss": loss - 0.01,
                    "val/loss": np.where(evaluated, loss, np.nan),
                }
            )
        )
    return pd.concat(parts).sample(frac=1, random_state=seed).reset_index(drop=True)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_last_evaluated_row_of_each_run_is_read(seed: int) -> None:
    frame = history(seed)
    expected = frame.dropna().sort_values("_step").groupby("run").tail(1).sort_index()
    study = Study.read(frame, MAP, last_of="run")
    assert set(study.rows) == set(expected.index + 1)
    for symbol, name in (("N", "params"), ("D", "tokens"), ("loss", "val/loss")):
        np.testing.assert_array_equal(study.columns[symbol], expected[name])
    later = sum(g._step.max() > expected._step[expected.run == run].item() for run, g in frame.groupby("run"))
    (said,) = [remark for remark in study.remarks if "Last of each run" in remark]
    assert said.startswith(f"Last of each run: 6 of {len(frame)} rows were read, the last by '_step' of each 'run'")
    assert (f"{later} of the runs have later rows" in said) == bool(later)
    assert study.provenance["exclusions"] == f"kept 6 of {len(frame)} rows: the last of each run"
    assert len(np.unique(study.cluster)) == 6
    # Without steps the data that were seen tell, without either the order of rows.
    np.testing.assert_array_equal(Study.read(frame.drop(columns="_step"), MAP, last_of="run").rows, study.rows)
    compute = frame.assign(flops=6 * frame.params * frame.tokens).sort_values("_step", ignore_index=True)
    plain = Study.read(compute.drop(columns="_step"), MAP | {"D": "C/6N", "C": "flops"}, last_of="run")
    np.testing.assert_allclose(np.sort(plain.columns["loss"]), np.sort(study.columns["loss"]))
    # A filter goes first.
    early = Study.read(frame, MAP, last_of="run", where="_step <= 1000")
    assert early.columns["D"].max() < study.columns["D"].max()


@pytest.mark.parametrize("seed", SEEDS)
def test_numbers_as_people_write_them_and_runs_without_a_loss(seed: int) -> None:
    frame = history(seed)
    texts = frame.astype(object).where(frame.notna(), "-").astype(str)
    np.testing.assert_allclose(
        Study.read(texts, MAP, last_of="run").columns["loss"], Study.read(frame, MAP, last_of="run").columns["loss"]
    )
    frame.loc[frame.run == "llama-3", "val/loss"] = np.where(frame._step[frame.run == "llama-3"] % 200, np.inf, np.nan)
    with pytest.raises(BadInput, match=r"expected a row of run 'llama-3' with finite numbers in 'params', 'tokens'"):
        Study.read(frame, MAP, last_of="run")
    assert len(Study.read(frame, MAP, last_of="run", where="run != 'llama-3'")) == 5
    with pytest.raises(BadInput, match=r"`last_of=\.\.\.`: there is no column 'runs'; did you mean 'run'\?"):
        Study.read(frame, MAP, last_of="runs")


def test_what_is_no_run_table_says_so() -> None:
    frame = history(7).drop(columns="params")
    with pytest.raises(BadInput, match=r"a W&B history, .*`last_of=\.\.\.` with the column of their names"):
        Study.read(frame, MAP)
