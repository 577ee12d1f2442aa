"""Accuracy beside the seconds: lanes against tight SciPy solves, standard errors against the published ones."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import recipe
from benchmarks.workload import BESIROGLU, PUBLISHED_SE, Workload
from jaxscale.core.ensemble import Ensemble
from jaxscale.core.evaluate import predict
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.resample.schemes import Pairs
from jaxscale.infer.search.units import units

NAMES = ("A", "B", "E", "alpha", "beta")


def weights(fitted: Fit, key: int, draws: np.ndarray) -> np.ndarray:
    """The pair weights of the given draws of `bootstrap(fitted, n, key=key)`, shape (draws, runs)."""
    problem = fitted.problem
    drawn, base = units(problem.runs), jax.random.key(key)
    prediction = predict(problem.template.law, problem.runs)

    def one(i: jax.Array) -> jax.Array:
        return Pairs()(jax.random.fold_in(base, i), problem.runs, prediction, drawn, None).weight

    return np.asarray(jax.vmap(one)(jnp.asarray(draws)))[:, : fitted.count]


def lanes(
    fitted: Fit, ensemble: Ensemble, data: Workload, key: int, sample: int = 50, starts: int = 10
) -> dict[str, Any]:
    """Relative excess of each lane's objective over the best of `starts` tight BFGS solves, on a sample of lanes.

    Negative where the lane lies below every one of them.
    """
    chosen = np.unique(np.linspace(0, ensemble.size - 1, sample).astype(int))
    excess = []
    for i, weight in zip(chosen, weights(fitted, key, chosen), strict=True):
        objective = recipe.HuberSum(data, weight)
        p = {name: float(value[i]) for name, value in ensemble.params().items()}
        ours = objective.value(np.array([np.log(p["A"]), np.log(p["B"]), np.log(p["E"]), p["alpha"], p["beta"]]))
        excess.append(ours / recipe.best_of(objective, BESIROGLU, starts, int(i)) - 1)
    return {"lanes": len(chosen), "starts": starts, "worst": max(excess), "median": float(np.median(excess))}


def spread(draws: np.ndarray) -> tuple[float, float]:
    r"""Standard deviation of draws and its Monte-Carlo error, $s\sqrt{(\kappa - 1)/(4m)}$ with kurtosis κ."""
    centred = draws - np.mean(draws)
    variance = np.mean(centred**2)
    kurtosis = np.mean(centred**4) / variance**2
    sd = float(np.std(draws, ddof=1))
    return sd, float(sd * np.sqrt((kurtosis - 1) / (4 * len(draws))))


def errors(params: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Standard errors with their Monte-Carlo errors, and the distance from the published ones in such errors.

    The published side's error is taken to be the same: it has as many draws of the same quantity.
    """
    table = {}
    for name in NAMES:
        sd, noise = spread(params[name])
        away = (sd - PUBLISHED_SE[name]) / (np.sqrt(2) * noise)
        table[name] = {"se": sd, "mc": noise, "published": PUBLISHED_SE[name], "distance": float(away)}
    return table


def natural(points: np.ndarray) -> dict[str, np.ndarray]:
    """(m, 5) points of the recipe by parameter name, A, B, E out of logarithms."""
    return {"A": np.exp(points[:, 0]), "B": np.exp(points[:, 1]), "E": np.exp(points[:, 2]),
            "alpha": points[:, 3], "beta": points[:, 4]}  # fmt: skip
