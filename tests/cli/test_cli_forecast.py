"""`jaxscale forecast`: the choice, the test on held-out rows, points with bands, refusals."""

import json

import numpy as np
import pytest

import jaxscale
from jaxscale import BadInput
from jaxscale.cli.advice import spoken

from .conftest import MAPS, invoke, refused

LAWS = ("--laws", "Chinchilla,KaplanND")


@pytest.fixture(scope="module")
def asked(runs_csv, outlooks, tmp_path_factory):
    """(stdout, record, what `outlook` found) of one forecast."""
    found = []

    def kept(*arguments, **options):
        found.append(outlooks(*arguments, **options))
        return found[-1]

    record = tmp_path_factory.mktemp("forecast") / "record.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jaxscale, "outlook", kept)
        result = invoke(
            *("forecast", runs_csv, *MAPS, *LAWS, "--test", "tokens_seen > 30", "--at", "N=4e9,D=8e10"),
            *("--starts", "8", "--json", record),
        )
    assert result.exit_code == 0, result.output
    return result.stdout, json.loads(record.read_text()), found[0]


@pytest.fixture(scope="module")
def answer(asked):
    return asked[1]


def test_the_record_says_what_was_chosen_and_how_it_came_out(answer):
    assert answer["chosen"] == "Chinchilla"  # which made these runs
    assert answer["ranking"][0]["law"] == "Chinchilla"
    assert sum(answer["weights"].values()) == pytest.approx(1)
    test = answer["test"]
    assert test["chosen"] == "Chinchilla"
    assert 0 < test["mean_relative_error"] <= test["max_relative_error"]
    assert test["coverage_50"] <= test["coverage_80"] <= test["coverage_90"] <= test["coverage_95"] <= 1
    assert 0 < test["mean_width_90"] < 0.2


def test_the_card_names_the_rows_held_out_and_every_law(answer):
    card = answer["card"]
    assert card["kind"] == "forecast"
    assert card["holdout"]["rule"] == "tokens_seen > 30"
    assert card["holdout"]["scores"] == answer["test"]
    assert card["data"]["rows"]["fitted"] + card["holdout"]["runs"] == 120
    assert [r["law"] for r in card["forecast"]["ranking"]] == [r["law"] for r in answer["ranking"]]
    assert card["forecast"]["points"] == answer["forecasts"]


def test_a_point_has_nested_intervals_and_parts(answer):
    (point,) = answer["forecasts"]
    ends = [point["intervals"][level] for level in ("0.5", "0.8", "0.9", "0.95")]
    assert all(np.diff([low for low, _ in ends]) <= 0)
    assert all(np.diff([high for _, high in ends]) >= 0)
    assert ends[0][0] < point["loss"] < ends[0][1]
    assert not point["inside"]
    assert point["decades"] > 0
    parts = [point[f"{part}_half_width_90"] for part in ("parameters", "noise", "law")]
    assert min(parts) > 0
    # Wider than each of its parts; no wider than all of them side by side.
    assert max(parts) < point["total_half_width_90"] < sum(parts)
    assert point["intervals"]["0.9"][1] == pytest.approx(point["loss"] * np.exp(point["total_half_width_90"]))


def test_for_people(asked):
    shown = asked[0]
    assert "Chinchilla forecasts best" in shown
    assert "error in-sample" in shown


BAD = {
    "both": (("--train", "tokens_seen > 3", "--test", "tokens_seen > 30"), ["--train and --test", "no row in both"]),
    "no rows": (("--test", "tokens_seen > 1e9"), ["--test", "none of"]),
    "nothing left": (("--test", "tokens_seen > 0"), ["--test", "left to fit"]),
    "no law": (("--laws", ","), ["--laws", "separated by commas"]),
    "unknown law": (("--laws", "Chinchila"), ["did you mean Chinchilla"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(runs_csv, case):
    options, words = BAD[case]
    laws = () if "--laws" in options else LAWS
    refused(invoke("forecast", runs_csv, *MAPS, *laws, *options), words)


def test_origins_go_along_what_was_asked_for(runs_csv, monkeypatch):
    seen = []

    def told(*_: object, by: str | None, **__: object) -> None:
        seen.append(by)
        raise BadInput("enough was seen")

    monkeypatch.setattr(jaxscale, "outlook", told)
    for command in ("forecast", "report"):
        invoke(command, runs_csv, *MAPS, *LAWS, "--by", "N")
        invoke(command, runs_csv, *MAPS, *LAWS)
    assert seen == ["N", None, "N", None]


def test_far_points_are_refused_before_any_fit_as_outlook_refuses_them(runs_csv, asked, monkeypatch):
    with pytest.raises(BadInput, match="decades beyond") as late:
        asked[2].at({"N": 1e14, "D": 1e16})
    monkeypatch.setattr(jaxscale, "outlook", _begun)
    far = ("--test", "tokens_seen > 30", "--at", "N=1e14,D=1e16")  # the fixture's runs
    for command in ("forecast", "report"):
        refused(invoke(command, runs_csv, *MAPS, *LAWS, *far), [spoken(str(late.value)), "--allow-far"])
        assert "a fit was begun" in invoke(command, runs_csv, *MAPS, *LAWS, *far, "--allow-far").stderr


def test_far_points_are_answered_where_they_are_allowed(runs_csv, asked, outlooks, monkeypatch):
    """The advice followed to its end, on the fits of the fixture."""
    monkeypatch.setattr(jaxscale, "outlook", outlooks)
    far = ("--test", "tokens_seen > 30", "--at", "N=1e12,D=1e14", "--starts", "8", "--json", "-")
    refused(invoke("forecast", runs_csv, *MAPS, *LAWS, *far), ["decades beyond", "--allow-far"])
    answered = invoke("forecast", runs_csv, *MAPS, *LAWS, *far, "--allow-far")
    assert answered.exit_code == 0, answered.output
    (point,) = json.loads(answered.stdout)["forecasts"]
    assert point["decades"] > 2
    assert point["intervals"]["0.9"][0] < point["loss"] < point["intervals"]["0.9"][1]


def test_points_that_are_none_are_refused_before_any_fit(runs_csv, monkeypatch):
    monkeypatch.setattr(jaxscale, "outlook", _begun)
    for allowed in ((), ("--allow-far",)):
        shown = invoke("forecast", runs_csv, *MAPS, *LAWS, "--at", "N=-4e9,D=8e10", *allowed)
        refused(shown, ["N must be a positive finite number of params, got -4e+09"])


def _begun(*_: object, **__: object) -> None:
    raise RuntimeError("a fit was begun")
