"""The workload: 240 reconstructed Chinchilla runs (Besiroglu et al. 2024), or a simulated study of that size."""

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# Hoffmann et al. 2022, approach 3, as ln A, ln B, ln E, alpha, beta: where the published bootstrap starts.
HOFFMANN = np.array([6.0073404, 6.0179186, 0.5267228, 0.33917084, 0.2849083])
# Besiroglu et al. 2024: the replication's headline fit, and its printed bootstrap standard errors (4,000 draws).
BESIROGLU = np.array([6.17796, 7.64273, 0.59711, 0.34781, 0.36585])
PUBLISHED_SE = {"A": 124.5, "B": 1293.3, "E": 0.026, "alpha": 0.0154, "beta": 0.0206}
DRAWS = 4000


@dataclass(frozen=True)
class Workload:
    """N, D and loss of shape (n,), float64, and where they come from."""

    N: np.ndarray
    D: np.ndarray
    loss: np.ndarray
    label: str

    def write(self, path: Path) -> Path:
        """As a table `N,D,loss` with all digits, for scripts that run in another environment."""
        with path.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["N", "D", "loss"])
            writer.writerows((repr(float(n)), repr(float(d)), repr(float(x))) for n, d, x in self.rows())
        return path

    def rows(self) -> list[tuple[float, float, float]]:
        return list(zip(self.N, self.D, self.loss, strict=True))

    def runs(self):
        from jaxscale import Runs

        return Runs.of({"N": self.N, "D": self.D}, self.loss)


def workload() -> Workload:
    """The published runs where `JAXSCALE_DATA_DIR` holds them; otherwise a simulated study, labelled as such."""
    folder = os.environ.get("JAXSCALE_DATA_DIR")
    path = Path(folder) / "chinchilla_besiroglu" / "data.csv" if folder else None
    if path is None or not path.is_file():
        return simulated(240)
    with path.open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if float(row["excluded_in_paper"]) == 0]
    N, D, loss = (np.array([float(row[name]) for row in rows]) for name in ("params", "tokens", "loss"))
    return Workload(N, D, loss, "chinchilla_besiroglu, 240 runs")


def simulated(n: int, seed: int = 0, noise: float = 0.005) -> Workload:
    """`n` runs of the replication's law at random sizes over its ranges, with log-normal noise."""
    random = np.random.default_rng(seed)
    N = np.exp(random.uniform(np.log(5.7e7), np.log(1.6e10), n))
    D = np.exp(random.uniform(np.log(1e9), np.log(3e11), n))
    a, b, e, alpha, beta = BESIROGLU
    clean = np.exp(e) + np.exp(a - alpha * np.log(N)) + np.exp(b - beta * np.log(D))
    return Workload(N, D, clean * np.exp(noise * random.standard_normal(n)), f"simulated, {n} runs")


def optimal_params(A: float, B: float, alpha: float, beta: float, C: float = 1e24) -> float:
    """Compute-optimal N at C = 6ND of a Chinchilla law: what a fit's error does to the decision."""
    return float((alpha * A / (beta * B)) ** (1 / (alpha + beta)) * (C / 6) ** (beta / (alpha + beta)))
