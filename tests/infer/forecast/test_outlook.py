"""Choosing a law by its forecasts, and bands on runs whose truth is known."""

from copy import copy
from types import SimpleNamespace

import equinox as eqx
import numpy as np
import pytest

from jaxscale import BadInput, Runs, from_published, outlook
from jaxscale.core.evaluate import predict
from jaxscale.infer.backtest.backtest import Origins
from jaxscale.infer.backtest.splits import Parts
from jaxscale.infer.forecast.calibration import LEVELS
from jaxscale.infer.forecast.outlook import Outlook
from jaxscale.infer.forecast.ranking import Ranked, rank, stacked
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.laws.loss.kaplan2020 import KaplanND

NOISE = 3e-3


def simulated(n: int, low: float, high: float, seed: int) -> Runs:
    """Runs of a known law whose compute lies in [low, high), with D/N spread over a decade and a half."""
    rng = np.random.default_rng(seed)
    C, ratio = np.exp(rng.uniform(*np.log([low, high]), n)), np.exp(rng.uniform(*np.log([4, 120]), n))
    N = np.sqrt(C / 6 / ratio)
    runs = Runs.of({"N": N, "D": N * ratio}, np.ones(n))
    loss = np.asarray(predict(from_published(Chinchilla, "besiroglu2024"), runs)) * np.exp(
        NOISE * rng.standard_normal(n)
    )
    return eqx.tree_at(lambda r: r.target, runs, loss.astype(runs.target.dtype))


@pytest.fixture(scope="module")
def found() -> Outlook:
    return outlook({"Chinchilla": Chinchilla(), "KaplanND": KaplanND()}, simulated(120, 1e18, 1e21, 0), cuts=5)


def test_the_law_that_made_the_runs_is_chosen(found: Outlook) -> None:
    assert found.chosen == "Chinchilla"
    scores = {r.label: r.score for r in found.ranking}
    assert set(scores) == {"Chinchilla", "Chinchilla + discrepancy", "KaplanND", "KaplanND + discrepancy"}
    # Forecasting with the right law costs the noise of a run and a little more; a law without a floor costs far more.
    mean_noise = NOISE * np.sqrt(2 / np.pi)
    assert mean_noise * 0.8 < scores["Chinchilla"] < 2 * mean_noise
    assert scores["KaplanND"] > 4 * mean_noise
    # A correction of a law that leaves nothing out forecasts no worse than by a part of the noise.
    assert scores["Chinchilla + discrepancy"] < scores["Chinchilla"] + mean_noise / 4
    # The scale of a Student-t of five degrees of freedom is less than a normal's standard deviation.
    assert found.noise.scale == pytest.approx(NOISE * 0.85, rel=0.25)


@pytest.mark.x64
def test_the_unit_of_the_loss_changes_nothing(found: Outlook) -> None:
    """Kaplan's constants grow as powers of the loss, and so do their priors."""
    points = {"N": np.array([5e9, 2e10]), "D": np.array([1e11, 4e11])}
    made, names = found.at(points), [r.label for r in found.ranking]
    for c in (100.0, 1e-5):
        runs = simulated(120, 1e18, 1e21, 0)
        runs = eqx.tree_at(lambda r: r.target, runs, c * runs.target)
        other = outlook({"Chinchilla": Chinchilla(), "KaplanND": KaplanND()}, runs, cuts=5)
        again = other.at(points)
        assert (other.chosen, again.chosen, [r.label for r in other.ranking]) == (found.chosen, made.chosen, names)
        np.testing.assert_allclose([r.score for r in other.ranking], [r.score for r in found.ranking], rtol=1e-6)
        np.testing.assert_allclose(again.point / c, made.point, rtol=1e-6)
        for level in LEVELS:
            for end, before in zip(again.interval(level), made.interval(level), strict=True):
                np.testing.assert_allclose(end / c, before, rtol=1e-6)
        for key, unit in (("E", c), ("A", c), ("B", c), ("alpha", 1.0), ("beta", 1.0)):
            assert float(other.fit.params[key]) / unit == pytest.approx(float(found.fit.params[key]), rel=1e-6), key


def test_bands_hold_larger_runs_of_the_same_truth(found: Outlook) -> None:
    larger = simulated(400, 1e21, 1e22, 7)
    made = found.at({name: np.asarray(x) for name, x in larger.inputs.items()})
    target = np.asarray(larger.target)
    for level in LEVELS:
        low, high = made.interval(level)
        inside = np.mean((low <= target) & (target <= high))
        # The band may be wider than it need be where the law errs in nothing, not narrower (four binomial errors).
        assert inside >= level - 4 * np.sqrt(level * (1 - level) / 400), level
    assert made.decades.max() == pytest.approx(1.0, abs=0.1)


def test_far_points_are_refused_unless_asked_for(found: Outlook) -> None:
    far = {"N": 1e12, "D": 2e13}
    with pytest.raises(BadInput, match=r"decades beyond the runs.*allow_far"):
        found.at(far)
    made = found.at(far, allow_far=True)
    assert any("not guaranteed" in remark for remark in made.remarks())
    with pytest.raises(BadInput, match="a level between 0 and 1, got 90"):
        made.interval(90)


def test_laws_that_disagree_are_named(found: Outlook) -> None:
    made = found.at({"N": 2e10, "D": 4e11})
    apart = abs(np.log(made.others["KaplanND"][0] / made.point[0]))
    half = np.log(made.interval(0.9)[1][0] / made.point[0])
    assert apart > half
    assert any(remark.startswith("Laws disagree") and "KaplanND" in remark for remark in made.remarks())


def origins(*misses: np.ndarray, units: list[int] | None = None) -> Origins:
    """Made-up forecasts, one origin per row, from as many `units`; ten each by default."""
    shape = misses[0].shape
    seen = np.ones(shape, bool)
    parts = Parts(
        tuple(f"origin {i}" for i in range(shape[0])), ~seen, seen, np.ones(shape), np.array(units or [10] * shape[0])
    )
    miss = np.stack(misses)
    n = shape[1]
    # Residuals of no size would be no noise: a hundredth.
    runs = Runs.of({"N": np.full(n, 1e9), "D": np.full(n, 1e10)}, np.ones(n))
    problem = SimpleNamespace(split=SimpleNamespace(names=lambda: ["a"]))
    fitted = SimpleNamespace(
        law=Chinchilla(), runs=runs, problem=problem, log_residuals=lambda: 0.01 * np.cos(np.arange(n))
    )
    wild = np.zeros(miss.shape, bool)
    fits = {label: copy(fitted) for label in "abc"[: len(misses)]}
    return Origins(
        fits, parts, miss, np.zeros_like(miss), np.full_like(miss, -0.1), wild, np.zeros(miss.shape[:2], int)
    )


def test_weights_are_those_of_the_least_error() -> None:
    # Misses of +1 % and -3 % cancel at weights 3/4 and 1/4.
    weights = stacked(origins(np.full((2, 5), 0.01), np.full((2, 5), -0.03)), tuple(Ranked(x, 0.01, 0.0) for x in "ab"))
    assert weights == pytest.approx({"a": 0.75, "b": 0.25}, abs=1e-4)


def test_origins_count_as_the_units_they_are_fitted_to(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = np.log([[1.01] * 5, [1.04] * 5]), np.log([[1.03] * 5, [1.03] * 5])
    made = origins(a, b, units=[30, 10])
    monkeypatch.setattr(Origins, "enough", property(lambda self: np.ones((2, 2), bool)))
    first, second = rank(made)
    # Relative errors are 1 - 1 / ratio of observed to predicted.
    assert first.score == pytest.approx(0.75 * (1 - 1 / 1.01) + 0.25 * (1 - 1 / 1.04), rel=1e-12)
    assert (first.label, second.score) == ("a", pytest.approx(1 - 1 / 1.03, rel=1e-12))


def test_weights_count_origins_by_their_units() -> None:
    a, b, units = np.array([0.01, 0.02]), np.array([-0.02, -0.01]), np.array([30, 10])
    told = stacked(
        origins(*(np.repeat(x[:, None], 5, axis=1) for x in (a, b)), units=units.tolist()),
        tuple(Ranked(label, 0.01, 0.0) for label in "ab"),
    )
    # Least sum of squares of w a + (1 - w) b.
    assert told["a"] == pytest.approx(-np.sum(units * (a - b) * b) / np.sum(units * (a - b) ** 2), abs=1e-4)


def test_a_law_that_explodes_gets_no_weight() -> None:
    ranking = (Ranked("a", 0.01, 0.0), Ranked("b", 1e6, 0.0))
    assert stacked(origins(np.full((2, 5), 0.01), np.full((2, 5), -14.0)), ranking) == {"a": 1.0}


def made_up(monkeypatch: pytest.MonkeyPatch, enough: np.ndarray, *misses: np.ndarray) -> tuple[Ranked, ...]:
    """The ranking of made-up misses, where `enough` (laws, origins) says which refits had runs enough."""
    monkeypatch.setattr(Origins, "enough", property(lambda self: enough))
    return rank(origins(*misses))


ALL = np.ones((3, 4), bool)


def test_ranking_uses_common_origins_and_says_who_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, c = np.full((4, 5), 0.02), np.full((4, 5), 0.01), np.full((4, 5), 0.001)
    a[0] = 0.5  # an origin that b has no forecast from does not count against a
    enough = ALL.copy()
    enough[1, 0] = enough[2, :3] = False
    first, second, third = made_up(monkeypatch, enough, a, b, c)
    assert (first.label, second.label, third.label) == ("b", "a", "c")
    assert second.score == pytest.approx(1 - np.exp(-0.02))
    assert third.reason == "runs enough at 1 of 4 origins only"


def test_laws_without_a_common_origin_do_not_refuse_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    enough = ALL.copy()
    enough[0, 2:] = enough[1, :2] = False
    best, *others = made_up(monkeypatch, enough, *(np.full((4, 5), x) for x in (0.02, 0.03, 0.001)))
    assert best.label == "c"
    assert sum(bool(r.reason) for r in others) == 1


def test_a_law_that_explodes_at_an_origin_is_not_ranked(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = np.full((4, 5), 0.02), np.full((4, 5), 0.01)
    b[0, 2] = np.nan  # overflown: its logarithm is no number
    first, second = made_up(monkeypatch, ALL[:2], a, b)
    assert (first.label, second.label) == ("a", "b")
    assert second.reason == "explodes beyond 1 of 4 origins"


def test_a_failed_refit_is_charged_with_the_worst_error_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Origins, "enough", property(lambda self: ALL[:2]))
    failed = origins(np.full((4, 5), 0.02), np.full((4, 5), 0.001))
    failed.code[1, 0] = 1
    scores = {r.label: r.score for r in rank(failed)}
    worst, good = 1 - np.exp(-0.02), 1 - np.exp(-0.001)
    assert scores["b"] == pytest.approx((worst + 3 * good) / 4)


def test_a_law_that_leaves_its_bounds_is_charged_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Origins, "enough", property(lambda self: ALL[:2]))
    bent = origins(np.full((4, 5), 0.02), np.full((4, 5), 0.001))
    bent.wild[1, 0, 2] = True
    scores = {r.label: r.score for r in rank(bent)}
    assert scores["b"] == pytest.approx((1 - np.exp(-0.02) + 3 * (1 - np.exp(-0.001))) / 4)
    bent.wild[1, :3, 2] = True
    assert {r.label: r.reason for r in rank(bent)} == {"a": "", "b": "bends beyond belief at 3 of 4 origins"}


def test_a_law_without_a_floor_comes_after_those_that_have_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Origins, "enough", property(lambda self: ALL))
    made = origins(*(np.full((4, 5), x) for x in (0.01, 0.02, 0.03)))
    made.fits["a"].law = KaplanND()
    first, second, third = rank(made)
    assert [(r.label, bool(r.doubt)) for r in (first, second, third)] == [("b", False), ("c", False), ("a", True)]
    assert third.score < first.score
    assert "a" not in stacked(made, (first, second, third))
    # Alone, it is what there is.
    assert stacked(made, (third,)) == {"a": 1.0}


def test_the_next_law_forecasts_where_the_first_is_not_believed(
    found: Outlook, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The package exports the verb of that name, so the module is asked for by the method's own globals.
    bends = {Chinchilla: "it bends"}
    monkeypatch.setitem(Outlook.at.__globals__, "wild_at", lambda fit, points: bends.get(type(fit.law), ""))
    made = found.at({"N": 2e10, "D": 4e11})
    assert found.origins.law_of(made.chosen) == "KaplanND"
    np.testing.assert_array_equal(made.point, made.others[made.chosen])
    assert "Chinchilla is not believed here: it bends." in made.remarks()


def test_the_average_is_the_mixture_of_the_laws(found: Outlook) -> None:
    fitted, ensemble = found.averaged(draws=50)
    weight = found.weights
    point = sum(w * float(found.origins.fits[k].law(N=2e10, D=4e11)) for k, w in weight.items())
    assert float(fitted.law(N=2e10, D=4e11)) == pytest.approx(point, rel=1e-5)
    assert ensemble.size == 50


def test_laws_of_other_inputs_are_told_where_they_can_be_fed(found: Outlook) -> None:
    made = found.at({"N": np.array([1e10, 2e10]), "D": 4e11})
    assert all(y.shape == (2,) for y in made.others.values())


def test_a_near_point_s_disagreement_is_not_hidden_by_a_far_one(found: Outlook) -> None:
    near = found.at({"N": 2e10, "D": 4e11})
    both = found.at({"N": np.array([2e10, 1.5e11]), "D": np.array([4e11, 3e12])}, allow_far=True)
    assert any("Laws disagree" in r for r in near.remarks())
    assert any("Laws disagree" in r for r in both.remarks())
