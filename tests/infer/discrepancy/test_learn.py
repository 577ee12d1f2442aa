"""The discrepancy's algebra against dense Gaussian conditioning, its scale and its bands against simulation."""

from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import multivariate_normal

from jaxscale import BadInput, forecast_with_discrepancy, gaussian, learn_discrepancy
from jaxscale.core.priors import LogNormal
from jaxscale.core.results import RESULTS
from jaxscale.infer.backtest import Origins
from jaxscale.infer.backtest.splits import parted
from jaxscale.infer.discrepancy import Discrepancy
from jaxscale.infer.discrepancy import learn as d
from jaxscale.infer.discrepancy.forecast import drawn, regressed
from jaxscale.infer.discrepancy.learn import Basis, basis, coordinates
from jaxscale.infer.fit import Fit
from jaxscale.infer.local.linearised import Linear, Tangent, linear, tangent
from jaxscale.objectives.likelihood import Likelihood
from jaxscale.objectives.residual import RawResidual

from ..conftest import FAR

LENGTHS = (1.3, 0.8)
SOME = Discrepancy(LogNormal(0.01, 0.5), LENGTHS, 99, 4)


def beyond(law: Tangent, decades: np.ndarray) -> dict[str, np.ndarray]:
    """Runs of typical D/N so many decades of compute beyond the largest."""
    C, ratio = 10 ** (coordinates(law.inputs)[:, 0].max() + decades), 30.0
    return {"N": np.sqrt(C / 6 / ratio), "D": np.sqrt(C / 6 * ratio)}


@pytest.fixture(scope="module")
def known(law: Tangent) -> Basis:
    return basis(law, LENGTHS)


@pytest.fixture(scope="module")
def blank(simulated_mode: Fit) -> Origins:
    """Four origins at which nothing was looked at yet."""
    fits = {"Chinchilla": simulated_mode}
    parts = parted("C", 4, simulated_mode.runs, fits)
    none = np.full((1, *parts.scored.shape), np.nan)
    code = np.full(none.shape[:2], int(RESULTS.converged))
    return Origins(fits, parts, none, none, none, np.zeros(none.shape, bool), code)


def rho(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * cdist(a, b, "seuclidean", V=np.square(LENGTHS)) ** 2)


def dense(law: Tangent, points: Linear) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Covariances of the orthogonal process of unit amplitude: at the runs, across, and at the points."""
    x, new = coordinates(law.inputs), coordinates(points.inputs)
    everywhere = np.concatenate([x, new])
    J = np.concatenate([law.jacobian, points.jacobian])
    S = np.diag(1 / law.variance)
    A = np.linalg.inv(law.jacobian.T @ S @ law.jacobian + law.precision) @ law.jacobian.T @ S
    M = np.eye(len(everywhere))
    M[:, : len(x)] -= J @ A
    K = M @ rho(everywhere, everywhere) @ M.T
    n = len(x)
    return K[:n, :n], K[n:, :n], K[n:, n:]


def test_tangent_is_the_laws(simulated_mode: Fit, law: Tangent, eps: float) -> None:
    """E + A N^-alpha + B D^-beta by hand, in logs of all five parameters."""
    at = {name: float(x) for name, x in simulated_mode.params.items()}
    N, D = (np.asarray(simulated_mode.runs.inputs[name], np.float64) for name in ("N", "D"))
    size, data = at["A"] * N ** -at["alpha"], at["B"] * D ** -at["beta"]
    loss = at["E"] + size + data
    columns = (at["E"] + 0 * N, size, data, -at["alpha"] * np.log(N) * size, -at["beta"] * np.log(D) * data)
    # N^-alpha rounds by alpha log N, of order ten, times eps.
    np.testing.assert_allclose(law.jacobian, np.stack(columns, axis=1) / loss[:, None], rtol=0, atol=500 * eps)
    np.testing.assert_allclose(law.centre, np.log(loss), rtol=0, atol=100 * eps)
    # LogNormal priors are normal in logs: (log x - log median) / sigma^2, of median 1.7 (in 3 nats) and sigma .5 for E.
    usual = float(np.median(np.asarray(simulated_mode.runs.target, np.float64))) / 3
    assert law.pull[0] == pytest.approx(-np.log(at["E"] / usual / 1.7) / 0.25, abs=100 * eps)
    np.testing.assert_allclose(np.diag(law.precision), 1 / np.array([0.5, 2.0, 2.5, 0.5, 0.5]) ** 2, rtol=1e3 * eps)
    # The runs were made with a scale of .003; its relative error from 40 runs is about 1 / sqrt(2 * 40).
    assert law.noise == pytest.approx(0.003, rel=4 / np.sqrt(80))


def test_a_noise_that_was_fixed_is_kept(simulated_mode: Fit, law: Tangent) -> None:
    split = replace(simulated_mode.problem.split, free=simulated_mode.problem.split.free[:-1])
    assert simulated_mode.problem.split.free[-1] == "objective.noise.sigma"
    fixed = replace(simulated_mode, problem=replace(simulated_mode.problem, split=split))
    assert isinstance(fixed.objective, Likelihood)
    assert tangent(fixed).noise == float(fixed.objective.noise.sigma)
    assert tangent(fixed).noise != law.noise


def test_a_refit_takes_up_nothing_of_the_process(law: Tangent) -> None:
    """Without priors; by weighted least squares of the process's factor on the law's Jacobian."""
    free = replace(law, precision=0 * law.precision)
    weight = 1 / np.sqrt(law.variance)[:, None]
    factor = basis(free, LENGTHS).factor
    taken = np.linalg.lstsq(weight * law.jacobian, weight * factor)[0]
    # The Jacobian's columns are nearly dependent: what counts is what they say of the runs.
    assert np.max(np.abs(law.jacobian @ taken)) < 1e-6 * np.max(np.abs(factor))


def test_basis_has_the_covariance_of_the_orthogonal_process(law: Tangent, points: Linear, known: Basis) -> None:
    inside, across, there = dense(law, points)
    same, new = known.at(points)
    # Left out are directions of a millionth of the strongest signal over noise: as a covariance, in units of the
    # largest, a few of them; across, their root counts.
    np.testing.assert_allclose(known.factor @ known.factor.T, inside, rtol=0, atol=1e-5 * np.abs(inside).max())
    np.testing.assert_allclose(same @ known.factor.T, across, rtol=0, atol=1e-2 * np.abs(across).max())
    np.testing.assert_allclose(same @ same.T + new @ new.T, there, rtol=0, atol=1e-6 * np.abs(there).max())
    whitened = known.factor / np.sqrt(law.variance)[:, None]
    gram = whitened.T @ whitened
    np.testing.assert_allclose(gram, np.diag(known.strength), rtol=0, atol=1e-8 * known.strength.max())


def test_coordinates_by_hand() -> None:
    assert coordinates({"N": [1e9], "D": [2e10]}) == pytest.approx(np.log10([[1.2e20, 20.0]]))


@pytest.mark.parametrize("amplitude", [1e-3, 0.02])
def test_forecast_is_dense_conditioning(law: Tangent, points: Linear, known: Basis, amplitude: float) -> None:
    """At one amplitude the draws have the moments of a joint Gaussian conditioned on all runs at once."""
    inside, across, there = (amplitude**2 * K for K in dense(law, points))
    S0 = np.linalg.inv(law.precision)
    J, Jp = law.jacobian, points.jacobian
    total = inside + J @ S0 @ J.T + np.diag(law.variance)
    gain = np.linalg.solve(total, (across + Jp @ S0 @ J.T).T).T
    start = S0 @ law.pull
    mean = points.centre + Jp @ start + gain @ (law.residual - J @ start)
    covariance = there + Jp @ S0 @ Jp.T - gain @ (across + Jp @ S0 @ J.T).T
    one, n = replace(SOME, amplitude=LogNormal(amplitude, 1e-9)), 4000
    rng = np.random.default_rng(0)
    states = drawn(known, one, n, rng)
    logs = points.centre + states.moved @ Jp.T + states.deviation(known, points, rng)
    sd = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(logs.mean(axis=0), mean, rtol=0, atol=float(np.max(4 * sd / np.sqrt(n))))
    np.testing.assert_allclose(logs.std(axis=0), sd, rtol=4 / np.sqrt(2 * n))
    np.testing.assert_allclose(np.corrcoef(logs.T), covariance / np.outer(sd, sd), rtol=0, atol=4 / np.sqrt(n))


def test_evidence_is_the_marginal_density(law: Tangent, points: Linear, known: Basis) -> None:
    inside = dense(law, points)[0]
    S0 = np.linalg.inv(law.precision)
    start = law.jacobian @ S0 @ law.pull

    def marginal(a: float) -> float:
        cov = a**2 * inside + law.jacobian @ S0 @ law.jacobian.T + np.diag(law.variance)
        return float(multivariate_normal(start, cov).logpdf(law.residual))

    ours = [regressed(law, a * known.factor).evidence for a in (1e-3, 1e-2, 0.1)]
    theirs = [marginal(a) for a in (1e-3, 1e-2, 0.1)]
    # What the basis leaves out is noise of up to a^2 times a millionth of its strongest signal, a few times over.
    atol = 0.1**2 * d._WEAK * known.strength[-1] * 5
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), rtol=1e-4, atol=atol)


def made_of(blank: Origins, law: Tangent, e: np.ndarray) -> Origins:
    """The origins' misses where log losses err by e (n,) about a law whose refits are linear."""

    def off(fitted: np.ndarray) -> np.ndarray:
        W = np.diag(fitted / law.variance)
        H = law.jacobian.T @ W @ law.jacobian + law.precision
        return e - law.jacobian @ np.linalg.solve(H, law.jacobian.T @ W @ e + law.pull)

    misses = np.stack([off(fitted) for fitted in blank.parts.fitted])
    return replace(blank, miss=np.where(blank.parts.scored, misses, np.nan)[None])


def process(law: Tangent, points: Linear, rng: np.random.Generator) -> np.ndarray:
    """A draw of the process of unit amplitude at the runs, then at the points."""
    x = np.concatenate([coordinates(law.inputs), coordinates(points.inputs)])
    size, axes = np.linalg.eigh(rho(x, x))
    return axes @ (np.sqrt(np.maximum(size, 0)) * rng.standard_normal(len(x)))


def simulated(
    blank: Origins, law: Tangent, points: Linear, amplitude: float, rng: np.random.Generator
) -> tuple[Origins, np.ndarray, np.ndarray]:
    """Misses, and errors at the runs and at the points, where the law errs by the process and runs by their noise."""
    delta = amplitude * process(law, points, rng)
    n = len(law.rows)
    e = delta[:n] + np.sqrt(law.variance) * rng.standard_normal(n)
    return made_of(blank, law, e), e, delta[n:]


def test_misses_have_the_density_of_a_multivariate_normal(blank: Origins, law: Tangent, points: Linear) -> None:
    """The errors' own share and that of parameters from their priors, through a refit, by one dense map."""
    origins, _, _ = simulated(blank, law, points, 0.01, np.random.default_rng(1))
    x, S, P = coordinates(law.inputs), np.diag(law.variance), law.precision
    picked = [10, 40, 70]
    expected = np.zeros(len(picked))
    for fitted, scored, miss in zip(blank.parts.fitted, blank.parts.scored, origins.miss[0], strict=True):
        W = np.diag(fitted / law.variance)
        inverse = np.linalg.inv(law.jacobian.T @ W @ law.jacobian + P)
        errs = (np.eye(len(x)) - law.jacobian @ inverse @ law.jacobian.T @ W)[scored]
        held = (law.jacobian @ inverse @ P)[scored]
        for i, k in enumerate(picked):
            cov = errs @ (d._AMPLITUDES[k] ** 2 * rho(x, x) + S) @ errs.T + held @ np.linalg.inv(P) @ held.T
            expected[i] += multivariate_normal(cov=cov).logpdf(miss[scored]) / len(blank.parts.labels)
    found = d._density(d._looks(origins, "Chinchilla", law), x, LENGTHS)[picked]
    np.testing.assert_allclose(np.diff(found), np.diff(expected), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("amplitude", [3e-3, 0.03])
def test_scale_is_learnt_from_misses(blank: Origins, law: Tangent, points: Linear, amplitude: float) -> None:
    rng = np.random.default_rng(3)
    found = [learn_discrepancy(simulated(blank, law, points, amplitude, rng)[0], "Chinchilla") for _ in range(12)]
    off = np.array([np.log(one.amplitude.median / amplitude) for one in found])
    stated = np.array([one.amplitude.sigma for one in found])
    # The prior's pull towards a percent is a share (stated / prior sd)^2 of the way.
    pull = np.mean((stated / d.AMPLITUDE.sigma) ** 2) * abs(np.log(amplitude / d.AMPLITUDE.median))
    assert abs(off.mean()) < pull + 4 * stated.mean() / np.sqrt(12)
    # Of 12 within two of the stated standard deviations; what is stated counts all origins as one, and so is wide.
    assert np.sum(np.abs(off) < 2 * stated) >= 10
    assert all(one.misses == found[0].misses and one.origins == 4 for one in found)


def test_no_misses_beyond_the_noise_leave_little_discrepancy(blank: Origins, law: Tangent, points: Linear) -> None:
    quiet, loud = (
        learn_discrepancy(simulated(blank, law, points, a, np.random.default_rng(4))[0], "Chinchilla").amplitude
        for a in (0.0, 0.03)
    )
    assert quiet.median < min(d.AMPLITUDE.median, 0.5 * loud.median)


def test_ranks_of_what_the_model_makes_are_uniform(law: Tangent, points: Linear, known: Basis) -> None:
    """Truth and runs drawn from the model itself: central bands of every level hold their share."""
    rng = np.random.default_rng(5)
    S0 = np.linalg.inv(law.precision)
    factor, rest = known.at(points)
    ranks = []
    for i in range(100):
        a = 0.01 * np.exp(0.5 * rng.standard_normal())
        moved = rng.multivariate_normal(S0 @ law.pull, S0)
        xi, fresh = rng.standard_normal(len(known.strength)), rng.standard_normal(len(rest))
        e = np.sqrt(law.variance) * rng.standard_normal(len(law.rows))
        seen = replace(known, law=replace(law, residual=law.jacobian @ moved + a * known.factor @ xi + e))
        truth = points.jacobian @ moved + a * (factor @ xi + rest @ fresh)
        states = drawn(seen, SOME, 200, rng)
        logs = states.moved @ points.jacobian.T + states.deviation(seen, points, rng)
        ranks.append(np.mean(logs[:, i % 3] < truth[i % 3]))
    for level in (0.5, 0.9):
        inside = np.mean(np.abs(np.array(ranks) - 0.5) < level / 2)
        assert abs(inside - level) < 4 * np.sqrt(level * (1 - level) / len(ranks)), level


def test_bands_learnt_from_misses_hold_what_they_say(simulated_mode: Fit, law: Tangent, blank: Origins) -> None:
    """The whole procedure on laws that err by a process of unknown scale: half, one and two decades out."""
    rng = np.random.default_rng(6)
    points = linear(simulated_mode, beyond(law, np.array([0.5, 1.0, 2.0])))
    held = []
    for _ in range(40):
        amplitude = 0.01 * np.exp(rng.standard_normal())
        origins, e, truth = simulated(blank, law, points, amplitude, rng)
        learnt = learn_discrepancy(origins, "Chinchilla")
        seen = basis(replace(law, residual=e), learnt.lengths)
        states = drawn(seen, learnt, 1000, rng)
        logs = states.moved @ points.jacobian.T + states.deviation(seen, points, rng)
        low, high = np.quantile(logs, [0.05, 0.95], axis=0)
        held.append((low < truth) & (truth < high))
    # Three binomial errors of 40 either way.
    assert np.all(np.abs(np.mean(held, axis=0) - 0.9) < 3 * np.sqrt(0.9 * 0.1 / 40)), np.mean(held, axis=0)


def test_parts_add_up_and_the_total_grows(simulated_mode: Fit) -> None:
    prior = replace(SOME, amplitude=LogNormal(0.01, 0.3))
    near_and_far = {"N": np.array([3e9, 2e10, 1e11]), "D": np.array([6e10, 4e11, 2e12])}
    made = forecast_with_discrepancy(simulated_mode, prior, near_and_far)
    np.testing.assert_allclose(np.log(made.total), made.law + made.discrepancy + made.noise, atol=1e-12)
    assert np.all(np.diff(made.spread["discrepancy"]) > 0)
    low, high = made.interval(0.9)
    assert np.all(np.diff(np.log(high / low)) > 0)
    assert np.mean((low < made.total) & (made.total < high), axis=0) == pytest.approx(0.9, abs=0.01)
    # Without a discrepancy to speak of it is the law's own forecast, but for the votes of runs: within its own error.
    none = replace(prior, amplitude=LogNormal(1e-7, 0.01))
    alone = forecast_with_discrepancy(simulated_mode, none, near_and_far)
    own = np.exp(linear(simulated_mode, near_and_far).centre)
    assert np.all(np.abs(np.log(alone.point / own)) < alone.spread["law"])
    assert np.all(alone.spread["discrepancy"] < 1e-5)


def test_refusals(simulated_mode: Fit, blank: Origins) -> None:
    with pytest.raises(BadInput, match=r"expected one of \['Chinchilla'\], got 'Farseer'"):
        learn_discrepancy(blank, "Farseer")
    with pytest.raises(BadInput, match="at least 20 forecasts of known outcome, got 0"):
        learn_discrepancy(blank, "Chinchilla")
    with pytest.raises(BadInput, match=r"expected a law with inputs N and D.*got \['m'\]"):
        coordinates({"m": np.ones(3)})
    raw = replace(simulated_mode, objective=gaussian(residual=RawResidual()))
    with pytest.raises(BadInput, match=r"log residuals with one scale, got raw-gaussian"):
        tangent(raw)
    with pytest.raises(BadInput, match=r"a level between 0 and 1, got 90"):
        forecast_with_discrepancy(simulated_mode, SOME, FAR, draws=10, allow_far=True).interval(90)
    with pytest.raises(BadInput, match=r"a point lies 2\.4 decades beyond the runs"):
        forecast_with_discrepancy(simulated_mode, SOME, FAR)


@pytest.fixture(scope="module")
def upper(simulated_mode: Fit) -> Fit:
    """The same law on the runs of the most tokens alone."""
    runs = simulated_mode.problem.runs
    weight = jnp.where(runs.inputs["D"] > 5e10, runs.weight, 0)
    return replace(simulated_mode, problem=eqx.tree_at(lambda p: p.runs.weight, simulated_mode.problem, weight))


def test_a_law_that_bends_away_is_doubted(simulated_mode: Fit, upper: Fit) -> None:
    """Where D is far below what was fitted, B D^-beta takes over: its exponent leaves the bounds of the runs."""
    starved = {"N": 5e9, "D": 2e8}
    assert forecast_with_discrepancy(simulated_mode, SOME, starved, draws=10).doubts == ()
    (doubt,) = forecast_with_discrepancy(upper, SOME, starved, draws=10, allow_far=True).doubts
    assert doubt.startswith("The law is not believed here: its exponent in D is -0.")


def test_few_runs_do_not_explain_their_noise_away(upper: Fit) -> None:
    """Ten columns of law and surface would leave nothing of these runs: the noise is that about the law."""
    few = tangent(upper)
    assert 10 <= len(few.rows) < 20
    assert few.noise == pytest.approx(0.003, rel=4 / np.sqrt(2 * (len(few.rows) - 5)))
