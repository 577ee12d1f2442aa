"""Theirs: two packages in environments of their own, and the customary SciPy fit. All get the same runs.

- simple-scaling-laws 0.2.0 with its default law (the Chinchilla form), and with its coupled law (Videau et al.'s
  Skaling, which is our `Nested`); 400 draws of its wild bootstrap, the band of a new run, its median as the point.
- chinchilla 0.2.0: BFGS from 3^5 starts on its log-Huber loss with width 1e-3; the ranges are those of its readme, but
  for the floor, whose logarithm starts from -1 to 1 as our losses have several units. It has no band.
- SciPy: Huber(1e-3) of log losses, summed, L-BFGS-B with gradients, from the 60 best of the 4,500 starts of Hoffmann et
  al. 2022 (approach 3), on the sum divided by the width so that absolute tolerances do not stop it; 100 bootstraps of
  runs from the optimum, percentiles of the forecast with a residual of the fit added.

A point is a run of its own to both packages, which know no others with several points.
"""

import itertools
import json
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from benchmarks.forecast.scores import LEVELS, Answer, Failed, central
from benchmarks.forecast.splits import Split
from benchmarks.peers import call
from benchmarks.recipe import DELTA, HuberSum
from benchmarks.workload import Workload

_PACKAGE_DRAWS, _SCIPY_DRAWS = 400, 100
_STARTS = 3  # of the package chinchilla, per parameter
_REFINED = 60
_GRID = (  # ln A, ln B, ln E, alpha, beta
    np.arange(0, 26, 5),
    np.arange(0, 26, 5),
    np.arange(-1, 1.1, 0.5),
    np.arange(0, 2.1, 0.5),
    np.arange(0, 2.1, 0.5),
)


def simple_scaling_laws(law: str, split: Split) -> Answer:
    """The package's forecast with one of its laws."""
    found = _called("simple_scaling_laws_forecast", split, law=law, draws=_PACKAGE_DRAWS, levels=LEVELS)
    ends = {float(level): (np.array(low), np.array(high)) for level, (low, high) in found["ends"].items()}
    return _finite(Answer(np.array(found["point"]), ends, about=found["about"]))


def chinchilla(split: Split) -> Answer:
    """The package's forecast, without a band."""
    found = _called("chinchilla_forecast", split, starts=_STARTS)
    return _finite(Answer(np.array(found["point"]), about=found["about"]))


def scipy(split: Split) -> Answer:
    """The Chinchilla form by SciPy, with a percentile bootstrap."""
    study, inputs = split.fitted, split.inputs
    data = Workload(study.columns["N"], study.columns["D"], study.columns["loss"], split.name)
    with np.errstate(all="ignore"):  # a wild line search may overflow; it is then rejected
        objective = HuberSum(data)
        grid = np.array(list(itertools.product(*_GRID)), float)
        value = np.array([objective.value(start) for start in grid])
        refined = [_solve(objective, grid[i]) for i in np.argsort(value, kind="stable")[:_REFINED]]
        point = min(refined, key=lambda found: found.fun).x
        random = np.random.default_rng(0)
        logs = np.array(
            [_log_loss(x, inputs["N"], inputs["D"]) for x in _bootstrap(study.cluster, data, point, random)]
        )
        residual = np.log(data.loss) - _log_loss(point, data.N, data.D)
        forecast = np.exp(_log_loss(point, inputs["N"], inputs["D"]))
    logs = logs + random.choice(residual, logs.shape)
    ends = {level: (np.exp(low), np.exp(high)) for level, (low, high) in central(logs).items()}
    return _finite(Answer(forecast, ends, about={"parameters": point.tolist()}))


PEERS: Mapping[str, Callable[[Split], Answer]] = {
    "simple-scaling-laws": partial(simple_scaling_laws, "separable-power"),
    "simple-scaling-laws Skaling": partial(simple_scaling_laws, "skaling-joint-power"),
    "chinchilla": chinchilla,
    "SciPy": scipy,
}


def _bootstrap(cluster: np.ndarray, data: Workload, start: np.ndarray, random: np.random.Generator) -> list[np.ndarray]:
    runs = cluster.max() + 1
    found = []
    for _ in range(_SCIPY_DRAWS):
        weight = np.bincount(random.integers(0, runs, runs), minlength=runs)[cluster].astype(float)
        found.append(_solve(HuberSum(data, weight), start).x)
    return found


def _solve(objective: HuberSum, start: np.ndarray) -> OptimizeResult:
    return minimize(
        lambda p: objective.value(p) / DELTA, start, jac=lambda p: objective.gradient(p) / DELTA, method="L-BFGS-B"
    )


def _log_loss(p: np.ndarray, N: np.ndarray, D: np.ndarray) -> np.ndarray:
    terms = np.array([np.full(N.shape, p[2]), p[0] - p[3] * np.log(N), p[1] - p[4] * np.log(D)])
    return np.logaddexp.reduce(terms, axis=0)


def _called(script: str, split: Split, **settings: object) -> dict:
    given = {name: split.fitted.columns[name].tolist() for name in ("N", "D", "loss")}
    given |= {f"held_{name}": x.tolist() for name, x in split.inputs.items()} | settings
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "split.json"
        path.write_text(json.dumps(given))
        try:
            return call(script, str(path))
        except RuntimeError as error:  # its own exit status and words: a peer that fails is a result
            raise Failed(f"{error}".strip().splitlines()[-1]) from error


def _finite(answer: Answer) -> Answer:
    numbers = [answer.point, *(end for ends in answer.ends.values() for end in ends)]
    if not all(np.isfinite(x).all() for x in numbers):
        raise Failed("its forecast is not a finite number")
    return answer
