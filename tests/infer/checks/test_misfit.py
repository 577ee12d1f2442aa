"""Runs far from the law are named by row, rows of two kinds are told apart, and right runs draw nothing."""

import numpy as np
import pytest

from jaxscale import Runs, fit
from jaxscale.infer.checks.misfit import Misfit, misfit
from jaxscale.infer.checks.mixed import mixed
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.studies import Study, load

SEEDS = (21, 22, 23)


def drawn(seed: int, n: int = 24, noise: float = 0.005) -> tuple[dict[str, np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)
    N = 10 ** rng.uniform(7.5, 9.8, n)
    D = N * 10 ** rng.uniform(0.5, 2.5, n)
    return {"N": N, "D": D}, (1.8 + 400 * N**-0.34 + 1500 * D**-0.35) * np.exp(noise * rng.standard_normal(n))


def alarms(columns: dict[str, np.ndarray], loss: np.ndarray, where: str | None = None) -> tuple[str, ...]:
    study = Study.read({**columns, "loss": loss, "i": np.arange(len(loss))}, where=where)
    return tuple(x for x in fit(Chinchilla(), study, starts=8).remarks if x.startswith("Check"))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_row_that_is_off_is_named_as_its_owner_counts(seed: int) -> None:
    columns, loss = drawn(seed, 27)
    loss[10] *= 0.1
    # Three rows are left out before it: the owner's row is still the eleventh.
    (said,) = alarms(columns, loss, where="i > 2")
    assert said.startswith("Check row 11: the loss is ")
    assert float(said.split(" is ")[1].split(" times")[0]) == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("seed", SEEDS)
def test_right_runs_draw_nothing(seed: int) -> None:
    assert alarms(*drawn(seed)) == ()
    assert alarms(*drawn(seed, noise=0.02)) == ()


@pytest.mark.parametrize("seed", SEEDS)
def test_losses_of_two_tokenisers_are_told_apart(seed: int) -> None:
    columns, loss = drawn(seed)
    other = np.random.default_rng(seed).permutation(24) < 8
    (said,) = alarms(columns, np.where(other, 1.2 * loss, loss))
    factor = float(said.split("are ")[1].split(" times")[0])
    assert factor == pytest.approx(1.2, rel=0.02)
    assert said.endswith(f"They are rows {', '.join(str(i + 1) for i in np.flatnonzero(other))}.")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ["N", "D"])
def test_half_of_a_column_in_thousands_is_told_apart(seed: int, name: str) -> None:
    columns, loss = drawn(seed, 40)
    low = np.random.default_rng(seed).permutation(40) < 20
    columns[name] = np.where(low, columns[name] / 1e3, columns[name])
    found = mixed(columns, loss, np.zeros(40, int))
    assert found is not None
    assert (found.what, found.factor) == (name, 1e-3)
    # A row whose term in this input is small may fall on either side.
    assert np.mean(np.isin(np.arange(40), found.apart) == low) >= 0.9


def test_groups_that_are_known_are_no_finding() -> None:
    columns, loss = drawn(24)
    group = np.arange(24) % 2
    loss = loss * np.where(group, 1.3, 1.0)
    assert mixed(columns, loss, np.zeros(24, int)) is not None
    assert mixed(columns, loss, group) is None


def test_a_law_far_from_all_runs_is_said() -> None:
    rng = np.random.default_rng(25)
    columns, loss = drawn(25)
    runs = Runs.of(columns, loss * np.exp(0.2 * rng.standard_normal(24)))
    found = misfit(runs, loss, 5, losses=True)
    assert found.scale == pytest.approx(0.2, rel=0.6)  # the five nearest runs left out
    (said,) = found.remarks()
    assert "is the law the wrong one?" in said
    assert "(counted from 0)" in said
    # An error of a downstream task may well scatter so.
    assert misfit(runs, loss, 5, losses=False).remarks() == ()
    # Nor is it strange where the noise is known to be so large.
    noisy = Runs.of(columns, runs.target, noise=0.2 * loss)
    assert misfit(noisy, loss, 5, losses=True).remarks() == ()


def test_runs_left_out_and_too_few_runs_say_nothing() -> None:
    columns, loss = drawn(26)
    wrong = loss.copy()
    wrong[3] *= 10
    runs = Runs.of(columns, wrong)
    assert misfit(runs, loss, 5, losses=True).outliers == (3,)
    left = Runs.of(columns, wrong, weight=np.arange(24) != 3)
    assert misfit(left, loss, 5, losses=True).outliers == ()
    few = Runs.of({k: v[:7] for k, v in columns.items()}, wrong[:7])
    assert misfit(few, loss[:7], 5, losses=True).remarks() == ()


def test_many_outliers_are_one_sentence() -> None:
    (said,) = Misfit(0.01, (4, 2, 9, 1), (0.9, -0.8, 0.7, 0.6)).remarks([10, 20, 30, 40, 50, 60, 70, 80, 90, 100])
    assert said.startswith("Check rows 50, 30, 100, 20: the losses are 0.449 to 2.46 times what the law says")


@pytest.mark.parametrize("corpus", ["zipf", "stdlib"])
def test_the_pocket_study_draws_nothing(corpus: str) -> None:
    study = load("pocket_grid", where=f"corpus == '{corpus}'")
    assert not any(x.startswith("Check") for x in fit(Chinchilla(), study, starts=8).remarks)


def test_public_fits_draw_nothing(data_dir: object) -> None:
    gadre = load("gadre_overtraining")
    parts = [gadre.select(gadre.group == i, label) for i, label in enumerate(gadre.groups)]
    for study in (load("chinchilla_besiroglu", where="excluded_in_paper == 0"), *parts):
        assert not any(x.startswith("Check") for x in fit(Chinchilla(), study, starts=8).remarks), study.name


def test_rows_that_a_paper_leaves_out_are_named(data_dir: object) -> None:
    """Hoffmann's reconstructed runs: the five that Besiroglu et al. leave out are the first five rows."""
    said = fit(Chinchilla(), load("chinchilla_besiroglu"), starts=8).remarks
    named = {x.split(":")[0] for x in said if x.startswith("Check row")}
    assert named
    assert named <= {f"Check row {i}" for i in range(1, 6)}
