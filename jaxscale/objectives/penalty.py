r"""Penalties without a noise model: a convex shape of the residual over a width.

Sums, never means: a mean of tiny Huber values makes quasi-Newton methods stop early while reporting
success, the known failure of published Chinchilla fits (Besiroglu et al. 2024). Internally the residual
is divided by the width, so that the sum is O(number of runs), or by a hundredth where the width is more, so
that a width of any size is as good as squares; `reported` undoes that.

A known noise of the runs (`Runs.noise`) divides their residuals, relative to the typical one: squares are then weighted
least squares, as SciPy's `curve_fit(sigma=...)`, and a width is that of the typical run. A noise that is the same for
all changes nothing.
"""

from typing import Annotated

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.numerics.robust import robust_scale
from jaxscale.core.parametric import Change, param
from jaxscale.core.ranges import Range, checked
from jaxscale.core.runs import Runs
from jaxscale.objectives.objective import AbstractObjective
from jaxscale.objectives.residual import LogResidual, RawResidual, Residual, relative_noise

_WIDEST = 1e-2  # of the loss, of its logarithm, or of its spread: what a residual is measured in


class Square(eqx.Module):
    r"""$t^2 / 2$."""

    def __call__(self, t: Float[Array, ""]) -> Float[Array, ""]:
        return 0.5 * t**2

    def weight(self, t: Float[Array, ""]) -> Float[Array, ""]:
        return jnp.ones_like(t)


class Huber(eqx.Module):
    r"""$t^2/2$ inside [-1, 1], $|t| - 1/2$ outside (Huber 1964)."""

    def __call__(self, t: Float[Array, ""]) -> Float[Array, ""]:
        size = jnp.abs(t)
        return jnp.where(size <= 1, 0.5 * t**2, size - 0.5)

    def weight(self, t: Float[Array, ""]) -> Float[Array, ""]:
        """Slope over residual: the weight of iteratively re-weighted least squares."""
        return 1 / jnp.maximum(jnp.abs(t), 1)


# Of a relative error, or of one in the unit of the loss, which may be any. Outside, squares of residuals over it
# leave float32.
Width = Annotated[float, Range(1e-12, 1e12, like="1e-3")]
RawWidth = Annotated[float, Range(1e-15, 1e15, like="1e-3")]

type Shape = Square | Huber


class Penalty(AbstractObjective):
    """A shape of `residual / (width * relative noise)`, negative residuals (loss above the law) weighted by `above`.

    `above < 1` makes the fit a lower envelope: runs above the frontier, which are undertuned rather than
    informative, count less.
    """

    residual: Residual
    shape: Shape
    kind: str = eqx.field(static=True)
    width: q.Pure = param(
        s.positive, init=1e-3, prior=p.LogNormal(1e-3, 1.0), doc="width of the quadratic part", estimated=False
    )
    above: q.Pure = param(
        s.positive, init=1.0, prior=p.LogNormal(1.0, 1.0), doc="weight of runs above the law", estimated=False
    )

    def outputs(self, prediction: Float[Array, " n"], runs: Runs) -> Float[Array, "n 1"]:
        # Two divisions: by their product, a refit took a quarter longer.
        return (self.residual(prediction, runs) / self._measure / relative_noise(self.residual, runs))[:, None]

    @property
    def _measure(self) -> Float[Array, ""]:
        return jnp.minimum(self.width, _WIDEST)

    @property
    def _knee(self) -> Float[Array, ""]:
        return self.width / self._measure

    def scaling(self, c: Float[Array, ""]) -> dict[str, Change]:
        raw = isinstance(self.residual, RawResidual)
        return {"width": Change(c)} if raw and self.kind != "squares" else {}

    def _side(self, t: Float[Array, ""]) -> Float[Array, ""]:
        return jnp.where(t < 0, self.above, jnp.ones_like(t))

    def penalty(self, u: Float[Array, " 1"]) -> Float[Array, ""]:
        return self._side(u[0]) * self.shape(u[0] / self._knee) * self._knee**2

    def majoriser(self, u: Float[Array, " 1"]) -> Float[Array, "1 1"]:
        return (self._side(u[0]) * self.shape.weight(u[0] / self._knee)).reshape(1, 1)

    def reported(self, u: Float[Array, "n 1"], weight: Float[Array, " n"]) -> Float[Array, ""]:
        if self.kind == "lad":
            return jnp.sum(weight * jnp.abs(u[:, 0])) * self._measure
        return super().reported(u, weight) * self._measure**2

    def resolution(self, runs: Runs) -> Float[Array, ""]:
        return 4 * jnp.finfo(self.width.dtype).eps * self.residual.rounded(runs) / self._measure

    def simulate(self, key: PRNGKeyArray, prediction: Float[Array, " n"], runs: Runs) -> Float[Array, " n"]:
        # A penalty has no noise model: Gaussian, of the residuals' robust spread, in proportion to what is known of it.
        relative = relative_noise(self.residual, runs)
        residual = jnp.where(runs.weight > 0, self.residual(prediction, runs) / relative, jnp.nan)
        spread = robust_scale(residual, jnp) * relative
        noise = spread * jax.random.normal(key, prediction.shape, prediction.dtype)
        return self.residual.target(prediction, noise)

    def stages(self, dtype: np.dtype) -> "tuple[Penalty, ...]":
        if self.kind != "lad":
            return (self,)
        # Least absolute deviations as the limit of Huber widths, half a decade at a time.
        last = float(np.log10(self.width))
        widths = np.logspace(-3, last, max(2, round(2 * (-3 - last)) + 1))
        return tuple(eqx.tree_at(lambda o: o.width, self, jnp.asarray(w, self.width.dtype)) for w in widths)

    @property
    def name(self) -> str:
        if self.kind == "huber":
            return f"{self.residual.name}-huber:{float(self.width):g}"
        if self.kind == "envelope":
            return f"lower-envelope:{float(self.width):g}:{float(self.above):g}"
        return f"{self.residual.name}-{'lad' if self.kind == 'lad' else 'squares'}"


@checked
def log_huber(delta: Width = 1e-3) -> Penalty:
    r"""$\sum_i w_i\,\mathrm{Huber}_\delta(\log\hat L_i - \log L_i)$, summed (Hoffmann et al. 2022, eq. 3).

    Where the noise of the runs is known, $\delta$ is the width at the typical run: see the module's text.
    """
    return Penalty(LogResidual(), Huber(), "huber", _leaf(delta))


@checked
def raw_huber(delta: RawWidth = 1e-3) -> Penalty:
    r"""$\sum_i w_i\,\mathrm{Huber}_\delta(\hat L_i - L_i)$, summed, in the unit of the loss; for losses of any sign."""
    return Penalty(RawResidual(), Huber(), "huber", _leaf(delta))


def log_lad() -> Penalty:
    r"""$\sum_i w_i |\log\hat L_i - \log L_i|$, as the limit of Huber widths (1e-9 in float64, 1e-5 in float32)."""
    eps = float(jnp.finfo(jnp.zeros(()).dtype).eps)
    return Penalty(LogResidual(), Huber(), "lad", _leaf(max(1e-9, 100 * eps)))


def least_squares(space: Residual | None = None) -> Penalty:
    r"""$\frac12\sum_i w_i r_i^2$ of log residuals (default) or of `RawResidual()`."""
    return Penalty(LogResidual() if space is None else space, Square(), "squares", _leaf(1e-2))


@checked
def lower_envelope(delta: Width = 1e-3, above: Annotated[float, Range(1e-6, 1e6, like="0.1")] = 0.1) -> Penalty:
    """`log_huber` in which runs above the law count `above` times as much as runs below it."""
    return Penalty(LogResidual(), Huber(), "envelope", _leaf(delta), _leaf(above))


def raw_least_squares() -> Penalty:
    """`least_squares` of raw residuals, in the unit of the loss."""
    return least_squares(RawResidual())


def _leaf(value: float) -> Array:
    return jnp.asarray(value, dtype=float)
