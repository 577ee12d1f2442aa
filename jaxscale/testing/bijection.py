"""A support there and back: what its bijection does to points, beside what automatic differentiation says of it."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxscale.core.supports import AbstractSupport
from jaxscale.testing.rounding import padded


class Trip(NamedTuple):
    """Per point, flattened: z, x again, dx/dz (a row per entry of x), and log_det as declared and as differentiated."""

    z: np.ndarray
    back: np.ndarray
    jacobian: np.ndarray
    log_det: np.ndarray
    expected: np.ndarray


def round_trip(support: AbstractSupport, x: Array) -> Trip:
    """From x, with a leading axis of n points, to unconstrained z and back; padded as in `evaluated`."""
    return Trip(*(np.asarray(found)[: len(x)] for found in _round_trip(support, padded(x))))


@functools.partial(jax.jit, static_argnums=0)
def _round_trip(support: AbstractSupport, x: Array) -> tuple[Array, ...]:
    def one(x: Array) -> tuple[Array, ...]:
        z = support.unconstrain(x)

        def flat(z_flat: Array) -> Array:
            return support.constrain(z_flat.reshape(z.shape)).reshape(-1)

        jacobian = jax.jacfwd(flat)(z.reshape(-1))
        square = jacobian[: z.size]  # on a simplex the last entry follows from the others
        return z.reshape(-1), flat(z.reshape(-1)), jacobian, support.log_det(z), jnp.linalg.slogdet(square)[1]

    return jax.vmap(one)(x)
