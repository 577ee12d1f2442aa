"""Bootstrap schemes: each turns a key into new weights or new targets, never into data of another shape."""

from abc import abstractmethod
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

_WEBB = (-(1.5**0.5), -1.0, -(0.5**0.5), 0.5**0.5, 1.0, 1.5**0.5)  # of mean 0 and variance 1 (Webb 2023)


class AbstractScheme(eqx.Module):
    """A bootstrap scheme."""

    def ready(self, problem: FitProblem) -> Self:
        """The scheme for resamples of one fit, with whatever it needs to know of it; for most that is nothing."""
        return self

    @abstractmethod
    def __call__(
        self, key: PRNGKeyArray, runs: Runs, prediction: Float[Array, " n"], drawn: Units, objective: AbstractObjective
    ) -> Resample: ...

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
    r"""Random multiples of residuals corrected for leverage (Wu 1986): for few units.

    To the fit's predictions is added $a\,\tau\,r$: r a unit's own residuals, corrected (`UnitNoise`); a one of six
    numbers for each unit (Webb 2023), none near zero, as noise dense at zero would flatter a penalty of absolute values
    (Feng, He & Hu 2011); $\tau$ the root of $\nu/\chi^2_\nu$, by which a size estimated from one unit's residuals may
    miss it. $\nu$ are the degrees of freedom of the unit's own fitted value (Bell & McCaffrey 2002), near 1 where the
    fit follows the unit wherever it goes, as it does the largest run. So intervals that rest on one run are as wide
    as Student's t with few degrees of freedom, and those that rest on many are not. Noise may differ from unit to
    unit, and within a unit from row to row; how much is held is in benchmarks/results/calibration.md.
    """

    noise: UnitNoise | None = None

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
        if self.noise is None:
            raise BadInput("wild: expected a scheme that knows a fit's residuals, got a bare one; use .ready(problem)")
        dtype = runs.target.dtype
        width = self.noise.width(jax.random.uniform(jax.random.fold_in(key, 0), (), dtype))
        point = jax.random.randint(jax.random.fold_in(key, 1), drawn.first.shape, 0, len(_WEBB))
        multiple = jnp.asarray(_WEBB, dtype)[point][drawn.of_row]
        return Resample(target=objective.residual.target(prediction, width * multiple * self.noise.own))


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
