"""The shipped tables against the trainer's own records, and against what no model can beat."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from benchmarks.measure import corpus, tables
from benchmarks.measure.sweep import SWEEPS
from jaxscale.core.errors import BadInput
from jaxscale.studies import datasets, load, registry

SHIPPED = {slug: data for slug, data in datasets().items() if data.shipped}
FOLDER = Path(registry.__file__).parent / "pocket"


@pytest.mark.parametrize("sweep", sorted(SWEEPS.glob("*.toml")), ids=lambda path: path.stem)
def test_a_table_is_its_records(sweep: Path) -> None:
    rows = tables.rows_of(sweep)
    shipped = FOLDER / f"{sweep.stem}.csv"
    if not rows:
        assert not shipped.exists()
        return
    out = io.StringIO(newline="")
    tables.write(out, rows)
    assert shipped.read_text() == out.getvalue()


@pytest.mark.parametrize("slug", SHIPPED)
def test_they_load_anywhere(slug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a data folder or a network; every row is kept or its exclusion counted."""
    monkeypatch.delenv("JAXSCALE_DATA_DIR", raising=False)
    monkeypatch.setenv("JAXSCALE_DATA_URL", "http://127.0.0.1:9")
    study = load(slug)
    with (FOLDER / f"{slug.removeprefix('pocket_')}.csv").open(newline="") as stream:
        kept = [row for row in csv.DictReader(stream) if row.get("status", "ok") == "ok"]
    assert len(study) == len(kept) > 0
    assert study.provenance["licence"] == "CC0-1.0"
    np.testing.assert_array_equal(study.columns["N"], [float(row["params"]) for row in kept])


def test_statements_are_added_to_what_is_recorded() -> None:
    slug = min(SHIPPED)
    told = load(slug, provenance={"tuning": "none"}).provenance
    assert told["tuning"] == "none"
    assert {**told} == {**load(slug).provenance, "tuning": "none"}


def test_all_is_under_three_megabytes() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 3e6


def test_a_changed_table_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pocket").mkdir()
    (tmp_path / "pocket" / "grid.csv").write_bytes((FOLDER / "grid.csv").read_bytes() + b"\n")
    monkeypatch.setattr(registry, "__file__", str(tmp_path / "registry.py"))
    with pytest.raises(BadInput, match=r"wrong checksum.*install again"):
        load("pocket_grid")


def test_no_model_beats_the_source() -> None:
    """Losses on the synthetic source lie above its entropy, but for the luck of the held-out sample."""
    study = load("pocket_grid", where="corpus == 'zipf'")
    error = 0.012  # the standard error of the held-out loss, which is the sample's own to the most part
    assert study.columns["loss"].min() > corpus.zipf_entropy() - 3 * error


def test_compute_is_a_closed_form() -> None:
    """Exact FLOPs: 6 per parameter of blocks and output and token, and attention over the window, for some rows."""
    with (FOLDER / "grid.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            width, layers, tokens = (int(row[name]) for name in ("width", "layers", "tokens"))
            matrices = layers * 12 * width**2 + 256 * width
            attention = layers * 2 * corpus.WINDOW * width
            assert int(row["flops"]) == 6 * tokens * (matrices + attention)
            assert int(row["flops_6nd"]) == 6 * tokens * int(row["params_non_embedding"])
