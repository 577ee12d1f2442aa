r"""Residuals of one run that are alike: correlation from row to row, estimated with their scale.

With $s_i$ a residual over its scale and $\rho$ the correlation of neighbours,
$s_i = \rho\,s_{i-1} + \sqrt{1-\rho^2}\,e_i$ (an AR(1) process, stationary in every run): a likelihood sees the
innovations $e_i$, which are independent, and each row's density is the one given the row before it. Rows are neighbours
where they follow each other in the runs, are of one cluster, and both count. They are taken as equally far apart, as
the evaluations of a run are. A law that misses the curves themselves has residuals that are alike for another reason:
a Gaussian then takes them for noise of $\rho$ near one, and Student's t less so.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.parametric import param
from jaxscale.core.runs import Runs
from jaxscale.objectives.noise import AbstractNoise

CORRELATED = "ar1"  # as written in names of objectives


class CorrelatedNoise(AbstractNoise):
    """One scale for all runs, and one correlation of neighbouring rows of a run."""

    sigma: q.Pure = param(
        s.positive, init=0.01, prior=p.LogNormal(0.005, 1.0), doc="scale of the residual", symbol=r"\sigma"
    )
    rho: q.Pure = param(
        s.Interval(-1.0, 1.0), init=0.5, prior=p.Uniform(-1.0, 1.0), doc="correlation of neighbours", symbol=r"\rho"
    )

    def __call__(self, runs: Runs) -> Float[Array, " n"]:
        return jnp.broadcast_to(jnp.log(self.sigma), runs.target.shape)

    def innovations(
        self, residual: Float[Array, " n"], log_scale: Float[Array, " n"], runs: Runs
    ) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
        follows, t = _follows(runs), residual * jnp.exp(-log_scale)
        rho = jnp.where(follows, self.rho, 0)
        before = jnp.where(follows, jnp.roll(t, 1), 0)  # a row that does not count may be anything
        own = 0.5 * jnp.log1p(-(rho**2))
        return (t - rho * before) * jnp.exp(-own), log_scale + own

    def coloured(self, innovations: Float[Array, " n"], runs: Runs) -> Float[Array, " n"]:
        rho = jnp.where(_follows(runs), self.rho, 0)

        def step(before: Array, row: tuple[Array, Array]) -> tuple[Array, Array]:
            now = row[0] * before + jnp.sqrt(1 - row[0] ** 2) * row[1]
            return now, now

        return jax.lax.scan(step, jnp.zeros_like(innovations[0]), (rho, innovations))[1]

    @property
    def name(self) -> str:
        return f":{CORRELATED}"


def _follows(runs: Runs) -> Bool[Array, " n"]:
    """Whether each row has a neighbour before it."""
    same = (runs.cluster == jnp.roll(runs.cluster, 1)) & (runs.group == jnp.roll(runs.group, 1))
    counts = runs.weight > 0
    return same & counts & jnp.roll(counts, 1) & (jnp.arange(runs.size) > 0)
