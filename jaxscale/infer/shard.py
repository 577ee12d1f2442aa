"""Where the strategy of running many draws is chosen: one queue per device, no communication."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Int


def over_devices[T](
    run: Callable[[Any, Int[Array, ""], Int[Array, ""]], T], shared: Any, first: Array, stop: Array, size: int
) -> T:
    """`run(shared, first, stop)` for `size` indices on each device in turn, results joined along their first axis.

    Draws depend on their index alone, so the result does not depend on the number of devices.
    """
    devices = jax.devices()
    if len(devices) == 1:
        return run(shared, first, stop)
    mesh = Mesh(np.array(devices), ("draw",))

    def block(shared: Any, first: Array, stop: Array) -> T:
        mine = first + jax.lax.axis_index("draw").astype(first.dtype) * size
        return run(shared, mine, jnp.minimum(stop, mine + size))

    replicated = PartitionSpec()
    return jax.shard_map(
        block,
        mesh=mesh,
        in_specs=(replicated, replicated, replicated),
        out_specs=PartitionSpec("draw"),
        check_vma=False,
    )(shared, first, stop)
