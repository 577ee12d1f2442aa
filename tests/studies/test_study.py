"""Study: mapping, aliases, groups, filters, provenance, and the runs that a law is given."""

from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest

from jaxscale.core import quantities as q
from jaxscale.core.law import Signature
from jaxscale.core.runs import Table
from jaxscale.studies import BadInput, Study

FRAME = pd.DataFrame(
    {
        "params": [100.0, 200.0, 400.0, 800.0],
        "tokens": [2.0, 4.0, 8.0, 16.0],
        "val_loss": [3.6, 3.2, 2.9, 2.6],
        "corpus": ["c4", "pile", "c4", "pile"],
        "run": [1, 1, 2, 3],
        "w": [1.0, 1.0, 0.0, 2.0],
        "sd": [0.01, 0.02, 0.03, 0.04],
        "lr": [1e-3, 2e-3, 3e-3, 4e-3],
    }
)
MAPPING = {"N": "params[M]", "D": "tokens[B]", "loss": "val_loss[nats]"}
LOSS_OF = Signature({"N": q.PARAMS, "D": q.TOKENS}, q.NATS)


def study(**options: object) -> Study:
    return Study.read(FRAME, MAPPING, **options)


def test_columns_are_canonical() -> None:
    s = study()
    np.testing.assert_array_equal(s.columns["N"], FRAME["params"] * 1e6)
    np.testing.assert_array_equal(s.columns["D"], FRAME["tokens"] * 1e9)
    np.testing.assert_array_equal(s.columns["loss"], FRAME["val_loss"])
    assert s.unit == "nats"
    assert len(s) == 4
    assert s.provenance["transformations"].startswith("N = params x 1e+06; D = tokens x 1e+09")
    with pytest.raises(ValueError, match="read-only"):
        s.columns["N"][0] = 1.0


def test_a_study_is_a_table() -> None:
    table: Table = study(group="corpus")
    runs = table.runs(LOSS_OF)
    assert table.groups == ("c4", "pile")
    assert list(np.asarray(runs.group)) == [0, 1, 0, 1]
    assert runs.size == 4


def test_runs_carry_everything_once_cast(eps: float) -> None:
    s = study(group="corpus", run_id="run", weight="w", noise="sd")
    runs = s.runs(LOSS_OF)
    kind = jax.dtypes.canonicalize_dtype(float)
    assert set(runs.inputs) == {"N", "D"}
    assert {x.dtype for x in (*runs.inputs.values(), runs.target, runs.weight, runs.noise)} == {kind}
    np.testing.assert_allclose(runs.inputs["N"], s.columns["N"], rtol=eps)
    np.testing.assert_allclose(runs.noise, FRAME["sd"], rtol=eps)
    np.testing.assert_array_equal(runs.weight, FRAME["w"])
    np.testing.assert_array_equal(runs.cluster, [0, 0, 1, 2])


def test_the_ratio_is_found_and_pure_numbers_are_mapped(eps: float) -> None:
    runs = Study.read(FRAME, {**MAPPING, "lr": "lr"}).runs(
        Signature({"M": q.RATIO, "lr": q.PURE, "group": q.GROUP}, q.NATS)
    )
    np.testing.assert_allclose(runs.inputs["M"], FRAME["tokens"] / FRAME["params"] * 1e3, rtol=2 * eps)
    np.testing.assert_allclose(runs.inputs["lr"], FRAME["lr"], rtol=eps)
    assert "group" not in runs.inputs


@pytest.mark.parametrize(
    ("symbol", "quantity", "unit", "asked"),
    [
        ("D", q.TOKENS, 1e9, "D=D[tokens], or as in D=D[B]"),
        ("N", q.PARAMS, 1e6, "N=N[params], or as in N=N[M]"),
        ("C", q.FLOPS, 8.64e19, "C=C[FLOP], or as in C=C[EFLOP]"),
        ("S", q.STEPS, 1e3, "S=S[steps]"),
        ("lr", q.LEARNING_RATE, 1.0, "lr=lr"),
    ],
)
def test_a_column_that_was_not_mapped_is_asked_for(symbol: str, quantity: q.Quantity, unit: float, asked: str) -> None:
    """A header that reads like a law's symbol states no unit: what a law takes has gone through the mapping."""
    rng = np.random.default_rng(7)
    table = {"x": rng.uniform(1, 9, 5), symbol: 1e10 * rng.uniform(1, 9, 5) / unit, "loss": rng.uniform(2, 4, 5)}
    wanted = Signature({symbol: quantity}, q.NATS)
    with pytest.raises(BadInput) as error:
        Study.read(table, {"x": "x", "loss": "loss[nats]"}).runs(wanted)
    sentence = (
        f"column '{symbol}' of 'table' is not in the mapping (x=x, loss=loss[nats]); add it with its unit: {asked}"
    )
    assert str(error.value).endswith(sentence)
    # What the sentence asks for is taken.
    text = asked.split(", ")[0].removeprefix(f"{symbol}=")
    plain = {**table, symbol: table[symbol] * unit}
    assert Study.read(plain, {symbol: text, "loss": "loss[nats]"}).runs(wanted).size == 5


def test_compute_is_derived_only_when_asked() -> None:
    with pytest.raises(BadInput, match=r"needs C .* C=6ND to derive it"):
        study().runs(Signature({"C": q.FLOPS}, q.NATS))
    asked = Study.read(FRAME, {**MAPPING, "C": "6ND"})
    np.testing.assert_array_equal(asked.columns["C"], 6.0 * asked.columns["N"] * asked.columns["D"])
    assert "C = 6 N D" in asked.provenance["transformations"]
    back = Study.read({"N": [1e8], "C": [6e17], "loss": [3.0]}, {"N": "N", "C": "C", "D": "C/(6N)", "loss": "loss"})
    np.testing.assert_array_equal(back.columns["D"], [1e9])


def test_the_unit_of_the_loss_must_be_the_laws() -> None:
    characters = Study.read(FRAME, {**MAPPING, "loss": "val_loss[bpc]"})
    with pytest.raises(BadInput, match=r"bits/character; give `tokens_per_character=...`, which converts it, or"):
        characters.runs(LOSS_OF)
    as_it_stands = Study.read(FRAME, {**MAPPING, "loss": "val_loss"})
    assert as_it_stands.unit == ""
    assert as_it_stands.runs(LOSS_OF).size == 4
    assert characters.runs(Signature(LOSS_OF.inputs, q.ERROR)).size == 4


def test_inputs_in_another_unit_are_refused() -> None:
    samples = Study.read(FRAME, {**MAPPING, "D": "tokens[B samples]"})
    with pytest.raises(BadInput, match="takes D in tokens, but 'table' has it in samples"):
        samples.runs(LOSS_OF)
    assert samples.runs(Signature({"D": q.SAMPLES}, q.NATS)).size == 4


def test_filters_keep_rows_and_say_so() -> None:
    read = study(where="corpus == 'pile'", group="corpus", run_id="run")
    later = study(group="corpus", run_id="run").where("corpus == 'pile'")
    for s in (read, later):
        np.testing.assert_array_equal(s.rows, [2, 4])
        np.testing.assert_array_equal(s.cluster, [0, 1])
        assert s.groups == ("pile",)
        assert s.provenance["exclusions"] == "kept 2 of 4 rows: corpus == 'pile'"
    twice = later.where("params > 500")
    np.testing.assert_array_equal(twice.rows, [4])
    assert twice.provenance["exclusions"].endswith("kept 1 of 2 rows: params > 500")
    with pytest.raises(BadInput, match="no row of 4 fulfils"):
        study().where("params > 1e9")
    with pytest.raises(BadInput, match="expected 4 booleans"):
        study().select(np.array([True]), "a mask")


def test_rows_are_named_as_in_the_owners_table() -> None:
    table = {"N": [1e8, 2e8, 3e8], "D": [1e9, 1e9, -5.0], "loss": [3.0, 2.9, 2.8]}
    with pytest.raises(BadInput, match=r"^row 3, column 'D': expected D above 0, got -5;"):
        Study.read(table, where="N > 1.5e8")


def test_sizes_as_people_write_them() -> None:
    s = Study.read({"N": ["1.3B", "300M", "70e9"], "D": [1e9, 2e9, 3e9], "loss": [3.0, 2.9, 2.8]})
    np.testing.assert_array_equal(s.columns["N"], [1.3e9, 300e6, 70e9])
    assert s.remarks == ("column 'N': suffixes such as 1.3B were read as numbers",)


@pytest.mark.parametrize(
    ("names", "remarked"),
    [
        (("N", "D", "loss"), 0),
        (("params", "tokens", "loss"), 2),
        (("num_params", "tokens_seen", "val/loss"), 3),
        (("non_embedding_param_size", "data_size", "lm_loss"), 3),
        (("Params (M)", "Tokens [B]", "final_loss"), 3),
    ],
)
def test_known_names_are_taken_and_stated(names: tuple[str, str, str], remarked: int) -> None:
    scale = (1e6, 1e9) if "(M)" in names[0] else (1.0, 1.0)
    s = Study.read(dict(zip(names, ([1e8 / scale[0]], [1e9 / scale[1]], [3.0]), strict=True)))
    assert {symbol: list(column) for symbol, column in s.columns.items()} == {"N": [1e8], "D": [1e9], "loss": [3.0]}
    assert sum("was taken as" in remark for remark in s.remarks) == remarked


def test_provenance_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    FRAME.to_csv(path, index=False)
    s = Study.read(path, MAPPING, licence="CC-BY-4.0", n_convention="without")
    assert s.name == "runs"
    assert s.provenance["source"] == str(path)
    assert s.provenance["licence"] == "CC-BY-4.0"
    assert s.provenance["n_convention"] == "without embeddings"
    assert len(s.provenance["sha256"]) == 64
    assert s.provenance["mapping"] == "N=params[M], D=tokens[B], loss=val_loss[nats]"
    assert study().provenance["sha256"] == study().provenance["sha256"] != study(where="run > 1").provenance["sha256"]


def test_conventions_in_a_column() -> None:
    table = {"N": [1e8, 2e8], "D": [1e9, 1e9], "loss": [3.0, 2.9], "counted": ["total", "total"]}
    assert Study.read(table, n_convention="counted").provenance["n_convention"] == "with embeddings"
    assert Study.read(table).provenance["n_convention"] == "undeclared"


def test_remarks_say_what_a_reader_must_see() -> None:
    table = {"N": [1e8, 1e8, 1e8], "D": [1e9, 2e9, 3e9], "loss": [3.0, 2.9, 2.8], "run_id": [1, 2, 3], "g": [1, 1, 2]}
    remarks = Study.read(table, group="g").remarks
    assert remarks == (
        "N is 1e+08 in every row: the runs say nothing about its effect",
        "group '2' has one run only",
        "column 'run_id' was not given as `run_id=\"run_id\"`: rows are treated as independent runs",
    )


def test_summary_and_description() -> None:
    s = study(group="corpus", run_id="run")
    assert s.summary()["N"] == "1e+08 to 8e+08 params".removesuffix(" params")
    assert s.summary()["groups"] == "c4 (2), pile (2)"
    assert s.summary()["independent runs"] == "3"
    assert "runs: 4" in s.describe()


def test_another_target() -> None:
    table = {"loss": [3.0, 2.5], "accuracy_error": [0.8, 0.4]}
    s = Study.read(table, {"loss": "loss[nats]", "error": "accuracy_error[error]"}, target="error")
    runs = s.runs(Signature({"loss": q.NATS}, q.ERROR))
    np.testing.assert_allclose(runs.inputs["loss"], [3.0, 2.5])
    assert s.unit == "error"


def test_arrays_of_a_simulation() -> None:
    s = Study.from_arrays("demo", {"N": np.array([1e8, 2e8]), "D": np.array([1e9, 2e9])}, np.array([3.0, 2.8]))
    assert (s.name, s.provenance["source"], s.units["N"]) == ("demo", "demo", "params")
    assert s.runs(LOSS_OF).size == 2


def test_noise_follows_the_unit_of_the_loss() -> None:
    bits = Study.read(FRAME, {**MAPPING, "loss": "val_loss[bits]"}, noise="sd")
    np.testing.assert_allclose(bits.noise, FRAME["sd"] * np.log(2), rtol=2 * np.finfo(float).eps)
    assert list(study(noise=0.01).noise) == [0.01] * 4
