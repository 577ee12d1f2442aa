"""Where the strategy of running many solves is chosen: one queue per device, no communication.

Devices are those of this process: where JAX runs in several, each does the work that it was given and none waits.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Int


def over_devices[T](run: Callable[[Any, Any, Int[Array, ""]], T], shared: Any, rows: Any, stop: Int[Array, ""]) -> T:
    """`run(shared, rows, stop)` with the rows dealt to the devices like cards: row i to device i mod devices.

    `rows` is a pytree of arrays whose first axis is a multiple of the number of devices; of them the first
    `stop` count. What `run` makes of a row must depend on that row alone: then the result, in the order of
    the rows, does not depend on the number of devices.
    """
    devices = jax.local_devices()
    if len(devices) == 1:
        return run(shared, rows, stop)
    mesh, count = Mesh(np.array(devices), ("draw",)), len(devices)

    def deal(x: Array) -> Array:
        return x.reshape(len(x) // count, count, *x.shape[1:]).swapaxes(0, 1).reshape(x.shape)

    def collect(x: Array) -> Array:
        return x.reshape(count, len(x) // count, *x.shape[1:]).swapaxes(0, 1).reshape(x.shape)

    def block(shared: Any, rows: Any, stop: Array) -> T:
        me = jax.lax.axis_index("draw").astype(stop.dtype)
        return run(shared, rows, (stop - me + count - 1) // count)

    everywhere, dealt = PartitionSpec(), PartitionSpec("draw")
    found = jax.shard_map(block, mesh=mesh, in_specs=(everywhere, dealt, everywhere), out_specs=dealt, check_vma=False)(
        shared, jax.tree.map(deal, rows), stop
    )
    return jax.tree.map(collect, found)


def each[T](function: Callable[[Any], T], rows: Any, stop: Int[Array, ""] | None = None) -> T:
    """`function` of every row on one device: in turn on a CPU, all at once on an accelerator.

    Of the rows only the first `stop` count, all by default; the others give zeros and, on a CPU, take no time.
    Loops of different length under vmap all take as long as the longest: on a CPU that is waste (measured on
    NUTS, 1.8 to 3.4 times the steps), on an accelerator the lanes are there anyway.
    """
    loop = jax.lax.map if jax.default_backend() == "cpu" else lambda f, xs: jax.vmap(f)(xs)
    if stop is None:
        return loop(function, rows)
    made = jax.eval_shape(function, jax.tree.map(lambda x: x[0], rows))
    idle = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), made)
    index = jnp.arange(jax.tree.leaves(rows)[0].shape[0], dtype=stop.dtype)
    return loop(lambda row: jax.lax.cond(row[0] < stop, function, lambda _: idle, row[1]), (index, rows))
