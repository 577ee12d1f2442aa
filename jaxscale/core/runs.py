"""Runs: the pure arrays that jit sees."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxscale.core.errors import BadInput
from jaxscale.core.law import AbstractLaw, Signature, axis_lengths, signature
from jaxscale.core.numerics.namespace import namespace

NAMED = 8  # runs that a sentence names


class Runs(eqx.Module):
    """n training runs as arrays.

    Of most laws everything has the shape (n,). Where the quantity of an input or of the prediction has axes, as a loss
    curve has steps, these follow: `(n, *axes)`. Curves of different lengths are filled up by numbers of weight zero.

    - `inputs`: by symbol, e.g. `{"N": ..., "D": ...}`, in the units of `core.quantities`.
    - `target`: what the law predicts (the loss).
    - `weight`: in the shape of `target`; non-negative; 0 leaves a number out.
    - `group`: index of the data set, 0 where there is one.
    - `cluster`: index of the independent unit a run belongs to (checkpoints of one run share it).
    - `noise`: known standard deviation of `target`, 0 where unknown.

    A fit sees them `flattened`: one row for each number that the law predicts, all but the inputs of shape (rows,).
    """

    inputs: dict[str, Float[Array, "n ..."]]
    target: Float[Array, "n ..."]
    weight: Float[Array, "n ..."]
    group: Int[Array, " n"]
    cluster: Int[Array, " n"]
    noise: Float[Array, "n ..."]

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
        """From anything array-like, cast to `dtype` (default: jax's current float).

        A weight or a noise of shape (n,) holds for all that a run was measured at.
        """
        dtype = jax.dtypes.canonicalize_dtype(float) if dtype is None else dtype
        target = jnp.asarray(target, dtype)
        n = target.shape[0]

        def of_rows(given: Any, usual: float) -> Array:
            xp = namespace(given)
            given = xp.asarray(usual if given is None else given)
            given = given.reshape(*given.shape, *[1] * (target.ndim - given.ndim)) if given.ndim else given
            return jnp.asarray(xp.broadcast_to(given, target.shape), dtype)

        return cls(
            inputs={name: jnp.asarray(column, dtype) for name, column in inputs.items()},
            target=target,
            weight=of_rows(weight, 1.0),
            group=jnp.asarray(np.zeros(n) if group is None else group, jnp.int32),
            cluster=jnp.asarray(np.arange(n) if cluster is None else cluster, jnp.int32),
            noise=of_rows(noise, 0.0),
        )

    @property
    def size(self) -> int:
        """Number of rows, padding included."""
        return self.target.shape[0]

    @property
    def each(self) -> int:
        """Rows of one run."""
        return self.size // next((column.shape[0] for column in self.inputs.values()), self.size)

    def flattened(self) -> Self:
        """One row for each number that the law predicts, run by run; inputs stay one per run."""
        if self.target.ndim == 1:
            return self
        each = self.target.size // self.size
        return dataclasses.replace(
            self,
            target=self.target.reshape(-1),
            weight=self.weight.reshape(-1),
            group=jnp.repeat(self.group, each),
            cluster=jnp.repeat(self.cluster, each),
            noise=self.noise.reshape(-1),
        )

    def by_run(self) -> Self:
        """The inverse of `flattened`, for an output of one axis."""
        each = self.each
        if each == 1:
            return self
        target, weight, noise = (x.reshape(-1, each) for x in (self.target, self.weight, self.noise))
        group, cluster = self.group[::each], self.cluster[::each]
        return dataclasses.replace(self, target=target, weight=weight, group=group, cluster=cluster, noise=noise)

    @property
    def columns(self) -> dict[str, Float[Array, " rows"]]:
        """Inputs that are one number in every row, as columns of the rows: not a mixture, not a schedule."""
        found = {}
        for name, column in self.inputs.items():
            if column.ndim == 1:
                found[name] = jnp.repeat(column, self.each) if self.each > 1 else column
            elif column.size == self.size:
                found[name] = column.reshape(-1)
        return found

    def take(self, which: Any) -> Self:
        """Some of the runs, by a slice or by indices, with all of their rows."""
        each = self.each

        def of_rows(x: Array) -> Array:
            taken = x.reshape(-1, each, *x.shape[1:])[which]
            return taken.reshape(-1, *x.shape[1:])

        rows = jax.tree.map(of_rows, dataclasses.replace(self, inputs={}))
        return dataclasses.replace(rows, inputs={name: column[which] for name, column in self.inputs.items()})

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
        """Extended to the next of a few numbers of runs (powers of two and their halves between), of weight zero.

        Two studies of nearby sizes then share one compiled program. The rows repeat the last run, so
        that every law stays finite on them; their noise is not known, so that they do not count in the typical one.
        """
        count = self.size // self.each
        return _extended(self, padded_size(count) - count)

    def sheltered(self) -> Self:
        """Runs of weight zero take the inputs of the first one that counts, so that no law overflows on them."""
        xp = namespace(*jax.tree.leaves(self))
        used = xp.any(xp.asarray(self.weight).reshape(self.size // self.each, -1) > 0, axis=1)
        first = xp.argmax(used)

        def taken(x: Any) -> Array:
            x = xp.asarray(x)
            return jnp.asarray(xp.where(used.reshape(-1, *[1] * (x.ndim - 1)), x, x[first]))

        return dataclasses.replace(self, inputs={name: taken(x) for name, x in self.inputs.items()})


def _extended[R: Runs](runs: R, extra: int) -> R:
    """By `extra` runs of weight zero."""
    xp = namespace(*jax.tree.leaves(runs))

    def longer(x: Any, by: int) -> Any:
        x = xp.asarray(x)
        return xp.concatenate([x, xp.repeat(x[-1:], by, axis=0)])

    rows = jax.tree.map(lambda x: longer(x, extra * runs.each), dataclasses.replace(runs, inputs={}))
    own = (xp.arange(rows.size) < runs.size).reshape(-1, *[1] * (rows.target.ndim - 1))
    inputs = {name: longer(column, extra) for name, column in runs.inputs.items()}
    found = dataclasses.replace(
        rows, weight=xp.where(own, rows.weight, 0), noise=xp.where(own, rows.noise, 0), inputs=inputs
    )
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


def check_axes(law: AbstractLaw, runs: Runs) -> None:
    """Raises `BadInput` where inputs or target have other axes than `law` says, or lengths that differ.

    A target may be flattened where the inputs say how long its axes are.
    """
    wanted, length = signature(law), axis_lengths(law)
    inputs = [(name, q.axes, runs.inputs[name].shape) for name, q in wanted.inputs.items() if name in runs.inputs]
    for name, own, shape in (*inputs, ("target", wanted.output.axes, runs.target.shape)):
        axes = ("runs", *own)
        whole = [length.get(axis, -1) for axis in axes]
        if len(shape) == len(axes) and all(length.setdefault(a, n) == n for a, n in zip(axes, shape, strict=True)):
            continue
        if name == "target" and len(shape) == 1 and min(whole) > 0 and shape[0] == math.prod(whole):
            continue
        told = ", ".join(f"{axis} ({length[axis]})" if axis in length else axis for axis in axes)
        raise BadInput(
            f"runs: expected {name} with the axes {told}, got an array of shape {shape}; give one entry per run, "
            f"curves filled up to one length by numbers of weight zero, and {type(law).__name__} as long parameters"
        )
