"""Li et al. 2025 (Farseer): the paper's staged fit and a direct one, on the 404 public runs, scored on 7 larger ones.

Oracles: the paper's figures (25.1B model .47 % off, six targets .50 % on average, Chinchilla's form 2.68 %), and the
.41 % and 3.01 % that `method.md` 2.2 measured on the same seven. The staged procedure is in NumPy alone.

What comes out: fitted to the sizes from 0.2B up, which the paper used, the staged fit finds the printed powers to
.024 and errs by .47 % on average; fitted directly, the law errs by .38 %, but by .92 % on the 25.1B model, where the
staged fit errs by .43 %. Fitted to sizes below 5.4B the staged fit misses the 6.4B runs by .14 %, not .059 %. The
paper's six targets are not named; the public seven are taken instead.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from jaxscale import AbstractLaw, Study, fit, load, log_huber
from jaxscale.core.law import from_published
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.laws.loss.li2025 import Farseer

type Beside = Callable[[str, object, object], None]

RATIO = np.sqrt(2)
"""Neighbours on the authors' grid of tokens differ by this factor."""
UNIT = 1e9


@pytest.fixture(scope="module")
def grid(data_dir: Path) -> Study:
    return load("farseer", where="split == 'train'")


@pytest.fixture(scope="module")
def larger(data_dir: Path) -> Study:
    return load("farseer", where="split == 'test'")


def transformed(N: np.ndarray, power: float) -> np.ndarray:
    """(N^power - 1) / power, with N in billions: straight lines in it are those in N^power."""
    return np.expm1(power * np.log(N / UNIT)) / power


class Staged(NamedTuple):
    """Powers, and straight lines of ln A, ln B and ln G in the transformed sizes."""

    powers: tuple[float, float, float]
    lines: tuple[np.ndarray, np.ndarray, np.ndarray]

    def __call__(self, N: np.ndarray, D: np.ndarray) -> np.ndarray:
        log_A, log_B, log_G = (
            np.polyval(line, transformed(N, power)) for line, power in zip(self.lines, self.powers, strict=True)
        )
        return np.exp(log_G) + np.exp(log_B - np.exp(log_A) * np.log(D))


def staged(N: np.ndarray, D: np.ndarray, loss: np.ndarray) -> Staged:
    """The paper's three stages: differences between neighbours in D, lines through them, then the floor."""
    sizes = np.unique(N)
    A, B, pairs = [], [], []
    for size in sizes:
        tokens, where = np.unique(D[size == N], return_inverse=True)  # reruns are averaged
        mean = np.bincount(where, loss[size == N]) / np.bincount(where)
        near = np.abs(np.diff(np.log(tokens)) - np.log(RATIO)) < 0.02
        x, fall = np.log(tokens[:-1][near]), -np.diff(mean)[near]
        slope, height = np.polyfit(x, np.log(fall), 1)
        A.append(-slope)
        B.append(height - np.log1p(-(RATIO**slope)))
        pairs.append(np.stack([np.full(x.size, size), x, np.log(fall)]))
    at_size, log_D, log_fall = np.concatenate(pairs, axis=1)
    log_A, log_B = np.log(A), np.array(B)

    def line(power: float, values: np.ndarray) -> np.ndarray:
        return np.polyfit(transformed(sizes, power), values, 1)

    def misfit(alpha: float, beta: float) -> float:
        exponent = np.exp(np.polyval(line(alpha, log_A), transformed(at_size, alpha)))
        amplitude = np.polyval(line(beta, log_B), transformed(at_size, beta))
        return float(np.sum((amplitude - exponent * log_D + np.log1p(-(RATIO**-exponent)) - log_fall) ** 2))

    def best(function: Callable[[float], float]) -> float:
        return float(minimize_scalar(function, bounds=(-1.5, 1.5), method="bounded", options={"xatol": 1e-8}).x)

    alpha, beta = 0.1, -0.1
    for _ in range(20):
        alpha = best(functools.partial(misfit, beta=beta))
        beta = best(functools.partial(misfit, alpha))
    a_line, b_line = line(alpha, log_A), line(beta, log_B)
    exponent = np.exp(np.polyval(a_line, transformed(N, alpha)))
    rest = loss - np.exp(np.polyval(b_line, transformed(N, beta)) - exponent * np.log(D))
    log_G = np.log([rest[size == N].mean() for size in sizes])

    def residue(power: float) -> float:
        return float(np.sum((np.polyval(line(power, log_G), transformed(sizes, power)) - log_G) ** 2))

    gamma = best(residue)
    return Staged((alpha, beta, gamma), (a_line, b_line, line(gamma, log_G)))


def errors(predicted: np.ndarray, study: Study) -> np.ndarray:
    """Relative, in percent."""
    return 100 * (predicted / study.columns["loss"] - 1)


def of_law(law: AbstractLaw, study: Study) -> np.ndarray:
    N, D = (jnp.asarray(study.columns[name]) for name in "ND")
    return np.asarray(jax.vmap(lambda N, D: law(N=N, D=D))(N, D), np.float64)


def largest(study: Study) -> int:
    return int(np.argmax(study.columns["N"]))


def test_staged_fit_finds_the_printed_powers(grid: Study, larger: Study, beside: Beside) -> None:
    N, D, loss = (grid.columns[name] for name in ("N", "D", "loss"))
    used = N > 0.2e9  # the paper's range begins at 201M
    found = staged(N[used], D[used], loss[used])
    for name, ours, printed in zip(("alpha", "beta", "gamma"), found.powers, (0.123, -0.1, 0.169), strict=True):
        beside(f"staged fit, {name}", f"{ours:.3f}", printed)
        assert ours == pytest.approx(printed, abs=0.03)
    off = errors(found(larger.columns["N"], larger.columns["D"]), larger)
    beside("staged fit, mean error of the larger runs, %", f"{np.abs(off).mean():.2f}", "0.50 (six of them)")
    beside("staged fit, error at 25.1B, %", f"{abs(off[largest(larger)]):.2f}", 0.47)
    # The paper's own level.
    assert np.abs(off).mean() < 0.50
    assert abs(off[largest(larger)]) < 0.47


def test_staged_fit_from_small_sizes(grid: Study, beside: Beside) -> None:
    """Sizes of at most 5.4B and 1.9B predict those of 6.4B."""
    N, D, loss = (grid.columns[name] for name in ("N", "D", "loss"))
    target = N > 6e9
    for top, printed, allowed in ((5.4e9, 0.059, 0.3), (1.95e9, 0.60, 0.7)):
        used = (N > 0.2e9) & (top > N)
        found = staged(N[used], D[used], loss[used])
        off = 100 * np.abs(found(N[target], D[target]) / loss[target] - 1).mean()
        beside(f"staged fit below {top:.3g}, mean error at 6.4B, %", f"{off:.3f}", printed)
        assert off < allowed


@pytest.mark.slow
@pytest.mark.x64
def test_direct_fit(grid: Study, larger: Study, beside: Beside) -> None:
    fitted = fit(Farseer(), grid, log_huber(), starts=8)
    assert fitted.certificate.certified
    for name, value in fitted.params.items():
        # The defaults are this fit, to eight digits, as far as its own optimum is flat.
        assert float(value) == pytest.approx(float(getattr(Farseer(), name)), rel=1e-4, abs=1e-6), name
    off = errors(of_law(fitted.law, larger), larger)
    beside("direct fit, mean error of the larger runs, %", f"{np.abs(off).mean():.2f}", "0.41 (method.md)")
    beside("direct fit, error at 25.1B, %", f"{abs(off[largest(larger)]):.2f}", 0.47)
    assert np.abs(off).mean() <= 0.41

    alone = fit(
        Chinchilla(), load("farseer", where="split == 'train'", mapping={"loss": "loss"}), log_huber(), starts=8
    )
    chinchilla = np.abs(errors(of_law(alone.law, larger), larger)).mean()
    beside("Chinchilla's form, mean error of the larger runs, %", f"{chinchilla:.2f}", "2.68; 3.01 (method.md)")
    assert chinchilla == pytest.approx(3.01, abs=0.05)


def test_printed_coefficients_are_low(larger: Study) -> None:
    """Too few digits: 2 to 5 % below every one of the larger runs, as `published` says."""
    off = errors(of_law(from_published(Farseer, "li2025"), larger), larger)
    assert np.all((off > -5) & (off < -1.5))
