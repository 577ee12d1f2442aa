"""PrunedData: hand algebra, the planner's fraction, and the perceptron of the paper solved exactly as the oracle.

Max-margin student of a teacher perceptron, examples ranked by their distance z from the teacher's plane, D examples
per parameter of which the fraction f is kept: with R the overlap and k the margin, s^2 = 1 - R^2, m = k - R z,
d = max(m - s g, 0) for a Gaussian g, the solution has fD E[d^2] = s^2 and fD (E[d z] + R P(d > 0)) = R, and the
error is arccos(R) / pi. Figures it must give: `theory.md` 6, of which the pruned ones agree with simulated SVMs.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, fsolve
from scipy.stats import norm

from jaxscale.laws.data.sorscher2022 import PrunedData

NODES, WEIGHTS = np.polynomial.legendre.leggauss(200)


def numbers(*values: float) -> list[jax.Array]:
    return [jnp.asarray(value, dtype=float) for value in values]


def perceptron(D: float, f: float = 1.0, hard: bool = True) -> float:
    """Generalisation error at D examples per parameter, the hardest or the easiest fraction f of them kept."""
    low, high = (0.0, min(norm.ppf(0.5 + f / 2), 9.0)) if hard else (norm.ppf(1 - f / 2), 9.0)
    z = low + (high - low) * (NODES + 1) / 2
    density = WEIGHTS * np.exp(-z * z / 2)
    density /= density.sum()

    def equations(unknown: np.ndarray) -> list[float]:
        R, k = np.tanh(unknown[0]), np.exp(np.minimum(unknown[1], 5))
        s, m = np.sqrt(1 - R * R), k - R * z
        within, edge = norm.cdf(m / s), s * norm.pdf(m / s)
        first = density @ (z * (m * within + edge)) + R * (density @ within)
        second = density @ ((m * m + s * s) * within + m * edge)
        return [f * D * second / s**2 - 1, f * D * first / R - 1]

    for start in ((a, b) for a in (0.3, 1, 2, 3, 4) for b in (-3, -2, -1, 0, 1)):
        found, info, flag, _ = fsolve(equations, start, full_output=True)
        if flag == 1 and np.abs(info["fvec"]).max() < 1e-9 and found[0] > 0:
            return float(np.arccos(np.tanh(found[0])) / np.pi)
    raise AssertionError(f"no solution at D = {D}, f = {f}")


def kappa(D: float, f: float, hard: bool = True) -> float:
    """The law's exponent of worth, for which f D u(f) random examples give the pruned perceptron's error."""
    pruned = perceptron(D, f, hard)
    log_worth = brentq(lambda x: np.log(perceptron(np.exp(x)) / pruned), np.log(D * f / 30), np.log(D * 1.5))
    return 1 - (log_worth - np.log(D)) / np.log(f)


@pytest.mark.parametrize(
    ("D", "error"),
    [(0.5, ".3288"), (1, ".2657"), (2, ".1885"), (5, ".0938"), (10, ".0492"), (30, ".01665"), (100, ".005004")],
)
def test_perceptron_without_pruning(D: float, error: str) -> None:
    assert perceptron(D) == pytest.approx(float(error), abs=10.0 ** -(len(error) - 1))


@pytest.mark.parametrize(
    ("kept", "f", "hard", "error"),
    [(3, 0.5, True, 0.0812), (3, 0.5, False, 0.0862), (1, 0.3, True, 0.3808), (1, 0.3, False, 0.1511)],
)
def test_perceptron_with_pruning(kept: float, f: float, hard: bool, error: float) -> None:
    assert perceptron(kept / f, f, hard) == pytest.approx(error, abs=1e-4)


@pytest.mark.parametrize(("D", "hard_is_better"), [(2.0, False), (4.0, False), (8.0, True), (32.0, True)])
def test_keep_the_easy_where_data_are_few_and_the_hard_where_they_abound(D: float, hard_is_better: bool) -> None:
    assert (perceptron(D, 0.5) < perceptron(D, 0.5, hard=False)) == hard_is_better


def test_exponent_of_worth_in_the_perceptron() -> None:
    """What the docstring says of kappa, from the exact solution."""
    assert kappa(2, 0.5) < -0.5
    assert kappa(4, 0.5) == pytest.approx(0.68, abs=0.01)
    assert kappa(16, 0.3) == pytest.approx(1, abs=5e-3)
    assert kappa(32, 0.3) == pytest.approx(1, abs=5e-4)
    for D in (10, 32, 100):
        assert 0.65 < kappa(D, 0.5, hard=False) < 0.85


def test_describes_the_perceptron_that_keeps_the_easy() -> None:
    """Three numbers for 30 to 100 examples per parameter and 40 to 100 % kept; f matters by a factor of 1.36."""
    D, f = (x.reshape(-1) for x in np.meshgrid([30.0, 55.0, 100.0], [0.4, 0.6, 0.8, 1.0]))
    exact = np.array([perceptron(*at, hard=False) for at in zip(D, f, strict=True)])
    design = np.stack([np.ones_like(D), -np.log(D), -np.log(f)], axis=1)
    log_B, beta, product = np.linalg.lstsq(design, np.log(exact))[0]
    law = PrunedData(E=1e-9, B=np.exp(log_B), beta=beta, kappa=1 - product / beta)
    ours = np.asarray(jax.vmap(law)(jnp.asarray(D, float), jnp.asarray(f, float)), np.float64)
    assert beta == pytest.approx(1, abs=0.02)  # the perceptron's error falls as 1 / D
    assert np.abs(ours / exact - 1).max() < 0.05
    assert exact.max() / exact[(D == 30) & (f == 1)][0] > 1.3


def test_effective_size_and_its_inverse(eps: float) -> None:
    law = PrunedData(kappa=0.6)
    assert float(law.effective(*numbers(1e6, 0.0625))) == pytest.approx(1e6 / 16**0.4, rel=32 * eps)
    kept = law.kept_for(*numbers(1e6, 2e5))
    assert float(law.effective(jnp.asarray(1e6, float), kept)) == pytest.approx(2e5, rel=64 * eps)
    assert float(law.kept_for(*numbers(1e6, 2e6))) == 1.0


@pytest.mark.parametrize(("value", "sign"), [(-0.5, 1), (0.5, -1)])
def test_pruning_at_a_fixed_number_kept_pays_where_kappa_is_positive(value: float, sign: int) -> None:
    """fD fixed: the error falls with f for kappa < 0 and grows with it for kappa > 0."""
    law = PrunedData(kappa=value)
    errors = [float(law(*numbers(1e5 / f, f))) for f in (0.1, 0.3, 1.0)]
    assert np.all(np.sign(np.diff(errors)) == -sign)
