"""The published bootstrap as a baseline: one `scipy.optimize.minimize(method="BFGS")` per resample.

Besiroglu et al. 2024 (epoch-research/analyzing-chinchilla), as read from a third party's port of their
notebook (its bootstrap cell itself was not read), resample 240 runs 4,000 times with NumPy's seed 42 and minimise
the sum of Huber(1e-3) over (ln A, ln B, ln E, alpha, beta) from Hoffmann's estimate, with
gradients from autograd and BFGS at its default tolerance. Here: the same in NumPy with a gradient by hand
(the fastest that loop can be), and with SciPy's finite differences; `peer_scripts/autograd_recipe.py` has
autograd itself.
"""

from typing import Literal

import numpy as np
from scipy.optimize import minimize

from benchmarks.workload import Workload

DELTA = 1e-3
type Gradient = Literal["analytic", "finite differences"]


class HuberSum:
    r"""$\sum_i w_i\,\mathrm{Huber}_\delta(\ln L_i - \ln \hat L_i)$ and its gradient, in float64."""

    def __init__(self, data: Workload, weight: np.ndarray | None = None) -> None:
        self.log_n, self.log_d, self.log_loss = np.log(data.N), np.log(data.D), np.log(data.loss)
        self.weight = np.ones_like(self.log_loss) if weight is None else weight

    def resampled(self, rows: np.ndarray) -> "HuberSum":
        """The objective on the given rows, as the recipe resamples: by indexing."""
        new = object.__new__(HuberSum)
        new.log_n, new.log_d, new.log_loss = self.log_n[rows], self.log_d[rows], self.log_loss[rows]
        new.weight = self.weight[rows]
        return new

    def _terms(self, p: np.ndarray) -> tuple[np.ndarray, ...]:
        size = np.exp(p[0] - p[3] * self.log_n)
        data = np.exp(p[1] - p[4] * self.log_d)
        total = size + data + np.exp(p[2])
        return self.log_loss - np.log(total), size / total, data / total, np.exp(p[2]) / total

    def value(self, p: np.ndarray) -> float:
        residual, *_ = self._terms(p)
        far = np.abs(residual)
        return float(np.sum(self.weight * np.where(far <= DELTA, 0.5 * residual**2, DELTA * (far - 0.5 * DELTA))))

    def gradient(self, p: np.ndarray) -> np.ndarray:
        residual, size, data, floor = self._terms(p)
        slope = -self.weight * np.clip(residual, -DELTA, DELTA)
        return np.array([
            slope @ size, slope @ data, slope @ floor, -(slope * size) @ self.log_n, -(slope * data) @ self.log_d
        ])  # fmt: skip


def resamples(n: int, count: int, seed: int = 42) -> np.ndarray:
    """Row numbers of shape (count, n): NumPy's legacy generator and seed, as in the port; row order may differ."""
    random = np.random.RandomState(seed)
    return np.stack([random.choice(n, size=n, replace=True) for _ in range(count)])


def bootstrap(
    data: Workload, start: np.ndarray, rows: np.ndarray, gradient: Gradient = "analytic"
) -> tuple[np.ndarray, np.ndarray]:
    """The recipe on the given resamples: parameters (m, 5) and objective values (m,), as BFGS left them."""
    objective = HuberSum(data)
    points, values = [], []
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for drawn in rows:
            one = objective.resampled(drawn)
            jac = one.gradient if gradient == "analytic" else None
            found = minimize(one.value, start, jac=jac, method="BFGS")
            points.append(found.x)
            values.append(found.fun)
    return np.stack(points), np.array(values)


def best_of(objective: HuberSum, centre: np.ndarray, starts: int, seed: int) -> float:
    """The least value of `starts` tight BFGS solves from `centre`, Hoffmann-like spread around it."""
    random = np.random.default_rng(seed)
    spread = np.array([0.5, 1.0, 0.05, 0.03, 0.04])
    least = np.inf
    for i in range(starts):
        start = centre + (i > 0) * spread * random.standard_normal(5)
        for _ in range(3):  # BFGS loses its curvature to rounding: restart it where it stopped
            with np.errstate(all="ignore"):  # a wild line search may overflow; it is then rejected
                found = minimize(
                    lambda p: objective.value(p) / DELTA**2,
                    start,
                    jac=lambda p: objective.gradient(p) / DELTA**2,
                    method="BFGS",
                    options={"gtol": 1e-9},
                )
            start = found.x
        least = min(least, found.fun * DELTA**2)
    return least
