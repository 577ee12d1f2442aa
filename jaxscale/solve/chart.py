"""The chart: whitened coordinates y in which a problem is round, z = centre + scale @ y.

Paper symbols are badly conditioned (Jacobian condition 2000 on the reconstructed Chinchilla runs). The
factor is computed on the host in float64, from a Jacobian or a Hessian in the device's precision; the
coordinates y are then O(1), where float32 suffices. Inside jit it is computed on the device, in its precision.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxscale.core.numerics.namespace import namespace
from jaxscale.solve.problem import AbstractProblem, AbstractView, Vector

_LOOSE = 1e-3  # a standard deviation of thirty e-folds


class Chart(eqx.Module):
    """An affine map between whitened coordinates y and unconstrained coordinates z."""

    centre: Float[Array, " p"]
    scale: Float[Array, "p p"]

    def __call__(self, y: Vector) -> Vector:
        return self.centre + jnp.matmul(self.scale, y, precision=jax.lax.Precision.HIGHEST)

    def inverse(self, z: Any) -> Any:
        """Whitened coordinates of one or many z (..., p); outside jit on the host in float64."""
        xp, z, centre, scale = on_host(z, self.centre, self.scale)
        away = z - xp.broadcast_to(centre, z.shape)
        return xp.linalg.solve(scale, away.reshape(-1, z.shape[-1]).T).T.reshape(z.shape)


class Charted(AbstractView[AbstractProblem]):
    """A problem seen through a chart."""

    chart: Chart

    def point(self, z: Vector, context: Any) -> Vector:
        return self.chart(z)


def whitener(curvature: Any) -> Any:
    """A matrix S with S' H S close to the identity, for a symmetric curvature H of shape (..., p, p).

    Its columns are directions from the one that H determines least to the one it determines most.
    H is first scaled to unit diagonal, so that units do not matter. Directions along which it vanishes or
    is negative to rounding are given the smallest scale that rounding still resolves.
    """
    rounding = float(jnp.finfo(jnp.asarray(curvature).dtype).eps) * max(curvature.shape[-1], 1)
    xp, h = on_host(curvature)
    scaled, size = unit_diagonal(xp, h)
    eigenvalues, vectors = xp.linalg.eigh(scaled)
    floor = rounding * xp.maximum(eigenvalues[..., -1:], 1.0)
    return vectors / xp.sqrt(xp.maximum(eigenvalues, floor))[..., None, :] / size[..., :, None]


def unit_diagonal(xp: Any, h: Any) -> tuple[Any, Any]:
    """A symmetric h (..., p, p) in units of its own diagonal, so that units do not matter, and these units (..., p)."""
    size = xp.sqrt(xp.abs(xp.diagonal(h, axis1=-2, axis2=-1)))
    size = xp.where(size > 0, size, 1.0)  # a vanished direction has no scale of its own: any will do, one fits float32
    return h / (size[..., :, None] * size[..., None, :]), size


def on_host(*xs: Any) -> tuple[Any, ...]:
    """NumPy, and every x in float64; inside jit `jax.numpy`, and every x as it is: one code for both."""
    xp = namespace(*xs)
    return (xp, *xs) if xp is jnp else (np, *(np.asarray(x, np.float64) for x in xs))


def chart_at(centre: Any, curvature: Any) -> Chart:
    """The chart centred at z in which `curvature` becomes the identity.

    A coordinate that the curvature hardly holds, such as a floor that went to zero, keeps its own scale: the one of
    its curvature is good for no other point, and steps along it would leave the problem. Where the curvature is not
    finite it says nothing about scale, and coordinates stay as they are.
    """
    xp, h = on_host(curvature)
    h = xp.where(xp.all(xp.isfinite(h)), h, xp.eye(len(h), dtype=h.dtype))
    loose = xp.diagonal(h) < _LOOSE
    h = xp.where(loose[:, None] | loose[None, :], xp.diag(loose.astype(h.dtype)), h)
    centre = jnp.asarray(centre)
    return Chart(centre, jnp.asarray(whitener(h.astype(curvature.dtype)), centre.dtype))
