"""A law linear in its parameters, for which every answer has a closed form, and fits of it shared by the tests."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw
from jaxscale.core.parametric import param
from jaxscale.core.runs import Runs
from jaxscale.infer.fit import Fit, fit
from jaxscale.objectives.likelihood import gaussian
from jaxscale.objectives.penalty import raw_least_squares
from jaxscale.objectives.residual import RawResidual


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
