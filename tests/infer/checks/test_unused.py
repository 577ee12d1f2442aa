"""What is given and not used is said: symbols, compute that is not 6ND, groups, unknown noise, run ids, weights."""

import numpy as np
import pytest

from jaxscale import Pooled, Study
from jaxscale.core.runs import Runs
from jaxscale.infer.checks.unused import counted_once, unused
from jaxscale.infer.resample.schemes import Pairs, Parametric
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.laws.loss.kaplan2020 import KaplanC
from jaxscale.plan.frontier.frontier import Envelope, Hull, IsoFlop, frontier


def study_of(seed: int, groups: int = 1, **columns: np.ndarray) -> Study:
    rng = np.random.default_rng(seed)
    N = np.exp(rng.uniform(17, 21, 24))
    D = 20 * N * np.exp(rng.uniform(-1, 1, 24))
    table = {"N": N, "D": D, "loss": 2 + rng.random(24), "corpus": np.arange(24) % groups, **columns}
    named = {name: name for name in ("N", "D", *columns)}
    return Study.read(table, {**named, "loss": "loss"}, group="corpus" if groups > 1 else None)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_compute_that_is_not_6nd_is_told_with_its_ratio(seed: int) -> None:
    plain = study_of(seed)
    ratio = np.random.default_rng(seed).uniform(1.1, 1.6, 24)
    (said,) = unused(study_of(seed, C=6 * plain.columns["N"] * plain.columns["D"] * ratio), Chinchilla(), np.zeros(24))
    assert f"{ratio.min():.3g} to {ratio.max():.3g} times 6ND (median {np.median(ratio):.3g})" in said
    assert f"`cost=SixND(per_token={6 * np.median(ratio):.3g})`" in said


def test_compute_that_is_6nd_needs_no_word() -> None:
    plain = study_of(3)
    same = 6 * plain.columns["N"] * plain.columns["D"] * (1 + 0.01 * np.random.default_rng(3).uniform(-1, 1, 24))
    assert unused(study_of(3, C=same), Chinchilla(), np.zeros(24)) == ()
    assert unused(plain, Chinchilla(), np.zeros(24)) == ()


def test_symbols_that_the_law_does_not_take_are_named() -> None:
    lr = np.geomspace(1e-4, 1e-2, 24)
    (said,) = unused(study_of(4, lr=lr, depth=lr * 1e4), Chinchilla(), np.zeros(24))
    assert said.startswith("Not used: lr, depth: mapped, and no input of Chinchilla")
    # Kept by a filter to one value there is nothing left out.
    assert unused(study_of(4, lr=np.full(24, 1e-3)), Chinchilla(), np.zeros(24)) == ()
    plain = study_of(4)
    with_compute = study_of(4, C=6 * plain.columns["N"] * plain.columns["D"])
    (said,) = unused(with_compute, KaplanC(), np.zeros(24))
    assert said.startswith("Not used: N, D: mapped")


def test_groups_of_one_law_are_told_and_those_of_a_joint_law_are_not() -> None:
    study = study_of(5, groups=3)
    (said,) = unused(study, Chinchilla(), np.zeros(24))
    assert said.startswith("Groups: 3 groups share every parameter of Chinchilla")
    assert unused(study, Pooled(Chinchilla(), ["E"], study.groups), np.zeros(24)) == ()


def test_a_noise_that_is_known_of_some_runs_alone_is_told() -> None:
    noise = np.full(24, 0.01)
    assert unused(study_of(6), Chinchilla(), noise) == ()
    noise[:7] = 0
    (said,) = unused(study_of(6), Chinchilla(), noise)
    assert said.startswith("Noise: not known (0) for 7 of 24 rows")


def test_resamples_by_row_of_runs_with_checkpoints_say_so() -> None:
    runs = Runs.of({"x": np.arange(12.0)}, np.ones(12), cluster=np.arange(12) // 3)
    assert "12 rows one by one, though they are of 4 runs" in Parametric().remarks(runs)[0]
    assert Pairs().remarks(runs) == ()
    assert Parametric().remarks(Runs.of({"x": np.arange(12.0)}, np.ones(12))) == ()


def test_what_counts_runs_once_says_so_of_weights_and_noise() -> None:
    x = np.arange(6.0)
    assert counted_once(Runs.of({"x": x}, np.ones(6), weight=np.array([1, 1, 0, 1, 1, 0]))) == ()
    (said,) = counted_once(Runs.of({"x": x}, np.ones(6), weight=1 + x, noise=np.full(6, 0.1)))
    assert said.startswith("Not used beyond the fits: the runs' weights and known noise.")
    (said,) = counted_once(Runs.of({"x": x}, np.ones(6), noise=np.full(6, 0.1)))
    assert "runs' known noise." in said


def isoflops(seed: int, noise: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """log N, loss, noise by budget (2, 9), and the budgets; an exact parabola in log N plus noise."""
    rng = np.random.default_rng(seed)
    C = np.array([1e19, 1e21])
    x = 0.5 * np.log(C)[:, None] - 4 + np.linspace(-1, 1, 9)
    size = 0.01 * np.exp(rng.uniform(-2, 0, (2, 9))) if noise else np.full((2, 9), 0.003)
    off = x - x.mean(axis=1, keepdims=True)
    loss = np.array([[2.5], [2.0]]) + 0.2 * off**2 + size * rng.standard_normal((2, 9))
    return x, loss, size, C


@pytest.mark.x64
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_parabola_through_losses_of_known_noise_is_a_weighted_one(seed: int) -> None:
    x, loss, size, C = isoflops(seed, noise=True)
    N = np.exp(x)
    runs = Runs.of({"N": N.ravel(), "D": (C[:, None] / 6 / N).ravel()}, loss.ravel(), noise=size.ravel())
    found = frontier(runs, IsoFlop(C.tolist()), n=2)
    for i in range(2):
        middle = x[i].mean()
        c2, c1, _ = np.polyfit(x[i] - middle, loss[i], 2, w=1 / size[i])
        assert np.log(found.points["N"][i]) == pytest.approx(middle - c1 / (2 * c2), abs=1e-9)
    for method in (Hull(), Envelope(2)):
        assert any("known noise" in said for said in frontier(runs, method, n=2).remarks)


@pytest.mark.parametrize("method", [Hull(), Envelope(2)])
def test_the_same_noise_everywhere_needs_no_word(method: Hull | Envelope) -> None:
    x, loss, size, C = isoflops(3, noise=False)
    runs = Runs.of(
        {"N": np.exp(x).ravel(), "D": (C[:, None] / 6 / np.exp(x)).ravel()}, loss.ravel(), noise=size.ravel()
    )
    assert not any("known noise" in said for said in frontier(runs, method, n=2).remarks)
