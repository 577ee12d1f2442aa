"""A law linear in its parameters, for which every answer has a closed form, and fits of it shared by the tests."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from jaxscale import from_published
from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.evaluate import predict
from jaxscale.core.law import AbstractLaw
from jaxscale.core.parametric import param
from jaxscale.core.runs import Runs
from jaxscale.infer.fit.fit import Fit, fit
from jaxscale.infer.local.linearised import Linear, Tangent, linear, tangent
from jaxscale.infer.posterior.diagnosis import Gates, diagnose
from jaxscale.infer.posterior.posterior import Posterior
from jaxscale.infer.posterior.sample import sample_from
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.objectives.likelihood import gaussian, student_t
from jaxscale.objectives.noise import ConstantNoise
from jaxscale.objectives.penalty import raw_least_squares
from jaxscale.objectives.residual import RawResidual

FAR = {"N": np.array([2e10, 5e10, 2e11]), "D": np.array([4e11, 5e11, 1e13])}


class Line(AbstractLaw):
    """c + m x."""

    c: q.Pure = param(s.real, init=5.0, prior=p.Normal(5.0, 5.0), doc="level", linear=True)
    m: q.Pure = param(s.real, init=0.0, prior=p.Normal(0.0, 1.0), doc="slope", linear=True)

    def __call__(self, x: q.Pure) -> q.Pure:
        return self.c + self.m * x


class Rising(AbstractLaw):
    """c + m x with m > 0."""

    c: q.Pure = param(s.real, init=5.0, prior=p.Normal(5.0, 5.0), doc="level", linear=True)
    m: q.Pure = param(s.positive, init=0.1, prior=p.LogNormal(0.1, 1.0), doc="slope", linear=True)

    def __call__(self, x: q.Pure) -> q.Pure:
        return self.c + self.m * x


@dataclass(frozen=True)
class LineStudy:
    """Runs of a noisy line, their fits, and what ordinary least squares says about them."""

    x: np.ndarray
    y: np.ndarray
    runs: Runs
    squares: Fit
    normal: Fit

    @property
    def design(self) -> np.ndarray:
        return np.stack([np.ones_like(self.x), self.x], axis=1)

    @property
    def bread(self) -> np.ndarray:
        return np.linalg.inv(self.design.T @ self.design)

    @property
    def beta(self) -> np.ndarray:
        return np.linalg.lstsq(self.design, self.y)[0]

    @property
    def residual(self) -> np.ndarray:
        return self.y - self.design @ self.beta

    @property
    def sigma2(self) -> float:
        return float(self.residual @ self.residual) / (len(self.x) - 2)

    def tolerance(self, eps: float) -> float:
        """Rounding of a solution of the normal equations, for a sum over the rows."""
        return 16 * len(self.x) * float(np.linalg.cond(self.design.T @ self.design)) * eps


def line_data(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    x = rng.uniform(-2, 2, n)
    # Float32 values, so that both precisions see the same numbers; noise that grows, so that HC0 differs.
    y = 5 + 0.4 * x + 0.2 * (1 + 0.4 * x) * rng.standard_normal(n)
    return x.astype(np.float32).astype(float), y.astype(np.float32).astype(float)


@pytest.fixture(scope="session")
def line() -> LineStudy:
    x, y = line_data()
    runs = Runs.of({"x": x}, y)
    squares = fit(Line(), runs, raw_least_squares(), starts=2)
    normal = fit(Line(), runs, gaussian(residual=RawResidual()), starts=2)
    return LineStudy(x, y, runs, squares, normal)


@pytest.fixture(scope="session")
def edge() -> Fit:
    """A rising line through falling data: its slope vanishes."""
    x, y = line_data()
    return fit(Rising(), Runs.of({"x": x}, y - 0.8 * x), raw_least_squares(), starts=4)


@pytest.fixture(scope="session")
def laws() -> dict[str, Any]:
    return {"Line": Line, "Rising": Rising}


@dataclass(frozen=True)
class Conjugate:
    """A line with known noise and normal priors: the posterior is a Gaussian in closed form."""

    mode: Fit
    precision: np.ndarray
    mean: np.ndarray

    @property
    def covariance(self) -> np.ndarray:
        return np.linalg.inv(self.precision)


SIGMA = 0.25  # of the conjugate line's noise


@pytest.fixture(scope="session")
def conjugate() -> Conjugate:
    x, y = line_data()
    known = gaussian(ConstantNoise(SIGMA), RawResidual())
    mode = fit(Line(), Runs.of({"x": x}, y), known, fixed=("objective.noise.sigma",), prior=True, starts=2)
    design = np.stack([np.ones_like(x), x], axis=1)
    prior = np.array([5.0, 0.0]), np.diag([1 / 5.0**2, 1.0])  # as Line declares
    precision = design.T @ design / SIGMA**2 + prior[1]
    return Conjugate(mode, precision, np.linalg.solve(precision, design.T @ y / SIGMA**2 + prior[1] @ prior[0]))


@pytest.fixture(scope="session")
def conjugate_posterior(conjugate: Conjugate) -> Posterior:
    return sample_from(conjugate.mode)


@pytest.fixture(scope="session")
def simulated_mode() -> Fit:
    """The mode of Chinchilla's posterior on 40 simulated runs, which are padded to 48."""
    N, ratio = (x.reshape(-1) for x in np.meshgrid(np.geomspace(5e7, 5e9, 8), np.geomspace(3.0, 300.0, 5)))
    law = from_published(Chinchilla, "besiroglu2024")
    noise = np.exp(0.003 * np.random.default_rng(1).standard_t(5, 40))
    loss = np.asarray(predict(law, Runs.of({"N": N, "D": ratio * N}, np.ones(40))), np.float64) * noise
    return fit(law, Runs.of({"N": N, "D": ratio * N}, loss), student_t(), prior=True, starts=8)


@pytest.fixture(scope="session")
def law(simulated_mode: Fit) -> Tangent:
    """The tangent of that mode."""
    return tangent(simulated_mode)


@pytest.fixture(scope="session")
def points(simulated_mode: Fit) -> Linear:
    """That mode's law up to two and a half decades of compute beyond its runs."""
    return linear(simulated_mode, FAR)


def exact_posterior(mode: Fit, design: np.ndarray, draws: int = 2000) -> Posterior:
    """Independent draws, in four chains, of the Gaussian posterior of a law design @ (c, m) with Line's priors."""
    y, weight = (np.asarray(x, np.float64) for x in (mode.runs.target, mode.runs.weight))
    prior = np.diag([1 / 5.0**2, 1.0])
    precision = design.T @ (weight[:, None] * design) / SIGMA**2 + prior
    mean = np.linalg.solve(precision, design.T @ (weight * y) / SIGMA**2 + prior @ [5.0, 0.0])
    z = np.random.default_rng(7).multivariate_normal(mean, np.linalg.inv(precision), (4, draws // 4))
    energy = np.random.default_rng(8).standard_normal(z.shape[:2])
    stats = {"steps": np.ones(z.shape[:2], int), "diverging": np.zeros(z.shape[:2], bool)}
    stats |= {"potential": energy, "energy": energy, "accept": np.ones(z.shape[:2])}
    verdict = diagnose(z, mode.problem.split.names(), stats, 8, Gates(rhat=1.1))
    z = z.astype(mode.problem.runs.target.dtype)
    return Posterior(mode, z, stats, np.ones(4), verdict, "exact", (0,) * 4, 0, {})


@pytest.fixture(scope="session")
def exact() -> Callable[..., Posterior]:
    return exact_posterior
