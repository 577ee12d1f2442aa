"""The forecast benchmark: its scores by hand, its ladders against what their sources say, its driver on one ladder."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import jax
import numpy as np
import pytest

pytest.importorskip("benchmarks.forecast", reason="run pytest from the repository's root")

from benchmarks.forecast import __main__ as driver
from benchmarks.forecast import peers
from benchmarks.forecast import records as kept
from benchmarks.forecast.ladders import best, ladders, last
from benchmarks.forecast.page import by_method, summary, write
from benchmarks.forecast.rows import Page, Row
from benchmarks.forecast.scores import LEVELS, Answer, Failed, central, interval_score, scored
from benchmarks.forecast.splits import Split, compute, cut, demanded, quantile, splits
from jaxscale import Study


def test_words_are_no_part_of_the_code(tmp_path: Path) -> None:
    texts = ('"""Told."""\ndef f(x):\n    """Why."""\n    return x + 1\n', "def f(x): return x + 1  # so\n", "f = 1\n")
    paths = [tmp_path / f"{i}.py" for i in range(3)]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    told, bare, other = (kept._wordless(path) for path in paths)
    assert told == bare != other


def test_interval_score_by_hand() -> None:
    """Gneiting & Raftery 2007, eq. 43: the width, and 2/alpha times what is missed; here alpha = .2."""
    low, high = np.array([1.0, 1.0, 1.0]), np.array([3.0, 3.0, 3.0])
    found = interval_score(low, high, np.array([2.0, 0.5, 4.0]), 0.8)
    np.testing.assert_allclose(found, [2.0, 2.0 + 10 * 0.5, 2.0 + 10 * 1.0], rtol=1e-15)


def test_interval_score_is_least_at_the_quantiles() -> None:
    """A proper score: over uniform draws no band does better than the central one, and its mean is known.

    On (0, 1) the band [a, 1 - a] scores 1 - 2a + (2/alpha) a^2, least at a = alpha/2 and there 1 - alpha/2.
    """
    y = (np.arange(100_000) + 0.5) / 100_000
    at = {a: interval_score(np.full(y.shape, a), np.full(y.shape, 1 - a), y, 0.9).mean() for a in (0.02, 0.05, 0.1)}
    assert min(at, key=at.__getitem__) == 0.05
    # The midpoint rule is exact on each cell but the two that hold an end.
    assert at[0.05] == pytest.approx(0.95, abs=2 / 0.1 / 100_000)


def test_scores_by_hand() -> None:
    point, observed = np.array([2.0, 5.0]), np.array([1.6, 5.0])
    ends = {level: (point - half, point + half) for level, half in ((0.5, 0.1), (0.8, 0.3), (0.9, 0.4), (0.95, 1.0))}
    found = scored(point, ends, observed)
    assert (found.mean, found.largest) == pytest.approx((0.125, 0.25))
    assert found.coverage == {0.5: 0.5, 0.8: 0.5, 0.9: 1.0, 0.95: 1.0}  # an end is inside
    assert found.width == pytest.approx((0.8 / 2 + 0.8 / 5) / 2)
    assert found.interval_score == pytest.approx((0.8 / 1.6 + 0.8 / 5) / 2)
    bare = scored(point, {}, observed)
    assert bare.mean == found.mean
    assert not bare.coverage
    assert np.isnan(bare.width)


def test_central_intervals_are_quantiles() -> None:
    draws = np.arange(101.0)[:, None] * np.ones(3)
    low, high = central(draws)[0.9]
    np.testing.assert_allclose(low, 5.0)
    np.testing.assert_allclose(high, 95.0)


# Independent runs and rows. Of SOURCE.md: Farseer 404 + 7, Chinchilla 240 used, Gadre 34 + 35 + 35, Gemstones 22 shapes
# of 10 points, Step Law 17 cells, Misfitting 82, OPT 142 points of 6 sizes, ParScale 48 rows of 4 sizes x 2 corpora x
# up to 8 streams, QuEST 6 baselines, shapes 76, PCFG 150 of 5 corpora, pocket 180 of 2; others counted in the tables.
_COUNTS: Mapping[str, tuple[int, int]] = {
    "Farseer": (411, 411),
    "Chinchilla runs": (240, 240),
    "Gadre c4_original": (34, 34),
    "Gadre rpj": (35, 35),
    "Gadre rw_original": (35, 35),
    "Datablations, one epoch": (29, 29),
    "Gemstones hot": (22, 220),
    "Gemstones cool_end": (20, 199),
    "Gemstones lr_ablation_hot": (20, 200),
    "Porian owt2, base, long warm-up, kaplan decay": (16, 132),
    "Porian rw, base, short warm-up, chinchilla decay": (88, 88),
    "Misfitting, best rate": (82, 82),
    "OPT": (6, 142),
    "Step Law, best of a cell": (17, 17),
    "OLMo ladder": (24, 24),
    "ParScale stack": (6, 6),
    "QuEST, 16 bits": (6, 6),
    "Routed LM, dense": (8, 200),
    "Shapes": (76, 76),
    "DiLoCo, data-parallel": (9, 9),
    "gzip 0.12": (30, 30),
    "Pocket stdlib": (90, 90),
}


def test_ladders_have_the_runs_their_sources_name(data_dir: Path) -> None:
    found = {name: ladders()[name]() for name in _COUNTS}
    assert {name: (len(np.unique(s.cluster)), len(s)) for name, s in found.items()} == _COUNTS
    for study in found.values():
        assert all(np.all(study.columns[name] > 0) for name in ("N", "D", "loss"))


def test_best_and_last_take_one_row_of_each() -> None:
    table = {"N": [1.0, 1.0, 2.0, 2.0], "D": [5.0, 5.0, 5.0, 7.0], "loss": [3.0, 2.0, 1.0, 4.0], "run": list("aabb")}
    study = Study.read(table, {"N": "N[params]", "D": "D[tokens]", "loss": "loss"})
    assert best(study).columns["loss"].tolist() == [2.0, 1.0, 4.0]
    assert last(study, "run").columns["loss"].tolist() == [3.0, 4.0]


def test_a_run_is_never_on_both_sides(data_dir: Path) -> None:
    """Fitted runs end below the cut, held rows lie from the cut up; no label of a run is in both."""
    for split in splits():
        assert compute(split.fitted).max() < compute(split.held).min()
        assert split.decades.min() > 0
        if "run_name" in split.fitted.table:
            assert not set(split.fitted.table["run_name"]) & set(split.held.table["run_name"])


def test_demanded_splits(data_dir: Path) -> None:
    """The five of the project, with its bounds; the rows on each side counted in the tables."""
    found = {split.name: (len(split.fitted), len(split.held), split.demanded) for split in demanded()}
    assert found == {
        "Farseer, 404 to 7": (404, 7, 0.005),
        "Farseer, C < 3e20": (271, 140, 0.0075),
        "Farseer, C < 3e19": (130, 281, 0.01),
        "Chinchilla runs, C < 3e20": (177, 63, 0.01),
        "Chinchilla runs, C < 1e20": (136, 104, 0.01),
    }


def _ladder() -> Study:
    """Four runs of two checkpoints each; the last two runs end in the same compute but for rounding."""
    N, D = np.repeat([1.0, 2.0, 4.0, 8.0], 2), np.array([1, 2, 1, 4, 1, 8, 2, 4 * (1 + 1e-9)])
    table = {"N": N, "D": D, "loss": 1 + 1 / N + 1 / D, "run": list("aabbccdd")}
    return Study.read(table, {"N": "N[params]", "D": "D[tokens]", "loss": "loss"}, run_id="run")


def test_cuts_go_by_runs_and_keep_equal_budgets_together() -> None:
    study = _ladder()  # runs end at 6ND = 12, 48, 192, 192
    at = quantile(study, 0.75)
    assert 48 < at < 192
    made = cut("x", "y", study, at)
    assert made.fitted.table["run"].tolist() == list("aabb")
    assert made.held.table["run"].tolist() == ["c", "d"]  # their earlier checkpoints are on neither side
    np.testing.assert_allclose(made.decades, np.log10(192 / 48), rtol=1e-8)


def _split() -> Split:
    study = _ladder()
    return cut("Tiny", "50% of runs", study, quantile(study, 0.5))


def test_records_go_on_and_know_their_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there is not computed again; other runs or another chosen law are; a refusal is kept in words."""
    calls: list[str | None] = []

    def answer(split: Split, chosen: str | None) -> Answer:
        calls.append(chosen)
        point = split.observed * 1.1
        return Answer(
            point,
            {0.9: (point * 0.8, point * np.inf)},
            about={"chosen": "Chinchilla + discrepancy", "law": "Chinchilla"},
        )

    def refusing(split: Split) -> Answer:
        raise Failed("it cannot")

    monkeypatch.setattr(kept, "OURS", {"outlook": answer, "second": answer})
    monkeypatch.setattr(kept, "PEERS", {"peer": refusing})
    folder, split = kept.Records(tmp_path), _split()
    assert folder.get(split, "outlook") is None
    for method in ("outlook", "second", "peer"):
        folder.make(split, method)
    assert calls == [None, "Chinchilla"]
    again = kept.Records(tmp_path).get(split, "outlook")
    assert again is not None
    assert again.answer is not None
    np.testing.assert_array_equal(again.answer.point, split.observed * 1.1)
    np.testing.assert_array_equal(again.answer.ends[0.9][1], np.inf)
    refused = folder.get(split, "peer")
    assert refused is not None
    assert (refused.answer, refused.failed) == (None, "it cannot")
    other = Split(split.ladder, split.cut, split.fitted, split.held.select(split.observed < 99, "all"), None)
    assert folder.get(other, "outlook") is not None  # the same runs
    assert folder.get(Split(split.ladder, split.cut, split.held, split.held), "outlook") is None


def test_a_page_keeps_what_the_folder_has_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written, read by a fresh folder and written again, a page is the same; of other runs it says nothing."""

    def answer(split: Split, chosen: str | None) -> Answer:
        y = split.observed
        ends = dict.fromkeys(LEVELS, (y * 0.8, y * 1.3))
        others = {"conformal": dict.fromkeys(LEVELS, (y * 0, y * np.inf))}
        return Answer(y * 1.1, ends, others, {"chosen": "A + discrepancy", "law": "A", "hindsight": {"A": 0.2}})

    def plain(split: Split, chosen: str | None) -> Answer:
        return Answer(split.observed * 1.2, about={"chosen": chosen})

    def refusing(split: Split) -> Answer:
        raise Failed("it cannot")

    monkeypatch.setattr(kept, "OURS", {"outlook": answer, "posterior of its law": plain})
    monkeypatch.setattr(kept, "PEERS", {"SciPy": refusing})
    study = _ladder()
    split, first = Split("Tiny", "all", study, study), kept.Records(tmp_path / "first")
    for method in ("outlook", "posterior of its law", "SciPy"):
        first.make(split, method)
    write([split], first, tmp_path)
    pages = [tmp_path / f"forecasts.{kind}" for kind in ("json", "md")]
    before = [page.read_text() for page in pages]
    fresh = kept.Records(tmp_path / "second", Page.of(pages[0]))
    assert [row.method for row in fresh.rows(split, "outlook")] == ["outlook", "conformal"]
    write([split], fresh, tmp_path)
    assert [page.read_text() for page in pages] == before
    other = Split("Tiny", "all", study, study.select(split.observed < 3, "some"))
    assert fresh.rows(other, "outlook") == fresh.rows(other, "SciPy") == []


def test_summary_counts_rows_splits_and_refusals() -> None:
    """Two splits of 2 and 5 held rows: one covered and won, one refused, which counts as lost."""
    study = _ladder()
    first = cut("One", "50%", study, 100.0)
    second = cut("Two", "50%", study, 15.0)
    assert (len(first.held), len(second.held)) == (2, 5)
    good = scored(first.observed, {0.9: (first.observed, first.observed)}, first.observed)
    poor = scored(second.observed * 1.5, {}, second.observed)
    rows = [
        Row(first, "outlook", "outlook", good, about={"hindsight": {"A": 0.0, "B": 0.4}}),
        Row(first, "SciPy", "SciPy", scored(first.observed * 2, {}, first.observed)),
        Row(second, "outlook", "outlook", None, failed="too few"),
        Row(second, "SciPy", "SciPy", poor),
        Row(second, "chinchilla", "chinchilla", None, failed="too few"),
    ]
    found = summary(rows, asked=7)
    assert (found["splits"], found["run"], found["refused"], found["compared"]) == (7, 2, 1, 2)
    assert found["coverage_90_of_rows"] == found["coverage_90_of_splits"] == 1.0
    assert (found["splits_of_many_rows"], found["of_these_as_was_asked"]) == (0, 0)
    assert found["errs_less_than_every_peer"] == found["best_candidate_errs_less"] == 1
    assert found["the_rest"]["Two, 50%"]["peer"] == "SciPy"


def test_coverages_of_single_splits_are_counted_where_rows_are_many() -> None:
    """40 held-out rows each, of which 36 and 40 are held: the first is as was asked, the second too much."""
    y = np.linspace(2.0, 3.0, 40)
    study = Study.read({"N": y, "D": y, "loss": y}, {"N": "N[params]", "D": "D[tokens]", "loss": "loss"})
    bands = {"a": (y, np.where(np.arange(40) < 36, 2.0, 0.5) * y), "b": (y, y)}
    scores = {name: scored(y, {0.9: ends}, y) for name, ends in bands.items()}
    rows = [Row(Split(name, "", study, study), "outlook", "outlook", one) for name, one in scores.items()]
    found = summary(rows, asked=2)
    assert (found["splits_of_many_rows"], found["of_these_as_was_asked"]) == (2, 1)
    assert found["coverage_90_of_rows"] == pytest.approx((36 + 40) / 80)


def test_methods_are_compared_on_the_splits_that_ours_answered() -> None:
    """Two splits of 2 and 5 held rows, of which the band holds 2 and 2; a third has no answer of ours."""
    first, second = (cut(name, "50%", _ladder(), at) for name, at in (("One", 100.0), ("Two", 15.0)))
    third = cut("Three", "50%", _ladder(), 15.0)
    y, z = first.observed, second.observed
    two_of_five = np.where(np.arange(5) < 2, 1.0, 2.0)
    rows = [
        Row(first, "outlook", "outlook", scored(y * 1.1, {0.9: (y, y * 1.2)}, y)),
        Row(first, "SciPy", "SciPy", scored(y * 1.2, {}, y)),
        Row(second, "outlook", "outlook", scored(z * 1.3, {0.9: (z * two_of_five, z * 3)}, z)),
        Row(second, "SciPy", "SciPy", scored(z * 1.1, {}, z)),
        Row(third, "SciPy", "SciPy", scored(z, {}, z)),
    ]
    found = by_method(rows)
    assert (found["SciPy"]["splits"], found["SciPy"]["less"]) == (2, 1)
    assert (found["outlook"]["least"], found["SciPy"]["least"]) == (1, 2)  # of the third too
    assert found["SciPy"]["ratio"] == pytest.approx(np.sqrt(0.1 / 0.2 * 0.3 / 0.1))
    assert "coverage_90_of_rows" not in found["SciPy"]
    assert found["outlook"]["coverage_90_of_rows"] == pytest.approx(4 / 7)
    assert found["outlook"]["coverage_90_of_splits"] == pytest.approx((1 + 0.4) / 2)


@pytest.fixture
def cache() -> Iterator[None]:
    """The driver keeps compiled programs with its records; other tests do not."""
    before = jax.config.jax_compilation_cache_dir
    yield
    jax.config.update("jax_compilation_cache_dir", before)


@pytest.mark.x64  # the driver computes in float64
@pytest.mark.usefixtures("cache")
def test_driver_writes_both_pages(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SciPy peer on the smallest ladder: computed once, then shown; JSON that other tools can read."""
    study = ladders()["DiLoCo, data-parallel"]()
    split = cut("DiLoCo", "75 %", study, quantile(study, 0.75))
    monkeypatch.setattr(peers, "_REFINED", 10)
    monkeypatch.setattr(peers, "_SCIPY_DRAWS", 10)
    monkeypatch.setattr(driver, "splits", lambda: [split])
    arguments = [str(tmp_path / "kept"), "--results", str(tmp_path), "--only", "SciPy", "--split", "DiLoCo"]
    driver.main(arguments)
    assert "DiLoCo, 75 %: SciPy" in capsys.readouterr().err
    driver.main(arguments)
    assert capsys.readouterr().err == ""
    told = json.loads((tmp_path / "forecasts.json").read_text(), parse_constant=pytest.fail)
    (entry,) = [s for s in told["splits"] if s["methods"]]
    assert entry["fitted"]["rows"] == 6
    assert 0 < entry["methods"]["SciPy"]["mean"] < 0.05  # four parameters would do; an error of 5 % would be no fit
    assert "## DiLoCo" in (tmp_path / "forecasts.md").read_text()
    with pytest.raises(SystemExit):
        driver.main(["--only", "nothing"])
