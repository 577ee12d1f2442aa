r"""Profile likelihood: intervals that follow the ridge instead of its tangent.

$F_p(c) = \min_z F(z)$ subject to $g(z) = c$, for a parameter or any function g of the law. In whitened
coordinates y = s e + Q t, with e along the gradient of g at the optimum, the constraint gives s for every t,
so that the rest is an unconstrained problem in t for the same solver as a fit, warm-started outwards.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxscale.core.errors import BadInput
from jaxscale.core.results import RESULTS
from jaxscale.infer.covariance import determined, dispersion
from jaxscale.infer.fit import Fit
from jaxscale.infer.functional import Functional, functional
from jaxscale.infer.problem import FitProblem
from jaxscale.infer.resample import units
from jaxscale.objectives.likelihood import Likelihood
from jaxscale.solve.chart import Chart
from jaxscale.solve.gauss_newton import GaussNewton, minimise
from jaxscale.solve.problem import AbstractView, Split, Vector

_ROOT_STEPS = 50
_GROWTH = 1.3  # of the walk's steps beyond where a parabola would have crossed
_MOST = 40  # such steps: then the side counts as not bounded
_FLAT = 1e-6  # share of the threshold: a deviance that rises by less in each of two steps has reached its limit


@dataclass(frozen=True)
class Profile:
    """The profile of one quantity.

    - `values`, `deviance`: shape (m,), rising in `values`; the optimum, of deviance 0, is among them.
    - `interval`: where the deviance crosses `threshold`; None where it never does: not bounded on that side.
    - `closed`: whether the lower and the upper end were found.
    - `notes`: what went wrong, as sentences.
    """

    name: str
    level: float
    values: np.ndarray
    deviance: np.ndarray
    threshold: float
    interval: tuple[float | None, float | None]
    closed: tuple[bool, bool]
    notes: tuple[str, ...] = ()

    def remarks(self) -> tuple[str, ...]:
        """What a reader must know, as sentences."""
        sides = [side for side, shut in zip(("below", "above"), self.closed, strict=True) if not shut]
        found = f"{self.name} is not bounded {' nor '.join(sides)} at level {self.level:g} by these runs."
        return ((found,) if sides else ()) + self.notes


class _Slice(AbstractView[FitProblem]):
    """The fit's problem on the surface of constant g, as a problem in t. The context is (c, s to start from)."""

    chart: Chart
    of: Functional
    along: Float[Array, " p"]
    across: Float[Array, "p q"]

    def inner_context(self, context: Any) -> None:
        return None

    def point(self, z: Vector, context: tuple[Array, Array]) -> Vector:
        """The point of coordinates t = z on the surface, differentiable by the implicit function theorem."""
        t, (c, start) = z, context

        def gap(s: Array) -> Array:
            return self.of(self.inner, self.chart(s * self.along + self.across @ t)) - c

        def newton(gap: Callable[[Array], Array], s: Array) -> Array:
            eps = 4 * jnp.finfo(s.dtype).eps

            def unfinished(carry: tuple[Array, Array, Array]) -> Array:
                i, s, move = carry
                return (i < _ROOT_STEPS) & (jnp.abs(move) > eps * jnp.maximum(jnp.abs(s), 1))

            def step(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
                i, s, _ = carry
                value, slope = jax.value_and_grad(gap)(s)
                # At most two standard deviations at a time: g may curve.
                move = jnp.clip(-value / slope, -2, 2)
                return i + 1, s + move, move

            return jax.lax.while_loop(unfinished, step, (jnp.asarray(0), s, jnp.full_like(s, jnp.inf)))[1]

        s = jax.lax.custom_root(gap, start, newton, lambda linear, y: y / linear(jnp.ones_like(y)))
        return self.chart(s * self.along + self.across @ t)


def profile(
    fit: Fit,
    of: str | Callable[[Any], Array],
    *,
    level: float = 0.9,
    points: int = 8,
) -> Profile:
    r"""Profile `fit` over one quantity and find its interval.

    **Arguments:**

    - `of`: a parameter's name as in `fit.problem.split.names()` (`alpha`, `E[0]`, `objective.noise.sigma`), or a
      function of the law to a scalar, such as `lambda law: law.compute_optimal(1e24)[0]`.
    - `level`: of the interval.
    - `points`: on each side, where the profile is a parabola; more where the interval reaches further.

    The deviance is $2 (F_p - F)$, divided for a penalty by its estimated scale (`covariance.dispersion`). The
    threshold is the $\chi^2_1$ quantile for a likelihood and, as the scale is estimated, the squared Student
    quantile with n - p degrees of freedom for a penalty: exact for a linear law with Gaussian noise. Runs count as
    independent. Raises `BadInput` on an unknown name or a fit that is no local optimum.
    """
    if not 0 < level < 1:
        raise BadInput(f"profile: expected a level between 0 and 1, got {level}; 0.9 is usual")
    if not fit.certificate.is_local_optimum:
        raise BadInput(f"profile: expected a fit at a local optimum; {' '.join(fit.certificate.remarks())}")
    known = functional(fit.problem, of)
    if of in fit.certificate.on_edge:
        raise BadInput(
            f"profile: {of} vanished at the optimum, on the edge of its support; fix it there, or fit a law without it"
        )
    walk = _Walk(fit, known, level, max(2, points))
    sides = [walk.side(-1.0), walk.side(1.0)]
    at = sorted([(walk.centre, 0.0), *sides[0].seen, *sides[1].seen])
    ends = [side.end for side in sides]
    reported = [None if end is None else float(known.value_of(end)) for end in ends]
    values = np.array([float(known.value_of(c)) for c, _ in at])
    order = np.argsort(values, kind="stable")
    lower, upper = reported
    return Profile(
        name=known.name,
        level=level,
        values=values[order],
        deviance=np.array([d for _, d in at])[order],
        threshold=walk.threshold,
        interval=(lower, upper),
        closed=(lower is not None, upper is not None),
        notes=tuple(dict.fromkeys(note for side in sides for note in side.notes)) + walk.notes(),
    )


@dataclass
class _Side:
    """One side of a walk: coordinates and deviances seen, where the threshold is crossed, remarks."""

    seen: list[tuple[float, float]]
    end: float | None
    notes: list[str]


class _Walk:
    """Warm-started solves outwards from the optimum."""

    def __init__(self, fit: Fit, of: Functional, level: float, points: int) -> None:
        problem, chart = _inside(fit)
        self.of, self.points = of, points
        self.dispersion = dispersion(fit)
        self.settings = GaussNewton(rtol=fit.settings.rtol)
        centre, gradient = _look(problem, chart, of)
        slope = np.asarray(gradient, np.float64)
        size = float(np.linalg.norm(slope))
        if not (np.isfinite(size) and size > 0 and np.isfinite(float(centre))):
            raise BadInput(f"profile: {of.name} does not change with the free parameters of this fit; profile another")
        self.centre, self.dtype = float(centre), problem.runs.target.dtype
        # A full QR of the gradient: its first column is e, the others span the rest.
        basis = np.linalg.qr(slope[:, None], mode="complete")[0]
        basis[:, 0] = slope / size
        along, across = (jnp.asarray(part, self.dtype) for part in (basis[:, 0], basis[:, 1:]))
        self.slice = _Slice(problem, chart, of, along, across)
        self.best = float(_value(problem))
        used = np.asarray(problem.runs.weight) > 0
        freedom = max(int(used.sum()) - determined(fit), 1)
        exact = isinstance(fit.objective, Likelihood)
        from scipy.stats import chi2, t  # a second to import, which no other verb needs

        self.threshold = float(chi2.ppf(level, 1) if exact else t.ppf(0.5 + level / 2, freedom) ** 2)
        self.clusters = units(problem.runs).count
        self.rows = int(used.sum())
        # In whitened coordinates F rises by s^2 / 2: the threshold lies near s = sqrt(threshold * dispersion).
        reach = np.sqrt(self.threshold * self.dispersion) / self.points
        self.stride = size * reach if of.cap is None else min(size * reach, of.cap)
        self.slope = size

    def notes(self) -> tuple[str, ...]:
        if self.clusters < self.rows:
            return (
                f"The profile takes {self.rows} rows as independent, but they are {self.clusters} clusters; its "
                "interval is too narrow, use bootstrap(...).",
            )
        return ()

    def solve(self, c: float, s: Array, t: Array) -> tuple[float, int, Array, Array]:
        """Deviance, result code, and the point (s, t) for the next solve."""
        value, code, s, t = _solve(self.slice, jnp.asarray(c, self.dtype), s, t, self.settings)
        return 2 * (float(value) - self.best) / self.dispersion, int(code), s, t

    def side(self, sign: float) -> _Side:
        found = _Side([], None, [])
        c, stride = self.centre, self.stride
        s, t = jnp.zeros((), self.dtype), jnp.zeros(self.slice.across.shape[1], self.dtype)
        deviance, flat = 0.0, 0
        for i in range(self.points + _MOST):
            stride = stride if i < self.points else stride * _GROWTH
            there = c + sign * stride
            new, code, s_new, t_new = self.solve(there, s + jnp.asarray(sign * stride / self.slope, self.dtype), t)
            if code != RESULTS.converged or not np.isfinite(new):
                reached = float(self.of.value_of(c))
                found.notes.append(f"The profile of {self.of.name} ends at {reached:.6g}: {RESULTS(code).sentence}")
                return found
            if new < -1e-6 * max(1.0, abs(self.best) / self.dispersion):
                found.notes.append("The profile found a better optimum than the fit; fit again with more starts.")
                return found
            found.seen.append((there, new))
            if new > self.threshold:
                found.end = self._crossing(c, there, deviance, new, s, t)
                return found
            flat = flat + 1 if abs(new - deviance) < _FLAT * self.threshold else 0
            if flat == 2:  # on into coordinates where rounding would decide
                return found
            c, s, t, deviance = there, s_new, t_new, new
        return found

    def _crossing(self, inner: float, outer: float, low: float, high: float, s: Array, t: Array) -> float:
        """The root of sqrt(deviance) - sqrt(threshold), nearly linear, between two neighbours of the walk."""
        goal = np.sqrt(self.threshold)

        def excess(c: float) -> float:
            if c in (inner, outer):
                return float(np.sqrt(max(low if c == inner else high, 0.0)) - goal)
            shift = jnp.asarray((c - inner) / self.slope, self.dtype)
            return float(np.sqrt(max(self.solve(c, s + shift, t)[0], 0.0)) - goal)

        tolerance = 4 * float(jnp.finfo(self.dtype).eps)
        from scipy.optimize import root_scalar

        found = root_scalar(
            excess, bracket=(inner, outer), method="brentq", xtol=tolerance * self.stride, rtol=tolerance
        )
        return float(found.root)


def _inside(fit: Fit) -> tuple[FitProblem, Chart]:
    """The fit's problem and chart, with parameters that vanished held where they are."""
    edges = set(fit.certificate.on_edge)
    if not edges:
        return fit.problem, fit.chart
    free = tuple(name for name in fit.problem.split.free if name not in edges)
    held = eqx.tree_at(lambda p: p.split, fit.problem, Split(fit.problem.template, free))
    fixed = replace(fit, problem=held)  # a new record, so that its chart is made anew
    return held, fixed.chart


@eqx.filter_jit
def _look(problem: FitProblem, chart: Chart, of: Functional) -> tuple[Array, Array]:
    return jax.value_and_grad(lambda y: of(problem, chart(y)))(jnp.zeros_like(chart.centre))


@eqx.filter_jit
def _value(problem: FitProblem) -> Array:
    return problem.value(problem.split.vector())


@eqx.filter_jit
def _solve(problem: _Slice, c: Array, s: Array, t: Array, settings: GaussNewton) -> tuple[Array, Array, Array, Array]:
    context = (c, s)
    if t.shape[0]:
        lane = minimise(problem, t, settings, context)
        value, code, t = lane.at.value, lane.code, lane.z
    else:  # a single free parameter: the constraint leaves nothing to minimise
        value, code = problem.value(t, context), jnp.asarray(int(RESULTS.converged), jnp.int32)
    z = problem.point(t, context)
    y = jnp.linalg.solve(problem.chart.scale, z - problem.chart.centre)
    return value, code, jnp.vdot(problem.along, y), t
