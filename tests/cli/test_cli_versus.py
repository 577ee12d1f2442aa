"""`jaxscale versus` on two simulated recipes of which one is worth 1.25 times the compute of the other."""

import csv
import json

import numpy as np
import pytest

from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.plan.recipes.versus import versus
from jaxscale.report.views.versus import remarks
from jaxscale.studies import Study

from .conftest import invoke, refused

MAPS = ("--map", "N=n", "--map", "D=d", "--map", "loss=loss", "--recipe", "mix")
WORTH = 1.25


def loss(N, D, worth):
    """L(k N, k D) with k = sqrt(worth) is the loss that `worth` times the compute buys, on every path."""
    law = Chinchilla()
    k = np.sqrt(worth)
    return float(law.E) + float(law.A) * (k * N) ** -float(law.alpha) + float(law.B) * (k * D) ** -float(law.beta)


@pytest.fixture(scope="module")
def two_recipes(tmp_path_factory):
    """Nine sizes by five numbers of tokens, 0.2 % noise; the new recipe lacks the largest runs."""
    path = tmp_path_factory.mktemp("versus") / "runs.csv"
    rng = np.random.default_rng(7)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["n", "d", "loss", "mix", "seed"])
        for mix, worth in (("old", 1.0), ("new", WORTH)):
            for N in np.geomspace(1e7, 1e9, 9)[: 9 if mix == "old" else 8]:
                for ratio in (5, 10, 20, 40, 80):
                    noisy = loss(N, ratio * N, worth) * np.exp(0.002 * rng.standard_normal())
                    writer.writerow([N, ratio * N, noisy, mix, 0])
    return path


@pytest.fixture(scope="module")
def answer(two_recipes, tmp_path_factory):
    target = tmp_path_factory.mktemp("answer") / "versus.json"
    result = invoke("versus", two_recipes, *MAPS, "--at", "1e19", "--at", "1e22", "--bootstrap", "64", "--json", target)
    assert result.exit_code == 0, result.output
    return result.stdout, json.loads(target.read_text())


def test_finds_what_the_recipe_is_worth(answer):
    record = answer[1]
    assert (record["baseline"], record["recipe"]) == ("old", "new")
    assert [x["flops"] for x in record["at"]] == [1e19, 1e22]
    for x in record["at"]:
        for name, truth in (("compute_ratio", 1 / WORTH), ("worth", WORTH)):
            q = x[name]["quantiles"]
            sd = np.log(q["0.95"] / q["0.05"]) / 3.29
            assert abs(np.log(x[name]["point"] / truth)) < 4 * sd
            assert q["0.05"] < x[name]["point"] < q["0.95"]
        assert x["loss"]["new"] < x["loss"]["old"]
    inside, beyond = record["at"]
    assert inside["probability_better"] > 0.95
    assert 0.5 < beyond["probability_better_in_one_run"] < 1
    assert beyond["decades_beyond"] > inside["decades_beyond"] == 0
    assert sum(record["crossover"]["shares"].values()) == pytest.approx(1)
    # 0.2 % from the median of about 40 residuals: a standard error of about 18 %.
    assert list(record["noise"].values()) == pytest.approx([0.002, 0.002], rel=4 * 0.18)
    assert record["bootstrap"]["shared_units"] == 40
    assert record["bootstrap"]["units"] == 45
    assert any("Extrapolation" in w for w in record["warnings"]) == (beyond["decades_beyond"] > 1)


def test_for_people(answer):
    shown, record = answer
    ratio = record["at"][1]["compute_ratio"]["point"]
    assert f"new reaches old's loss at 1e22 FLOP with {ratio:.3g} times the compute (90 % " in shown
    assert "P(new better)" in shown
    assert "40 of 45 units hold runs of both recipes" in shown
    assert "same held-out text" in shown


@pytest.mark.slow
def test_shared_exponents_and_another_baseline(two_recipes):
    """Jointly, with the exponents shared, and seen from the other side: what was below 1 is above."""
    study = Study.read(two_recipes, {"N": "n", "D": "d", "loss": "loss"}, group="mix")
    found = versus(study, Chinchilla(), at=[1e20], baseline="new", split=["E", "A", "B"], draws=64, noise=0.002)
    (scale,) = found.scales
    assert found.recipes == ("new", "old")
    assert len(found.fits) == 1
    q = scale.quantiles["ratio"]
    assert abs(np.log(scale.ratio / WORTH)) < 4 * np.log(q["0.95"] / q["0.05"]) / 3.29
    assert scale.average < 0.05
    assert not any("resampled independently" in s for s in remarks(found))


def test_two_of_three_recipes_are_chosen_as_advised(two_recipes, tmp_path):
    third = tmp_path / "three.csv"
    lines = two_recipes.read_text().splitlines()
    third.write_text("\n".join([*lines, *(line.replace(",old,", ",third,") for line in lines if ",old," in line)]))
    command = ("versus", third, *MAPS, "--at", "1e19", "--at", "1e22", "--bootstrap", "64")  # as in `answer`
    refused(
        invoke(*command), ["expected a column of two recipes, got old, new, third; choose two with a filter: --where"]
    )
    followed = invoke(*command, "--where", "mix != 'third'")
    assert followed.exit_code == 0, followed.output


BAD = {
    "one recipe": (("--where", "mix == 'old'"), ["recipe", "expected a column of two recipes, got old"]),
    "baseline": (("--baseline", "odl"), ["baseline", "old, new", "odl"]),
    "no column": (("--recipe", "corpus"), ["corpus"]),
    "budget": (("--at", "-1e22"), ["--at", "positive number of FLOP"]),
    "law": (("--law", "KaplanN"), ["KaplanN takes", "N and D"]),
    "resamples": (("--bootstrap", "1"), ["--bootstrap", "at least 2"]),
    "noise": (("--noise", "0"), ["--noise", "positive"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(two_recipes, case):
    options, words = BAD[case]
    refused(invoke("versus", two_recipes, *MAPS, *options), words)
