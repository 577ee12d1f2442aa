"""Identifiability: whether the runs determine the parameters, and along which ridge they do not."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import ArrayLike

from jaxscale.core.law import signature
from jaxscale.infer.search.problem import FitProblem
from jaxscale.solve.chart import on_host

RIDGE_CONDITION = 1e3
EDGE = 1e-3  # of a penalty unit: a parameter whose e-fold moves no output by more has vanished
_LINE = np.log(1.5)  # a design whose points lie within this factor of one line in log inputs is on that line


@dataclass(frozen=True)
class Identifiability:
    """Conditioning of the fit and shape of the design.

    - `condition`: of the Jacobian of the outputs with unit columns (parameters on an edge left out).
    - `ridge`: the direction the runs determine least, as weights by parameter name, unit length, largest first.
    - `lines`: sentences about pairs of inputs that move together.
    """

    condition: float
    ridge: dict[str, float]
    lines: tuple[str, ...]

    def remarks(self) -> tuple[str, ...]:
        """Warnings, as sentences."""
        found = list(self.lines)
        if self.condition > RIDGE_CONDITION or self.lines:
            along = ", ".join(f"{name} {weight:+.2f}" for name, weight in self.ridge.items() if abs(weight) >= 0.1)
            found.append(
                f"Ridge: the runs barely determine the direction ({along}) of the logarithms of the parameters "
                f"(condition {self.condition:.0f}); do not read these one by one, and add runs off the line or fix one."
            )
        return tuple(found)


def vanished(problem: FitProblem, jacobian: Any) -> Any:
    """Which coordinates lie on the edge of their support, shape (p,): an e-fold changes no output noticeably."""
    xp, jacobian, weight = on_host(jacobian, problem.runs.weight)
    return xp.max(xp.where(weight[:, None, None] > 0, xp.abs(jacobian), 0), axis=(0, 1)) < EDGE


def identify(
    problem: FitProblem, jacobian: np.ndarray, on_edge: tuple[str, ...] = (), prior: ArrayLike | None = None
) -> Identifiability:
    """Look at the outputs' Jacobian at the problem's template, and at its design.

    A `prior`'s curvature, of shape (p, p), counts as further rows.
    """
    names = problem.split.names()
    inside = [i for i, name in enumerate(names) if name not in on_edge]
    weight = np.asarray(problem.runs.weight, np.float64)
    used = weight > 0
    jacobian = (jacobian[used] * np.sqrt(weight[used])[:, None, None]).reshape(-1, len(names))
    if prior is not None:
        eigenvalues, vectors = np.linalg.eigh(np.asarray(prior, np.float64))
        jacobian = np.concatenate([jacobian, np.sqrt(np.maximum(eigenvalues, 0))[:, None] * vectors.T])
    jacobian = jacobian[:, inside]
    size = np.linalg.norm(jacobian, axis=0)
    size = np.where(size > 0, size, 1.0)
    if jacobian.size == 0 or not np.all(np.isfinite(jacobian)):
        return Identifiability(float("inf"), {}, ())
    _, singular, rotation = np.linalg.svd(jacobian / size, full_matrices=False)
    weakest = rotation[-1] / size
    weakest = weakest / np.linalg.norm(weakest)
    weakest = weakest * np.sign(weakest[np.argmax(np.abs(weakest))])
    order = np.argsort(-np.abs(weakest))
    ridge = {names[inside[i]]: float(weakest[i]) for i in order}
    return Identifiability(float(singular[0] / max(singular[-1], 1e-300)), ridge, _lines(problem))


def _lines(problem: FitProblem) -> tuple[str, ...]:
    """Pairs of inputs that lie on one line in logarithms: a ray (slope 1, fixed ratio) or a frontier."""
    runs, used = problem.runs, np.asarray(problem.runs.weight) > 0
    quantities = signature(problem.template.law).inputs
    columns = runs.columns
    named = [n for n in quantities if n in columns and quantities[n].positive]
    names = [n for n in named if np.all(np.asarray(columns[n])[used] > 0)]  # zero is on no line in logarithms
    found = []
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            x, y = (np.log(np.asarray(columns[n], np.float64)[used]) for n in (first, second))
            if np.ptp(x) < _LINE or np.ptp(y) < _LINE:
                flat = first if np.ptp(x) < _LINE else second
                found.append(f"Design: {flat} hardly varies; its exponent is not determined. Add runs at other {flat}.")
                continue
            slope, offset = np.polyfit(x, y, 1)
            # An input of little range is never far from a line; a quarter of its range is.
            if np.max(np.abs(y - slope * x - offset)) > min(_LINE, np.ptp(y) / 4):
                continue
            if abs(slope - 1) < 0.1:
                ratio = np.exp(np.mean(y - x))
                found.append(
                    f"Design: every run lies on the ray {second} = {ratio:.3g} {first}; the terms in {first} and "
                    f"{second} cannot be told apart. Add two runs at a quite different {second}/{first}."
                )
            else:
                found.append(
                    f"Design: every run lies on one curve {second} ~ {first}^{slope:.2f} (a compute frontier?); the "
                    f"terms in {first} and {second} cannot be told apart. Add two runs off it."
                )
    return tuple(found)
