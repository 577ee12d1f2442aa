"""Bootstrap schemes: each turns a key into new weights or new targets, never into data of another shape."""

from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxscale.core.errors import BadInput
from jaxscale.core.runs import Runs
from jaxscale.infer.resample.unit_noise import UnitNoise, unit_noise
from jaxscale.infer.search.problem import FitProblem, Resample
from jaxscale.infer.search.units import Units, independent, units
from jaxscale.objectives.objective import AbstractObjective

SHARE = 0.75  # of own and of pooled variance in a wild draw; chosen by coverage, see benchmarks/small_samples.py


class AbstractScheme(eqx.Module):
    """A bootstrap scheme."""

    def ready(self, problem: FitProblem) -> Self:
        """The scheme for resamples of one fit, with whatever it needs to know of it; for most that is nothing."""
        return self

    def __call__(
        self, key: PRNGKeyArray, runs: Runs, prediction: Float[Array, " n"], drawn: Units, objective: AbstractObjective
    ) -> Resample:
        raise NotImplementedError

    def remarks(self, runs: Runs) -> tuple[str, ...]:
        """What a reader of the intervals must know of the scheme, as sentences."""
        return ()

    @property
    def name(self) -> str:
        return type(self).__name__.lower()


class Pairs(AbstractScheme):
    """Draw as many units as there are, with replacement, within each group (Efron 1979).

    With one row per cluster these are pairs; with run ids as clusters it is the cluster bootstrap.
    """

    def __call__(self, key: PRNGKeyArray, runs: Runs, prediction: Any, drawn: Units, objective: Any) -> Resample:
        uniform = jax.random.uniform(key, drawn.first.shape, runs.weight.dtype)
        offset = jnp.minimum((uniform * drawn.size.astype(uniform.dtype)).astype(jnp.int32), drawn.size - 1)
        counts = jnp.zeros(drawn.first.shape, runs.weight.dtype).at[drawn.first + offset].add(1)
        return Resample(weight=runs.weight * counts[drawn.of_row])


class Bayesian(AbstractScheme):
    """Dirichlet weights on the units (Rubin 1981): no unit ever drops out, which small studies need."""

    def __call__(self, key: PRNGKeyArray, runs: Runs, prediction: Any, drawn: Units, objective: Any) -> Resample:
        share = jax.random.exponential(key, drawn.first.shape, runs.weight.dtype)
        total = jnp.zeros_like(share).at[drawn.first].add(share)[drawn.first]
        return Resample(weight=runs.weight * (share * drawn.size.astype(share.dtype) / total)[drawn.of_row])


class Wild(AbstractScheme):
    r"""Random multiples of residuals corrected for leverage, and of their pooled size (Wu 1986): for few units.

    To the fit's predictions is added $\sqrt{3/4}\,(\tau (a\,r + b\,s) + \tau' c\,s')$: a, b standard normal, one
    per unit; c one per row; r the unit's own residuals, s and s' the pooled sizes of what a unit's rows share and of
    what each has for itself (`UnitNoise`); $\tau$ the root of $\nu/\chi^2_\nu$, one per draw, which makes quantiles of
    draws as wide as those of Student's t. Own residuals are right where noise differs from unit to unit, and hardly
    known where units are few; the pooled ones the other way round. The sum of both, with half as much variance again
    as one has, came nearest to 90 % for 90 % intervals over all kinds of noise (benchmarks/results/calibration.md).
    With more units `Pairs` is better, as noise that differs from unit to unit shows in it.
    """

    noise: UnitNoise | None = None

    def remarks(self, runs: Runs) -> tuple[str, ...]:
        return (
            "Intervals are drawn from residuals, as if noise were much alike from run to run; where it grows with size "
            "they hold too little at the largest runs.",
        )

    def ready(self, problem: FitProblem) -> "Wild":
        return Wild(unit_noise(problem, np.asarray(units(problem.runs).of_row)))

    def __call__(
        self,
        key: PRNGKeyArray,
        runs: Runs,
        prediction: Float[Array, " n"],
        drawn: Units,
        objective: AbstractObjective,
    ) -> Resample:
        return self.apart(key, key, runs, prediction, drawn, objective)

    def apart(
        self,
        key: PRNGKeyArray,
        pooled_key: PRNGKeyArray,
        runs: Runs,
        prediction: Float[Array, " n"],
        drawn: Units,
        objective: AbstractObjective,
    ) -> Resample:
        """A draw whose multiples of pooled sizes have a key of their own.

        Fits of two recipes that share the multiples of own residuals, and not these, differ by what theirs differ by.
        """
        if self.noise is None:
            raise BadInput("wild: expected a scheme that knows a fit's residuals, got a bare one; use .ready(problem)")
        noise, shape, dtype = self.noise, drawn.first.shape, runs.target.dtype
        width, row_width = noise.width(jax.random.uniform(jax.random.fold_in(key, 0), (2,), dtype))
        own = jax.random.normal(jax.random.fold_in(key, 1), shape, dtype)[drawn.of_row]
        normal = jax.random.normal(jax.random.fold_in(pooled_key, 2), (shape[0] + runs.size,), dtype)
        one = width * (noise.own * own + noise.shared * normal[: shape[0]][drawn.of_row])
        each = row_width * noise.row * normal[shape[0] :]
        return Resample(target=objective.residual.target(prediction, SHARE**0.5 * (one + each)))


class Parametric(AbstractScheme):
    """New targets from the fitted law and the objective's noise model, which is one of independent rows."""

    def remarks(self, runs: Runs) -> tuple[str, ...]:
        rows, count = int(np.sum(np.asarray(runs.weight) > 0)), units(runs).count
        if count == rows:
            return ()
        return (
            f"Not used: which run a row belongs to. Parametric resamples draw the noise of {rows} rows one by one, "
            f"though they are of {count} runs; intervals are too narrow where rows of a run share its noise: use "
            "pairs, bayesian or wild.",
        )

    def __call__(
        self,
        key: PRNGKeyArray,
        runs: Runs,
        prediction: Float[Array, " n"],
        drawn: Units,
        objective: AbstractObjective,
    ) -> Resample:
        return Resample(target=objective.simulate(key, prediction, runs))


def default_scheme(problem: FitProblem) -> AbstractScheme:
    """`Pairs` for many units, `Wild` for few; `Bayesian` where priors make up for rows, as nothing is left of these."""
    evidence = independent(problem)
    if evidence.resampled:
        return Pairs()
    return Wild() if evidence.spare else Bayesian()


def distinct(weight: Float[Array, "draw n"], drawn: Units) -> np.ndarray:
    """How many units each resample holds, shape (draw,), on the host: nothing to compile."""
    of_row = np.asarray(drawn.of_row)
    order = np.argsort(of_row, kind="stable")
    _, first = np.unique(of_row[order], return_index=True)
    return np.sum(np.logical_or.reduceat(np.asarray(weight)[:, order] > 0, first, axis=1), axis=1)


def scheme_from_name(name: str) -> AbstractScheme:
    """`pairs`, `bayesian`, `wild` or `parametric`. Raises `KeyError` on anything else."""
    schemes = {s.name: s for s in (Pairs(), Bayesian(), Wild(), Parametric())}
    if name not in schemes:
        raise KeyError(f"bootstrap: expected one of {sorted(schemes)}, got {name!r}")
    return schemes[name]
