"""Bootstrap schemes: each turns a key into new weights or new targets, never into data of another shape."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxscale.core.runs import Runs
from jaxscale.infer.problem import Resample
from jaxscale.objectives.objective import AbstractObjective


class Units(eqx.Module):
    """The independent units that a resample draws, numbered so that those of one group are neighbours.

    - `of_row`: unit of each row (padding: the last unit; its weight is zero).
    - `first`, `size`: for every unit, where its group's units start and how many there are. Resampling within
      groups keeps every group in every draw. Spare units, of no row, come last.
    """

    of_row: Int[Array, " n"]
    first: Int[Array, " m"]
    size: Int[Array, " m"]

    @property
    def count(self) -> int:
        """How many units have rows."""
        return int(np.max(self.of_row)) + 1


def units(runs: Runs) -> Units:
    """Units from the runs' clusters and groups; rows of weight zero belong to none.

    There are as many as rows, the last ones spare, so that all parts of the same runs are resampled by one program.
    """
    used = np.asarray(runs.weight) > 0
    pairs = np.stack([np.asarray(runs.group), np.asarray(runs.cluster)], axis=1)
    labels, of_used = np.unique(pairs[used], axis=0, return_inverse=True)
    of_row = np.full(len(used), len(labels) - 1)
    of_row[used] = of_used.reshape(-1)
    _, first, inverse, size = np.unique(labels[:, 0], return_index=True, return_inverse=True, return_counts=True)
    spare = np.arange(len(labels), len(used))  # each a group of its own
    columns = (of_row, [*first[inverse], *spare], [*size[inverse], *np.ones_like(spare)])
    return Units(*(jnp.asarray(np.asarray(x, np.int32)) for x in columns))


class AbstractScheme(eqx.Module):
    """A bootstrap scheme."""

    def __call__(
        self, key: PRNGKeyArray, runs: Runs, prediction: Float[Array, " n"], drawn: Units, objective: AbstractObjective
    ) -> Resample:
        raise NotImplementedError

    def remarks(self, runs: Runs) -> tuple[str, ...]:
        """What of the runs the scheme does not use, as sentences."""
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
    """Flip the sign of each unit's log residuals at random (Wu 1986): keeps the design and any heteroscedasticity."""

    def __call__(
        self, key: PRNGKeyArray, runs: Runs, prediction: Float[Array, " n"], drawn: Units, objective: Any
    ) -> Resample:
        sign = jax.random.rademacher(key, drawn.first.shape, runs.target.dtype)[drawn.of_row]
        residual = jnp.log(runs.target) - jnp.log(prediction)
        return Resample(target=prediction * jnp.exp(sign * residual))


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


def scheme_from_name(name: str) -> AbstractScheme:
    """`pairs`, `bayesian`, `wild` or `parametric`. Raises `KeyError` on anything else."""
    schemes = {s.name: s for s in (Pairs(), Bayesian(), Wild(), Parametric())}
    if name not in schemes:
        raise KeyError(f"bootstrap: expected one of {sorted(schemes)}, got {name!r}")
    return schemes[name]
