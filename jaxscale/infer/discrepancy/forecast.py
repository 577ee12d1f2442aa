r"""Forecasts with what the law leaves out, in closed form: everything is Gaussian given the amplitude.

In the law's tangent the log losses are $J \, d\theta + a F \xi + \epsilon$, with $d\theta$ of the declared priors to
second order and standard normal coefficients $\xi$ of the process: a linear regression for every amplitude. The
amplitudes are quantiles of their prior, weighed by their evidence: so the runs speak twice, through the prior that
their misses made, as one origin, and as data. `discrepancy_model` is the same posterior without the tangent, for
NumPyro.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import jax
import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.special import ndtri

from jaxscale.core.errors import BadInput
from jaxscale.core.ranges import SEED, checked, many
from jaxscale.core.scale import decades_beyond
from jaxscale.infer.backtest.guard import FARTHEST, wild_at
from jaxscale.infer.discrepancy.learn import Basis, Discrepancy, basis
from jaxscale.infer.fit.fit import Fit
from jaxscale.infer.local.linearised import Linear, Tangent, likelihood_of, linear, tangent
from jaxscale.objectives.likelihood import Likelihood

_AMPLITUDES = 48  # quantiles that stand for the prior of the amplitude


@dataclass(frozen=True)
class DiscrepancyForecast:
    """Draws of the log loss at m points in three parts that add up, each of shape (draws, m).

    - `inputs`: by name, shape (m,). `decades`: how far each point lies beyond the runs; 0 inside.
    - `law`: under the parameters that the runs allow. `discrepancy`: what the law leaves out. `noise`: of one run.
    - `doubts`: why the law is not to be believed at some of the points, as sentences.
    """

    inputs: Mapping[str, np.ndarray]
    decades: np.ndarray
    law: np.ndarray
    discrepancy: np.ndarray
    noise: np.ndarray
    doubts: tuple[str, ...] = ()

    @property
    def total(self) -> np.ndarray:
        """Losses of new runs, shape (draws, m)."""
        return np.exp(self.law + self.discrepancy + self.noise)

    @property
    def point(self) -> np.ndarray:
        """Median without the noise of a run, shape (m,)."""
        return np.exp(np.median(self.law + self.discrepancy, axis=0))

    @property
    def spread(self) -> dict[str, np.ndarray]:
        """Relative standard deviation by part, shape (m,) each. Parameters and discrepancy may correlate."""
        return {name: np.std(getattr(self, name), axis=0) for name in ("law", "discrepancy", "noise")}

    def interval(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Ends of the central band of the total, shape (m,) each. Raises `BadInput` on a level outside (0, 1)."""
        if not 0 < level < 1:
            raise BadInput(f"discrepancy: expected a level between 0 and 1, got {level:g}; write 0.9 for 90 %")
        low, high = np.quantile(self.total, [0.5 - level / 2, 0.5 + level / 2], axis=0)
        return low, high


@checked
def forecast_with_discrepancy(
    fit: Fit,
    discrepancy: Discrepancy,
    inputs: Mapping[str, Any],
    *,
    draws: Annotated[int, many(1, like="4000")] = 4000,
    seed: Annotated[int, SEED] = 0,
    allow_far: bool = False,
) -> DiscrepancyForecast:
    """The forecast of `fit`'s law at `inputs`, which broadcast, with its discrepancy conditioned on the runs.

    `fit` is best a posterior's mode, `fit(..., prior=True)`: where a penalty's optimum puts a parameter on an edge of
    its support, the tangent does not see the prior that would keep it off.
    Raises `BadInput` where `forecast` and `learn_discrepancy` do, and beyond two decades unless `allow_far`.
    """
    points = fit.points(inputs)
    decades = decades_beyond(fit.runs, points)
    if not decades.max() <= FARTHEST and not allow_far:
        raise BadInput(
            f"discrepancy: a point lies {decades.max():.1f} decades beyond the runs, where a process learnt inside "
            "them no longer grows; ask for nearer points, add larger runs, or pass `allow_far=True`"
        )
    wild = wild_at(fit, points)
    there = linear(fit, points)
    known = basis(tangent(fit), discrepancy.lengths)
    rng = np.random.default_rng(seed)
    states = drawn(known, discrepancy, draws, rng)
    return DiscrepancyForecast(
        points,
        decades,
        there.centre + states.moved @ there.jacobian.T,
        states.deviation(known, there, rng),
        known.law.noise * _scattered(likelihood_of(fit), (draws, len(there.centre)), rng),
        (f"The law is not believed here: {wild}.",) if wild else (),
    )


class States(NamedTuple):
    """Draws of the law's coordinates about the optimum (s, p), of the amplitude (s,), of the coefficients (s, r)."""

    moved: np.ndarray
    amplitude: np.ndarray
    coefficients: np.ndarray

    def deviation(self, known: Basis, points: Linear, rng: np.random.Generator) -> np.ndarray:
        """The process at m new points for every draw, shape (s, m)."""
        same, new = known.at(points)
        fresh = rng.standard_normal((len(self.amplitude), len(new)))
        return self.amplitude[:, None] * (self.coefficients @ same.T + fresh @ new.T)


def drawn(known: Basis, discrepancy: Discrepancy, draws: int, rng: np.random.Generator) -> States:
    """The joint posterior in the tangent."""
    levels = (np.arange(_AMPLITUDES) + 0.5) / _AMPLITUDES
    amplitudes = discrepancy.amplitude.median * np.exp(discrepancy.amplitude.sigma * ndtri(levels))
    found = [regressed(known.law, a * known.factor) for a in amplitudes]
    evidence = np.array([one.evidence for one in found])
    share = np.exp(evidence - evidence.max())
    which = rng.choice(_AMPLITUDES, draws, p=share / share.sum())
    state = np.empty((draws, len(found[0].mean)))
    for k in np.unique(which):
        rows = which == k
        normal = rng.standard_normal((state.shape[1], rows.sum()))
        state[rows] = found[k].mean + solve_triangular(found[k].root, normal, lower=True, trans=1).T
    p = known.law.jacobian.shape[1]
    return States(state[:, :p], amplitudes[which], state[:, p:])


class Regressed(NamedTuple):
    """Mean of (d theta, xi), the lower root of its precision, and the log evidence up to a constant."""

    mean: np.ndarray
    root: np.ndarray
    evidence: float


def regressed(law: Tangent, factor: np.ndarray) -> Regressed:
    """The residuals of a law's tangent on its parameters and on the columns of `factor` (n, r)."""
    p = law.jacobian.shape[1]
    design = np.concatenate([law.jacobian, factor], axis=1)
    precision = design.T @ (design / law.variance[:, None]) + np.diag(np.r_[np.zeros(p), np.ones(factor.shape[1])])
    precision[:p, :p] += law.precision
    pulled = design.T @ (law.residual / law.variance)
    pulled[:p] += law.pull
    root = cholesky(precision, lower=True)
    mean = cho_solve((root, True), pulled)
    return Regressed(mean, root, float(0.5 * pulled @ mean - np.sum(np.log(np.diag(root)))))


def _scattered(likelihood: Likelihood, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Noise of unit scale: one sample of the density, shuffled for every point, so that one program serves them all."""
    key = jax.random.key(int(rng.integers(2**31)))
    sample = likelihood.density.sample(key, shape[:1], jax.dtypes.canonicalize_dtype(float))
    return rng.permuted(np.broadcast_to(np.asarray(sample, np.float64)[:, None], shape), axis=0)
