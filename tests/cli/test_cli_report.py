"""`jaxscale report`: the page, its JSON, and refusals before any work."""

import json

import pytest

import jaxscale
from jaxscale.report.page import page as pages
from jaxscale.report.views import answer as sentences

from .conftest import MAPS, invoke, refused

LAWS = ("--laws", "Chinchilla,KaplanND")


@pytest.fixture(scope="module")
def answer(runs_csv, outlooks, tmp_path_factory):
    """(page, record) of one report with held-out rows and a budget."""
    folder = tmp_path_factory.mktemp("report")
    page, record = folder / "report.html", folder / "report.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jaxscale, "outlook", outlooks)
        further = sentences.further
        patch.setattr(sentences, "further", lambda subject: [*further(subject), "A remedy: `run_id=...`."])
        result = invoke(
            *("report", runs_csv, *MAPS, *LAWS, "--test", "tokens_seen > 30", "--flops", "1e22"),
            *("--starts", "8", "--out", page, "--json", record),
        )
    assert result.exit_code == 0, result.output
    return page.read_text(), json.loads(record.read_text()), result.stdout


def test_the_page_the_record_and_the_terminal_say_the_same(answer):
    page, record, shown = answer
    assert record["answer"].startswith("For 1e22 FLOP train")
    assert record["answer"] in " ".join(shown.split())
    assert record["answer"] in page
    assert record["chosen"] == "Chinchilla"  # which made these runs
    assert record["plan"]["point"]["loss"] == pytest.approx(record["forecasts"][0]["loss"], rel=1e-4)
    assert 6 * record["plan"]["point"]["N"] * record["plan"]["point"]["D"] == pytest.approx(1e22, rel=1e-3)
    assert record["test"]["mean_relative_error"] > 0


def test_the_page_holds_the_card_and_the_charts(answer):
    page, *_ = answer
    assert '<html lang="en">' in page
    assert page.count("<figure data-chart=") == 6
    assert "jaxscale fit card" in page
    assert "A remedy: --run-id." in page


def test_a_budget_is_left_out_for_a_law_that_cannot_divide_it(runs_csv, outlooks, tmp_path, monkeypatch, answer):
    """The chosen law is said to be none of N and D, and the advice is followed."""
    monkeypatch.setattr(jaxscale, "outlook", outlooks)
    monkeypatch.setattr(pages, "plannable", lambda _: False)
    asked = ("report", runs_csv, *MAPS, *LAWS, "--test", "tokens_seen > 30", "--starts", "8")
    target = ("--out", tmp_path / "report.html")
    refused(invoke(*asked, "--flops", "1e22", *target), ["flops: expected a law of size and data", "leave --flops out"])
    followed = invoke(*asked, "--at", "N=4e9,D=8e10", *target)
    assert followed.exit_code == 0, followed.output
    assert "--flops" not in followed.output


BAD = {
    "no folder": (("--out", "nowhere/report.html"), ["--out", "create nowhere"]),
    "no budget": (("--flops", "-3"), ["--flops", "positive"]),
    "unknown law": (("--laws", "Chinchila"), ["did you mean Chinchilla"]),
    "nothing left": (("--test", "tokens_seen > 0"), ["--test", "left to fit"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(runs_csv, case):
    refused(invoke("report", runs_csv, *MAPS, *BAD[case][0]), BAD[case][1])
