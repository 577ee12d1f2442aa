"""Runs: the pure arrays that jit sees."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxscale.core.law import Signature
from jaxscale.core.numerics.namespace import namespace

NAMED = 8  # runs that a sentence names


class Runs(eqx.Module):
    """Training runs as arrays of one length n.

    - `inputs`: by symbol, e.g. `{"N": ..., "D": ...}`, in the units of `core.quantities`.
    - `target`: what the law predicts (the loss).
    - `weight`: non-negative; 0 leaves a run (or a row of padding) out.
    - `group`: index of the data set, 0 where there is one.
    - `cluster`: index of the independent unit a row belongs to (checkpoints of one run share it).
    - `noise`: known standard deviation of `target`, 0 where unknown.
    """

    inputs: dict[str, Float[Array, " n"]]
    target: Float[Array, " n"]
    weight: Float[Array, " n"]
    group: Int[Array, " n"]
    cluster: Int[Array, " n"]
    noise: Float[Array, " n"]

    @classmethod
    def of(
        cls,
        inputs: Mapping[str, Any],
        target: Any,
        *,
        weight: Any = None,
        group: Any = None,
        cluster: Any = None,
        noise: Any = None,
        dtype: Any = None,
    ) -> Self:
        """From anything array-like, cast to `dtype` (default: jax's current float)."""
        dtype = jax.dtypes.canonicalize_dtype(float) if dtype is None else dtype
        target = jnp.asarray(target, dtype)
        return cls(
            inputs={name: jnp.asarray(column, dtype) for name, column in inputs.items()},
            target=target,
            weight=jnp.asarray(np.ones(target.shape) if weight is None else weight, dtype),
            group=jnp.asarray(np.zeros(target.shape) if group is None else group, jnp.int32),
            cluster=jnp.asarray(np.arange(target.shape[0]) if cluster is None else cluster, jnp.int32),
            noise=jnp.asarray(np.zeros(target.shape) if noise is None else noise, dtype),
        )

    @property
    def size(self) -> int:
        """Number of rows, padding included."""
        return self.target.shape[0]

    @classmethod
    def stacked(cls, studies: "Sequence[Runs]") -> Self:
        """Several data sets along a leading axis, for `jax.vmap`: the shorter ones extended by rows of weight zero.

        Raises `ValueError` on none, and where one lacks an input that another has.
        """
        if not studies:
            raise ValueError("Runs.stacked: expected at least one data set, got none")
        names = [sorted(runs.inputs) for runs in studies]
        if any(found != names[0] for found in names):
            raise ValueError(
                f"Runs.stacked: expected the same inputs in all data sets, got {names}; leave out the rest"
            )
        longest = max(runs.size for runs in studies)
        return jax.tree.map(lambda *x: jnp.stack(x), *(_extended(runs, longest - runs.size) for runs in studies))

    def padded(self) -> Self:
        """Extended to the next of a few sizes (powers of two and their halves between) by rows of weight zero.

        Two studies of nearby sizes then share one compiled program. The rows repeat the last run, so
        that every law stays finite on them; their noise is not known, so that they do not count in the typical one.
        """
        return _extended(self, padded_size(self.size) - self.size)

    def sheltered(self) -> Self:
        """Rows of weight zero take the inputs of the first row that counts, so that no law overflows on them."""
        xp = namespace(*jax.tree.leaves(self))
        used = xp.asarray(self.weight) > 0
        first = xp.argmax(used)
        inputs = {name: xp.where(used, x, xp.asarray(x)[first]) for name, x in self.inputs.items()}
        return dataclasses.replace(self, inputs=jax.tree.map(jnp.asarray, inputs))


def _extended[R: Runs](runs: R, extra: int) -> R:
    xp = namespace(*jax.tree.leaves(runs))

    def longer(x: Any) -> Any:
        x = xp.asarray(x)
        return xp.concatenate([x, xp.repeat(x[-1:], extra, axis=0)])

    found = jax.tree.map(longer, runs)
    own = xp.arange(runs.size + extra) < runs.size
    found = dataclasses.replace(found, weight=xp.where(own, found.weight, 0), noise=xp.where(own, found.noise, 0))
    return jax.tree.map(jnp.asarray, found)


class Table(Protocol):
    """What a study offers to the floors that may not know it: name, columns, groups, provenance, and its runs."""

    @property
    def name(self) -> str: ...
    @property
    def columns(self) -> Mapping[str, np.ndarray]:
        """What is known of every run, by symbol, shape (n,) each; `columns[target]` is what a law predicts."""
        ...

    @property
    def target(self) -> str: ...
    @property
    def groups(self) -> tuple[str, ...]:
        """Labels of the groups, in the order of `Runs.group`; empty where there is one group."""
        ...

    @property
    def provenance(self) -> Mapping[str, str]:
        """Where the numbers come from: source, licence, sha256, ..."""
        ...

    def runs(self, wanted: Signature) -> Runs:
        """The inputs and the target that a law's signature names, in its units."""
        ...

    def select(self, mask: Any, reason: str) -> Self:
        """The rows where `mask` (n,) is true; the provenance says why the others are left out."""
        ...


def padded_size(n: int) -> int:
    """The smallest of 8, 12, 16, 24, 32, 48, ... that is at least n."""
    size = 8
    while size < n:
        size = size * 3 // 2 if size & (size - 1) == 0 else size // 3 * 4
    return size


def named_runs(runs: Sequence[int] | np.ndarray, rows: Sequence[int] | np.ndarray | None) -> str:
    """Runs, by index, as a sentence names them: by their owner's `rows` where these are known."""
    shown = ", ".join(str(i if rows is None else rows[i]) for i in runs[:NAMED])
    word = ("run" if rows is None else "row") + ("s" if len(runs) > 1 else "")
    more = f" and {len(runs) - NAMED} more" if len(runs) > NAMED else ""
    return f"{word} {shown}{more}{' (counted from 0)' if rows is None else ''}"
