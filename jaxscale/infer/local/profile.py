r"""Profile likelihood: intervals that follow the ridge instead of its tangent.

$F_p(c) = \min_z F(z)$ subject to $g(z) = c$, for a parameter or any function g of the law. In whitened
coordinates y = s e + Q t, with e along the gradient of g at the optimum, the constraint gives s for every t,
so that the rest is an unconstrained problem in t for the same solver as a fit, warm-started outwards.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxscale.core.errors import BadInput
from jaxscale.core.ranges import FRACTION, checked, many
from jaxscale.core.results import RESULTS
from jaxscale.infer.fit.edges import edge_mask, lifted
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.local.covariance import determined, dispersion
from jaxscale.infer.search.functional import Functional, functional
from jaxscale.infer.search.problem import FitProblem
from jaxscale.infer.search.units import units
from jaxscale.objectives.likelihood import Likelihood
from jaxscale.solve.batch import minimise
from jaxscale.solve.chart import Chart
from jaxscale.solve.gauss_newton import GaussNewton
from jaxscale.solve.problem import AbstractView, Vector

_ROOT_STEPS = 50
_GROWTH = 1.3  # of the walk's steps beyond where a parabola would have crossed
_MOST = 40  # such steps: then the side counts as not bounded
_FELT = 1e-2  # share of the threshold from which a walk off an edge starts
_FLAT = 1e-6  # share of the threshold: a deviance that rises by less in each of two steps has reached its limit


@dataclass(frozen=True)
class Profile:
    """The profile of one quantity.

    - `values`, `deviance`: shape (m,), rising in `values`; the optimum, of deviance 0, is among them.
    - `interval`: where the deviance crosses `threshold`, or the edge of the support where it never does before; None
      where there is neither: not bounded on that side.
    - `closed`: whether the deviance crossed the threshold below and above. An interval that ends on an edge instead is
      one-sided.
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
        found = []
        open_sides = [
            (side, end)
            for side, end, shut in zip(("below", "above"), self.interval, self.closed, strict=True)
            if not shut
        ]
        for side, end in open_sides:
            if end is not None:
                found.append(f"{self.name} reaches the edge of its support {side}, {end:g}: its interval is one-sided.")
        if sides := [side for side, end in open_sides if end is None]:
            found.append(f"{self.name} is not bounded {' nor '.join(sides)} at level {self.level:g} by these runs.")
        return (*found, *self.notes)


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


@checked
def profile(
    fit: Fit,
    of: str | Callable[[Any], Array],
    *,
    level: Annotated[float, FRACTION] = 0.9,
    points: Annotated[int, many(1, like="8")] = 8,
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
    if not fit.certificate.is_local_optimum:
        raise BadInput(f"profile: expected a fit at a local optimum; {' '.join(fit.certificate.remarks())}")
    known = functional(fit.problem, of)
    walk = _Walk(fit, known, level, max(2, points))
    sides = walk.sides(known.name)
    at = sorted([(walk.centre, 0.0), *sides[0].seen, *sides[1].seen])
    lower, upper = (walk.reached(sign, side) for sign, side in zip((-1.0, 1.0), sides, strict=True))
    values = np.array([float(known.value_of(c)) for c, _ in at])
    order = np.argsort(values, kind="stable")
    return Profile(
        name=known.name,
        level=level,
        values=values[order],
        deviance=np.array([d for _, d in at])[order],
        threshold=walk.threshold,
        interval=(lower, upper),
        closed=(sides[0].end is not None, sides[1].end is not None),
        notes=tuple(dict.fromkeys(note for side in sides for note in side.notes)) + walk.notes(),
    )


@dataclass
class _Side:
    """One side of a walk: coordinates and deviances seen, where the threshold is crossed, remarks.

    `flat`: the deviance came to a limit below the threshold.
    """

    seen: list[tuple[float, float]] = field(default_factory=list)
    end: float | None = None
    flat: bool = False
    notes: list[str] = field(default_factory=list)


class _Point(NamedTuple):
    """Where a walk starts: the coordinate, the point (s, t) there, and its deviance."""

    c: float
    s: Array
    t: Array
    deviance: float


class _Walk:
    """Warm-started solves outwards from the optimum."""

    def __init__(self, fit: Fit, of: Functional, level: float, points: int) -> None:
        problem, chart = fit.problem, fit.chart
        self.of, self.points = of, points
        self.dispersion = dispersion(fit)
        # Whatever solver found the optimum: the deviance is a small difference, for which solves must be exact.
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
        # What vanished may come back where g is moved: every solve begins off the edge too.
        self.edge = edge_mask(fit)
        self.lift = lifted(fit) if self.edge.any() else None

    def notes(self) -> tuple[str, ...]:
        if self.clusters < self.rows:
            return (
                f"The profile takes {self.rows} rows as independent, but they are {self.clusters} clusters; its "
                "interval is too narrow, use `bootstrap(fit, 4000)`.",
            )
        return ()

    def solve(self, c: float, s: Array, t: Array) -> tuple[float, int, Array, Array]:
        """Deviance, result code, and the point (s, t) for the next solve."""
        tried = [_solve(self.slice, jnp.asarray(c, self.dtype), *start, self.settings) for start in self._starts(s, t)]
        value, code, s, t = min(tried, key=lambda x: (int(x[1]) != RESULTS.converged, float(x[0])))
        return 2 * (float(value) - self.best) / self.dispersion, int(code), s, t

    def _starts(self, s: Array, t: Array) -> list[tuple[Array, Array]]:
        if self.lift is None:
            return [(s, t)]
        along, across, chart = self.slice.along, self.slice.across, self.slice.chart
        z = np.where(self.edge, self.lift, chart(s * along + across @ t))
        y = jnp.asarray(chart.inverse(z), self.dtype)
        return [(s, t), (jnp.vdot(along, y), across.T @ y)]

    def sides(self, name: str) -> tuple[_Side, _Side]:
        """Below and above the optimum; of a parameter on an edge, from where it is first felt, one of them the edge."""
        s, t = jnp.zeros((), self.dtype), jnp.zeros(self.slice.across.shape[1], self.dtype)
        at = self.edge & (np.array(self.slice.inner.split.names()) == name)
        if self.lift is None or not at.any():
            return self._side(-1.0, _Point(self.centre, s, t, 0.0)), self._side(1.0, _Point(self.centre, s, t, 0.0))
        c = float(self.of(self.slice.inner, jnp.asarray(self.lift, self.dtype)))
        up = 1.0 if c > self.centre else -1.0
        start = self._from(c, s, t)
        while start.deviance > _FELT * self.threshold and abs(start.c - self.centre) > 1:
            start = self._from(start.c - up, s, t)  # nearer by an e-fold
        held, free = _Side(flat=True), self._side(up, start)
        return (held, free) if up > 0 else (free, held)

    def reached(self, sign: float, side: _Side) -> float | None:
        """The value at which a side ends: the crossing, the edge that it ran into, or none."""
        if side.end is not None:
            return self.of.value_of(side.end)
        return self.of.edge(sign) if side.flat else None

    def _from(self, c: float, s: Array, t: Array) -> _Point:
        """The profile at c, looked for from the optimum (s, t)."""
        deviance, _, s, t = self.solve(c, s + jnp.asarray((c - self.centre) / self.slope, self.dtype), t)
        return _Point(c, s, t, deviance)

    def _side(self, sign: float, start: _Point) -> _Side:
        found = _Side()
        c, s, t, deviance = start
        stride, flat = self.stride, 0
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
                found.flat = True
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
