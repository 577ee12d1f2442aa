"""The page: what its charts hold is what the law says, nobody's names run, and a browser draws it without a network."""

import dataclasses
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from jaxscale import BadInput, Study, outlook
from jaxscale.infer.forecast.outlook import Outlook
from jaxscale.laws.loss.hestness2017 import PowerLawWithFloor
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.laws.loss.kaplan2020 import KaplanND
from jaxscale.report.card.card import forecast_card
from jaxscale.report.figures.charts import Drawing, Subject, drawings, isoflop, residuals, surface
from jaxscale.report.figures.charts.isoflop import budgets
from jaxscale.report.figures.charts.look import rows as inline
from jaxscale.report.figures.charts.residuals import trend
from jaxscale.report.figures.charts.subject import misses, widths
from jaxscale.report.page import page
from jaxscale.report.page.web import rows
from jaxscale.report.views.forecast import forecast_table, remarks, sentence
from jaxscale.testing.simulated import simulate

EVIL = "<script>alert('a & b')</script></script>"
CHARTS = ["forecast", "surface", "isoflop", "residuals", "ranking", "distance"]
# Charts hold seven digits.
ROUNDED = 1e-6


@pytest.fixture(scope="module")
def found() -> Outlook:
    laws = {"Chinchilla": Chinchilla(), "KaplanND": KaplanND()}
    return outlook(laws, simulate().study, cuts=4, starts=4, draws=32, resamples=8)


@pytest.fixture(scope="module")
def subject(found: Outlook) -> Subject:
    study = dataclasses.replace(simulate().study, name=f"runs {EVIL}")
    return page.subject_of(found, study, held=simulate().heldout, flops=1e23)


@pytest.fixture(scope="module")
def drawn(subject: Subject) -> dict[str, Drawing]:
    return {drawing.key: drawing for drawing in drawings(subject)}


@pytest.fixture(scope="module")
def html(subject: Subject) -> str:
    return page.render(subject, forecast_card(subject.found, simulate().study, seed=0))


@pytest.fixture(scope="module")
def near(subject: Subject) -> float:
    """Relative rounding of a loss: of the chart's digits, or of the precision that the law was evaluated in."""
    return max(ROUNDED, 20 * float(jax.numpy.finfo(subject.fit.params["E"].dtype).eps))


def values(spec: Any, *fields: str) -> list[dict[str, np.ndarray]]:
    """Every table of a chart that has all of `fields`, by column."""
    tables = [t for t in spec["datasets"].values() if t and set(fields) <= set(t[0])]
    return [{name: np.array([row[name] for row in table]) for name in table[0]} for table in tables]


def law(subject: Subject, N: np.ndarray, D: np.ndarray) -> np.ndarray:
    """Chinchilla's formula in float64."""
    p = {name: float(x) for name, x in subject.fit.params.items()}
    return p["E"] + p["A"] * N ** -p["alpha"] + p["B"] * D ** -p["beta"]


def best(subject: Subject, C: np.ndarray) -> np.ndarray:
    """Its compute-optimal N at C = 6ND (Hoffmann et al. 2022, eq. 4)."""
    p = {name: float(x) for name, x in subject.fit.params.items()}
    total = p["alpha"] + p["beta"]
    ratio = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / total)
    return ratio * (C / 6) ** (p["beta"] / total)


def test_every_chart_is_drawn_and_described(drawn: dict[str, Drawing]) -> None:
    assert list(drawn) == CHARTS
    for drawing in drawn.values():
        assert drawing.spec is not None
        assert len(drawing.spec["description"]) > 20
        assert len(drawing.caption) > 40
        json.dumps(drawing.spec, allow_nan=False)


def test_a_law_passed_over_is_named(found: Outlook) -> None:
    cheap = [dataclasses.replace(r, score=0.0) if r.doubt else r for r in found.ranking]
    doubtful = dataclasses.replace(found, ranking=tuple(cheap))
    passed = [line for line in remarks(doubtful, None, None) if line.startswith("Passed over")]
    assert [line.split()[2] for line in passed] == ["KaplanND", "KaplanND"]  # alone and corrected
    assert not any(line.startswith("Passed over") for line in remarks(found, None, None))
    assert "best of the laws with an irreducible loss:" in sentence(doubtful, "runs")
    assert "best: " in sentence(found, "runs")


def test_contours_lie_where_the_law_has_that_loss(subject: Subject, drawn: dict[str, Drawing], near: float) -> None:
    (lines,) = values(drawn["surface"].spec, "what", "step")
    iso = np.char.startswith(lines["what"], "iso-loss")
    loss = law(subject, lines["N"][iso], lines["D"][iso])
    of = lines["line"][iso]
    # Between grid points a step h apart the logarithm of the loss is taken as straight: off by at most h^2 / 8 times
    # its second derivatives, which for two decaying powers are below the squared exponents.
    p = {name: float(x) for name, x in subject.fit.params.items()}
    step = max(np.log(8 * 1.6) + np.ptp(np.log(subject.runs[k])) for k in "ND") / 71
    bound = step**2 / 8 * 2 * max(p["alpha"], p["beta"]) ** 2 + near
    for line in np.unique(of):
        assert np.ptp(np.log(loss[of == line])) < 2 * bound
    inside = lines["what"][iso] == "iso-loss"
    for name in ("N", "D"):
        # The last point of a piece may be its neighbour's first.
        assert np.mean(lines[name][iso][inside] > subject.runs[name].max() * 1.03) < 0.1
    optimal = lines["what"] == "compute-optimal"
    C = 6 * lines["N"][optimal] * lines["D"][optimal]
    np.testing.assert_allclose(lines["N"][optimal], best(subject, C), rtol=max(1e-5, 30 * near))
    assert C.max() == pytest.approx(subject.runs["C"].max(), rel=10 * near)


def test_isoflop_curves_are_the_law_at_fixed_compute(subject: Subject, drawn: dict[str, Drawing], near: float) -> None:
    spec = drawn["isoflop"].spec
    (minima,) = (table for table in values(spec, "budget", "D", "loss") if "row" not in table)
    C = 6 * minima["N"] * minima["D"]
    np.testing.assert_allclose(minima["N"], best(subject, C), rtol=max(1e-5, 30 * near))
    np.testing.assert_allclose(minima["loss"], law(subject, minima["N"], minima["D"]), rtol=near)
    (curves,) = values(spec, "where")
    for budget, flops in zip(minima["budget"], C, strict=True):
        mine = curves["budget"] == budget
        N = curves["N"][mine]
        np.testing.assert_allclose(curves["loss"][mine], law(subject, N, flops / 6 / N), rtol=10 * near)
        assert np.all((curves["where"][mine] == "beyond") == (flops > subject.runs["C"].max()))
    assert C.max() == pytest.approx(1e23, rel=10 * near)


def test_budgets_are_those_that_runs_share() -> None:
    # The last fifth, from 2.5e20, has 1e21 more often; the fourth has none.
    C = np.concatenate([np.full(9, 1e18), np.full(9, 1e19), np.full(9, 1e21), [3e19, 2.9e20]])
    assert set(budgets(C)) == {1e18, 1e19, 3e19, 1e21}
    assert len(budgets(np.geomspace(1e18, 1.1e18, 5))) == 1


def test_residuals_are_those_of_the_law(subject: Subject, drawn: dict[str, Drawing], near: float) -> None:
    N, D = (np.asarray(simulate().study.columns[k]) for k in "ND")
    off = 100 * np.log(simulate().study.columns["loss"] / law(subject, N, D))
    panels = values(drawn["residuals"].spec, "off")
    assert len(panels) == 3
    for panel, x in zip(panels, (N, D, D / N), strict=True):
        np.testing.assert_allclose(panel["x"], x, rtol=10 * near)
        np.testing.assert_allclose(panel["off"], off, atol=100 * 10 * near)
        assert np.array_equal(panel["row"], simulate().study.rows)


def test_a_trend_finds_a_saddle_and_not_noise() -> None:
    rng = np.random.default_rng(0)
    x = np.geomspace(1, 1e3, 200)
    bend = (np.log(x) - np.log(x).mean()) ** 2 / 10
    noise = 0.05 * rng.standard_normal(200)
    place, saddle = trend(x, bend + noise)
    # Bins of ten medians have a standard error of 1.25 x 0.05 / sqrt(10); the curve between bins adds its own bend.
    np.testing.assert_allclose(saddle, np.interp(place, x, bend), atol=4 * 1.25 * 0.05 / np.sqrt(10) + 0.05)
    _, flat = trend(x, noise)
    assert np.ptp(flat) < np.ptp(saddle) / 10
    assert trend(np.repeat([1.0, 2.0, 4.0], 30), rng.standard_normal(90)) is None


def test_the_path_is_the_law_at_its_optimum_and_its_bands_add_up(
    subject: Subject, drawn: dict[str, Drawing], near: float
) -> None:
    (line,) = values(drawn["forecast"].spec, "x", "loss", "decades")
    N = best(subject, line["x"])
    # The loss is flat around the optimum: an error of N counts squared.
    np.testing.assert_allclose(line["loss"], law(subject, N, line["x"] / 6 / N), rtol=10 * near)
    assert np.all((line["low"] < line["loss"]) & (line["loss"] < line["high"]))
    (causes,) = values(drawn["forecast"].spec, "what", "line")
    half = {name: np.abs(causes["y"][causes["what"] == name]) for name in np.unique(causes["what"])}
    for name in ("parameters", "noise of a run", "law"):
        assert np.all(half[name] <= half["total (90 %)"] * (1 + 1e-4))
    assert np.all(half["total (90 %)"] <= sum(half[name] for name in half if name != "total (90 %)") * (1 + 1e-4))
    (shade,) = values(drawn["forecast"].spec, "start")
    assert np.all(line["decades"][line["x"] > shade["start"][0] * 1.001] > 0)
    (_, held) = values(drawn["forecast"].spec, "row", "loss")
    h = simulate().heldout.columns
    np.testing.assert_allclose(
        np.sort(held["y"]), np.sort(100 * np.log(h["loss"] / law(subject, h["N"], h["D"]))), atol=100 * 10 * near
    )


def test_a_caption_says_where_the_law_is_drawn_without_its_correction(
    found: Outlook, subject: Subject, drawn: dict[str, Drawing]
) -> None:
    corrected = next(r for r in found.ranking if r.label in found.origins.corrections)
    other = dataclasses.replace(found, ranking=(corrected, *(r for r in found.ranking if r is not corrected)))
    moved = dataclasses.replace(subject, found=other)
    for key, chart in {"surface": surface, "isoflop": isoflop, "residuals": residuals}.items():
        assert ("without its correction" in drawn[key].caption) == (found.chosen in found.origins.corrections)
        assert "without its correction" in chart(moved).caption


def test_the_ranking_shows_what_ranks(found: Outlook, drawn: dict[str, Drawing]) -> None:
    (table,) = values(drawn["ranking"].spec, "law", "mark")
    for ranked in found.ranking:
        mine = (table["law"] == ranked.label) & (table["mark"] == "mean: what ranks")
        assert table["error"][mine] == pytest.approx(100 * ranked.score)
    seen = misses(found)
    (points,) = values(drawn["distance"].spec, "size")
    k = found.origins.labels.index(found.chosen)
    usable = found.origins.miss[k][found.origins.usable[k]]
    np.testing.assert_allclose(points["size"], 100 * usable[np.isfinite(usable)], rtol=ROUNDED)
    assert np.all(np.diff(seen.band) >= 0)
    # The bands were learnt from these misses.
    assert np.mean(seen.held) == pytest.approx(0.9, abs=4 * np.sqrt(0.09 / found.bands.looks))


def test_what_was_asked_is_answered_first(subject: Subject, html: str) -> None:
    text = seen(html).words
    assert "For 1e23 FLOP train" in text
    width = widths(subject.plan)
    assert f"90 % band {width.low[0]:.4f} to {width.high[0]:.4f}" in text
    assert text.index("SIMULATED") < text.index("The numbers")
    runner_up = subject.found.ranking[1]
    assert f"next {runner_up.label} at {runner_up.score:.2%}" in text


def test_points_are_told_as_people_write_them(found: Outlook, subject: Subject, html: str) -> None:
    made = found.at({"N": [2e5, 70e9], "D": [3.5e6, 1.4e12]}, allow_far=True)
    told = rows(forecast_table(made, found.fit))
    assert [row[:2] for row in told.body] == [("200k", "3.5M"), ("70B", "1.4T")]
    ((N, D, *_),) = rows(forecast_table(subject.plan, subject.fit)).body
    # The table and the sentence above it name one run.
    assert f"train {N} parameters on {D} tokens" in seen(html).words
    assert {N, D} <= set(re.findall(r"<td[^>]*>([^<]*)</td>", html))


class Page(HTMLParser):
    """Tags, visible words, and the text of every script by its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.words, self._open = "", ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self._open == "script":
            attributes, text = self.scripts[-1]
            self.scripts[-1] = attributes, text + data
        elif self._open != "style":
            self.words += data

    def handle_endtag(self, tag: str) -> None:
        self._open = ""


def seen(html: str) -> Page:
    parsed = Page()
    parsed.feed(html)
    return parsed


def test_names_are_shown_and_never_run(html: str) -> None:
    parsed = seen(html)
    assert f"runs {EVIL}" in parsed.words
    assert EVIL not in html
    running = [text for attributes, text in parsed.scripts if "type" not in attributes]
    assert len(running) == 2
    assert not any("alert('a & b')" in text for text in running)


def test_nothing_is_loaded_from_elsewhere(html: str) -> None:
    parsed = seen(html)
    for tag, attributes in parsed.tags:
        assert not {"src", "href", "srcset", "action"} & set(attributes), tag
    (policy,) = (a["content"] for t, a in parsed.tags if t == "meta" and "http-equiv" in a)
    assert policy.startswith("default-src 'none'")
    assert "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2]
    assert ("html", {"lang": "en"}) in parsed.tags
    assert len(html) < 3e6


def test_the_card_and_the_charts_are_in_it_as_json(html: str, drawn: dict[str, Drawing]) -> None:
    data = {a["id"]: json.loads(text) for a, text in seen(html).scripts if a.get("type") == "application/json"}
    assert data["card"]["choice"]
    assert {f"spec-{key}" for key in CHARTS} <= set(data)
    assert data["spec-ranking"] == json.loads(json.dumps(drawn["ranking"].spec))


def test_a_law_without_size_gets_what_makes_sense() -> None:
    rng = np.random.default_rng(1)
    m = np.geomspace(1e3, 1e7, 60)
    study = Study.from_arrays("curve", {"m": m}, (2 + 30 * m**-0.4) * np.exp(0.002 * rng.standard_normal(60)))
    found = outlook({"floor": PowerLawWithFloor()}, study, by="m", cuts=4, starts=2, draws=16, resamples=8)
    made = {d.key: d for d in drawings(page.subject_of(found, study, asked=found.at({"m": 1e8})))}
    assert [key for key, drawing in made.items() if drawing.spec is None] == ["surface", "isoflop"]
    assert "does not take size and data" in made["surface"].caption
    assert len(values(made["residuals"].spec, "off")) == 1
    with pytest.raises(BadInput, match="flops: expected a law of size and data"):
        page.page(found, study, flops=1e20)


def test_inline_data_holds_no_nan_and_tables_keep_their_cells(subject: Subject) -> None:
    data = inline(x=np.array([1.0, np.nan, np.inf]), name="a").to_dict()
    assert data["values"] == [{"x": 1.0, "name": "a"}, {"x": None, "name": "a"}, {"x": None, "name": "a"}]
    from jaxscale.report.views.text import parameter_table

    made = rows(parameter_table(subject.fit, subject.found.ensemble))
    assert [row[0] for row in made.body] == ["E", "A", "B", "alpha", "beta"]
    assert made.right[1]
    assert not made.right[0]


@pytest.mark.slow
def test_a_browser_draws_it_without_a_network(html: str, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium to open the page in")
    path = tmp_path / "report.html"
    path.write_text(html, encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=30000", "--enable-logging=stderr"]
    alone = ["--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={tmp_path / 'profile'}", path.as_uri()]
    ran = subprocess.run(
        [browser, *flags, "--dump-dom", *alone], capture_output=True, text=True, timeout=240, check=True
    )
    said = [line for line in ran.stderr.splitlines() if "CONSOLE" in line]
    assert not said, said
    assert len(re.findall(r'<figure data-chart="[a-z]+" data-drawn="yes">', ran.stdout)) == len(CHARTS)
    marks = seen(ran.stdout)
    assert sum(tag == "svg" for tag, _ in marks.tags) >= len(CHARTS)
    # 120 runs in each panel of residuals, on the surface and in the forecast, and more.
    assert sum(tag == "path" for tag, _ in marks.tags) > 5 * 120
