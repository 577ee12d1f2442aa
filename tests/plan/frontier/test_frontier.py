"""The frontier without a law: closed-form bias of a parabola, SciPy's hull, plain loops, known variances, refusals."""

from collections.abc import Callable
from itertools import pairwise

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial import ConvexHull

from jaxscale.core.errors import BadInput
from jaxscale.core.law import from_published
from jaxscale.core.runs import Runs
from jaxscale.laws.loss.gadre2024 import Gadre
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.laws.loss.kaplan2020 import KaplanN
from jaxscale.plan.frontier import frontier
from jaxscale.plan.frontier.frontier import Envelope, Frontier, Hull, IsoFlop
from jaxscale.studies import Study

LAW = from_published(Chinchilla, "besiroglu2024")
E, A, B, ALPHA, BETA = (float(x) for x in (LAW.E, LAW.A, LAW.B, LAW.alpha, LAW.beta))
EXACT = BETA / (ALPHA + BETA)
BUDGETS = 6e18 * 4.0 ** np.arange(5)
SPREAD = np.arange(-4, 5) * 0.35
SIZES = np.geomspace(1e8, 1.2e10, 9)


def loss(N: np.ndarray, D: np.ndarray) -> np.ndarray:
    return E + A * N**-ALPHA + B * D**-BETA


def best(C: np.ndarray) -> np.ndarray:
    """N* in closed form (Hoffmann et al. 2022, eq. 4)."""
    return (ALPHA * A / (BETA * B)) ** (1 / (ALPHA + BETA)) * (C / 6) ** EXACT


def runs_of(C: np.ndarray, N: np.ndarray, noise: float | np.ndarray = 0.0, **columns: np.ndarray) -> Runs:
    D = C / (6 * N)
    return Runs.of({"N": N, "D": D}, loss(N, D), noise=np.broadcast_to(noise, N.shape), **columns)


def centred(noise: float = 0.0) -> Runs:
    """Sizes symmetric about the true optimum of every budget, in log N."""
    C = np.repeat(BUDGETS, len(SPREAD))
    return runs_of(C, best(C) * np.exp(np.tile(SPREAD, len(BUDGETS))), noise)


def fixed_sizes() -> Runs:
    """The same sizes at every budget, so that the optimum drifts across them."""
    C = np.repeat(BUDGETS, 9)
    return runs_of(C, np.tile(SIZES, len(BUDGETS)))


def parabola() -> tuple[float, float]:
    """Slope and curvature at the true optimum of the least-squares parabola, over the size term there.

    There the loss is beta e^(-alpha t) + alpha e^(beta t), up to a constant and a factor; on symmetric points the slope
    is fitted to its odd part and the curvature to its even part.
    """
    t = SPREAD
    odd = ALPHA * np.sinh(BETA * t) - BETA * np.sinh(ALPHA * t)
    even = BETA * np.cosh(ALPHA * t) + ALPHA * np.cosh(BETA * t)
    n, s2, s4 = len(t), np.sum(t**2), np.sum(t**4)
    return np.sum(t * odd) / s2, (n * np.sum(t**2 * even) - s2 * np.sum(even)) / (n * s4 - s2**2)


def size_term(C: np.ndarray) -> np.ndarray:
    return A * best(C) ** -ALPHA / BETA


def resolved(eps: float) -> float:
    """How well rounded losses determine a minimum of the centred design, in log N, at the flattest budget."""
    curvature = parabola()[1] * size_term(BUDGETS).min()
    level = loss(best(BUDGETS), BUDGETS / 6 / best(BUDGETS)).max()
    return 4 * eps * level * np.sqrt(len(SPREAD) / np.sum(SPREAD**2)) / (2 * curvature) + 32 * eps


def test_a_centred_parabola_biases_the_coefficient_only(eps: float) -> None:
    slope, curvature = parabola()
    shift = -slope / (2 * curvature)
    assert abs(shift) > 0.002  # else nothing is tested
    found = frontier(centred(), IsoFlop(), law=LAW, n=2)
    at, reach = resolved(eps), np.log(BUDGETS[-1] / BUDGETS[0])
    assert found.N.exponent == pytest.approx(EXACT, abs=4 * at / reach)
    assert found.bias == pytest.approx(0.0, abs=8 * at / reach)
    np.testing.assert_allclose(np.log(found.points["N"] / best(BUDGETS)), shift, atol=at)
    np.testing.assert_allclose(np.log(found.N(BUDGETS) / best(BUDGETS)), shift, atol=4 * at)
    # N rises as much as D falls: C = 6ND.
    assert found.N.exponent + found.D.exponent == pytest.approx(1.0, abs=8 * at / reach)


@pytest.mark.x64
def test_a_drifting_centre_biases_the_exponent() -> None:
    """The reported bias against NumPy's polynomials and the law's closed form."""
    runs = fixed_sizes()
    N, L = (np.asarray(x).reshape(len(BUDGETS), -1) for x in (runs.inputs["N"], runs.target))
    minima = []
    for row, losses in zip(np.log(N), L, strict=True):
        c2, c1, _ = np.polyfit(row - 20, losses, 2)
        minima.append(20 - c1 / (2 * c2))
    slope = np.polyfit(np.log(BUDGETS), minima, 1)[0]
    assert abs(slope - EXACT) > 0.01
    found = frontier(runs, IsoFlop(), law=LAW, n=2)
    assert found.N.exponent == pytest.approx(slope, rel=1e-9)
    assert found.bias == pytest.approx(slope - EXACT, rel=1e-7)
    assert any(f"instead of {EXACT:.4f}" in remark for remark in found.remarks)


@pytest.mark.x64
def test_akima_is_nearly_free_of_bias() -> None:
    """It goes through every point, so that the minimum is off by less than a step of its grid (a 25th of a size)."""
    found = frontier(fixed_sizes(), IsoFlop(curve="akima"), law=LAW, n=2)
    step = np.log(SIZES[1] / SIZES[0])
    np.testing.assert_allclose(np.log(found.points["N"] / best(BUDGETS)), 0, atol=step / 8)
    parabolic = frontier(fixed_sizes(), IsoFlop(), law=LAW, n=2)
    assert found.bias is not None
    assert parabolic.bias is not None
    assert abs(found.bias) < abs(parabolic.bias) / 3


def scattered(seed: int = 0, size: int = 200) -> tuple[Runs, np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    C = np.exp(generator.uniform(np.log(1e18), np.log(1e21), size))
    N = best(C) * np.exp(generator.normal(0, 0.8, size))
    runs = runs_of(C, N)
    C = np.asarray(6 * np.asarray(runs.inputs["N"], float) * np.asarray(runs.inputs["D"], float))
    return runs, C, np.asarray(runs.inputs["N"], float), np.asarray(runs.target, float)


@pytest.mark.parametrize("seed", range(5))
def test_hull_against_scipy(seed: int) -> None:
    """McLeish et al. 2025: Qhull's corners with the vantage point; those at which the loss falls."""
    runs, C, N, L = scattered(seed)
    points = np.log(np.stack([np.append(C, 2 * C.max()), np.append(L, 2 * L.max())], axis=1))
    corners = ConvexHull(points).vertices
    corners = corners[corners < len(C)]
    corners = corners[np.argsort(C[corners])]
    falls = np.diff(L[corners], prepend=np.inf) < 0
    found = frontier(runs, Hull(), n=2)
    np.testing.assert_allclose(found.points["N"], N[corners[falls]], rtol=1e-12)
    slope = np.polyfit(np.log(C[corners[falls]]), np.log(N[corners[falls]]), 1)[0]
    assert found.N.exponent == pytest.approx(slope, rel=1e-9)


def test_envelope_against_a_loop() -> None:
    runs, C, N, L = scattered()
    edges = np.geomspace(C.min(), C.max(), 13)
    expected = []
    for low, high in pairwise(edges):
        inside = (low <= C) & ((high > C) | (high == edges[-1]))
        expected.append(N[inside][np.argmin(L[inside])])
    np.testing.assert_allclose(frontier(runs, Envelope(12), n=2).points["N"], expected, rtol=1e-12)


def test_envelope_of_single_sizes_says_so() -> None:
    found = frontier(scattered()[0], Envelope(1500), n=2)
    assert "hold one size only" in found.remarks[0]
    assert not frontier(scattered()[0], Envelope(12), n=2).remarks


@pytest.mark.parametrize("method", [Hull(), Envelope(10), IsoFlop(BUDGETS)])
def test_resampling_takes_whole_runs(method: Hull | Envelope | IsoFlop) -> None:
    """A second row of every run, a copy, adds nothing: neither to the frontier nor to its interval."""
    once = centred()
    twice = Runs.of(
        {name: np.repeat(np.asarray(x), 2) for name, x in once.inputs.items()},
        np.repeat(np.asarray(once.target), 2),
        cluster=np.repeat(np.arange(once.size), 2),
    )
    first, second = (frontier(runs, method, n=60) for runs in (once, twice))
    np.testing.assert_array_equal(first.N.draws, second.N.draws)
    as_rows = frontier(Runs.of(twice.inputs, twice.target), method, n=60)
    assert np.std(as_rows.N.draws[:, 1]) != np.std(first.N.draws[:, 1])


@pytest.mark.x64
def test_noise_propagates() -> None:
    """By the delta method: the sd of a vertex is noise / (2 curvature sqrt(sum t^2)); then least squares."""
    noise, n = 1e-5, 2000
    found = frontier(centred(noise), IsoFlop(), n=n, resample="noise")
    curvature = parabola()[1] * size_term(BUDGETS)
    vertex = noise / (2 * curvature * np.sqrt(np.sum(SPREAD**2)))
    off = np.log(BUDGETS) - np.log(BUDGETS).mean()
    expected = np.sqrt(np.sum((off * vertex) ** 2)) / np.sum(off**2)
    # An estimated sd is known to 1 / sqrt(2 n); four of these.
    assert np.std(found.N.draws[:, 1]) == pytest.approx(expected, rel=4 / np.sqrt(2 * n))
    low, high = found.N.interval(0.9)
    assert high - low == pytest.approx(2 * 1.6449 * expected, rel=0.1)
    band = found.N.band(BUDGETS, 0.9)
    assert np.all(band[0] < found.N(BUDGETS))
    assert np.all(found.N(BUDGETS) < band[1])


@pytest.mark.x64
def test_weights_are_inverse_variances() -> None:
    """The last budget alone is noisy: by the delta method twice the floor of .33 steps, so a quarter of the weight."""
    spread = np.linspace(-1.4, 1.4, 33)
    C = np.repeat(BUDGETS, len(spread))
    N = best(C) * np.exp(np.tile(spread, len(BUDGETS)))
    floor = 0.33 * (spread[1] - spread[0])
    curvature = np.polyfit(spread, loss(N, C / 6 / N)[-len(spread) :], 2)[0]
    noise = 2 * floor * 2 * curvature * np.sqrt(np.sum(spread**2))
    noisy = runs_of(C, N, noise=np.where(BUDGETS[-1] == C, noise, 1e-6))
    found = frontier(noisy, IsoFlop(weighted=True), n=2000, resample="noise")
    weight = found.points["weight"]
    np.testing.assert_allclose(weight[:-1], weight[0], rtol=1e-12)
    # A variance is known to sqrt(2 / n) from its draws; four of these, and the noise of the curvature.
    assert weight[-1] / weight[0] == pytest.approx(0.25, rel=0.2)
    assert weight.sum() == pytest.approx(1.0)
    slope = np.polyfit(np.log(found.points["C"]), np.log(found.points["N"]), 1, w=np.sqrt(weight))[0]
    assert found.N.exponent == pytest.approx(slope, rel=1e-9)


def test_what_has_no_minimum_is_discarded_and_said() -> None:
    C = np.repeat(BUDGETS, len(SPREAD))
    N = best(C) * np.exp(np.tile(SPREAD, len(BUDGETS)) + np.where(BUDGETS[1] == C, 2.0, 0.0))
    inside = frontier(runs_of(C, N), IsoFlop(), n=2)
    assert len(inside.points["C"]) == 4
    assert any("2.4e+19 FLOP discarded: its parabola has its minimum at" in remark for remark in inside.remarks)
    edge = frontier(runs_of(C, N), IsoFlop(curve="akima"), n=2)
    assert any("its least loss is that of its smallest size" in remark for remark in edge.remarks)
    runs = centred()
    down = np.where(BUDGETS[2] == C, 2 * np.mean(np.asarray(runs.target)) - np.asarray(runs.target), runs.target)
    bent = frontier(Runs.of(runs.inputs, down), IsoFlop(), n=2)
    assert any("its parabola bends down" in remark for remark in bent.remarks)


def test_of_one_size_the_best_run_counts() -> None:
    runs = centred()
    worse = Runs.of(
        {name: np.tile(np.asarray(x), 2) for name, x in runs.inputs.items()},
        np.concatenate([np.asarray(runs.target), np.asarray(runs.target) * 1.1]),
    )
    np.testing.assert_array_equal(
        frontier(worse, IsoFlop(), n=2).points["N"], frontier(runs, IsoFlop(), n=2).points["N"]
    )


def test_bias_of_a_law_of_compute_and_ratio(eps: float) -> None:
    """Gadre's exponents are equal: N grows with the root of C."""
    found = frontier(centred(), Hull(), law=Gadre(), n=2)
    assert any("instead of 0.5000" in remark for remark in found.remarks)


def test_a_study_and_its_own_compute(eps: float) -> None:
    """Measured compute is taken where there is one: twice the FLOP shift the coefficient, not the exponent."""
    runs = centred()
    N, D, L = (np.asarray(x, np.float64) for x in (*runs.inputs.values(), runs.target))
    plain = Study.from_arrays("plain", {"N": N, "D": D}, L)
    double = Runs.of({"N": N, "D": D, "C": 12 * N * D}, L)
    first, second = frontier(plain, IsoFlop(), n=2, law=LAW), frontier(double, IsoFlop(), n=2, law=LAW)
    assert first.N.exponent == pytest.approx(second.N.exponent, abs=resolved(eps))
    assert second.points["C"] == pytest.approx(2 * first.points["C"], rel=64 * eps)
    assert second.bias == pytest.approx(0.0, abs=resolved(eps))


def test_shown() -> None:
    found = frontier(centred(), Hull(), n=20)
    assert str(found).startswith(f"N = {found.N.coefficient:.4g} C^{found.N.exponent:.4f} (95 %")
    assert isinstance(found, Frontier)


def one_budget() -> Runs:
    return runs_of(np.full(4, 1e20), np.array([1e8, 2e8, 3e8, 4e8]))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: frontier(Runs.of({"N": jnp.ones(3)}, jnp.ones(3)), Hull()), "expected runs with N and D, got .*'N'"),
        (lambda: frontier(centred(), Hull(), n=1), "frontier: n: expected a whole number of at least 2, got 1"),
        (lambda: frontier(centred(), Envelope(1)), "Envelope: bins: expected a whole number of at least 2, got 1"),
        (lambda: frontier(centred(), IsoFlop(curve="cubic")), "expected one of .*akima.*got 'cubic'"),  # type: ignore[arg-type]
        (lambda: frontier(centred(), IsoFlop((1e19, -1.0))), "two or more positive numbers of FLOP"),
        (lambda: frontier(scattered()[0], IsoFlop()), "give budgets="),
        (lambda: frontier(centred(), Hull(), resample="noise"), "known noise, got none"),
        (lambda: frontier(centred(), Hull(), resample="rows"), "or .noise., got 'rows'"),  # type: ignore[arg-type]
        (lambda: frontier(centred(), Hull(), law=KaplanN()), r"got KaplanN of \['N'\]"),
        (lambda: frontier(one_budget(), Hull()), "runs of several budgets, got 4 runs of one"),
        (lambda: frontier(Runs.of(centred().inputs, -centred().target), Hull()), "positive finite loss"),
        (
            lambda: frontier(runs_of(np.array([1e19, 1e20] * 2), np.array([1e8, 1e8, 2e8, 2e8])), IsoFlop()),
            "got 0 .Budget 1e.19 FLOP discarded: 2 sizes, 3 needed.; add sizes",
        ),
        (
            lambda: frontier(runs_of(BUDGETS, best(BUDGETS), group=np.arange(5)), Hull()),
            "expected the runs of one group",
        ),
    ],
)
def test_bad_input_is_refused(call: Callable[[], object], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        call()
