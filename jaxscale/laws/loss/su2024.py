r"""Unraveling the mystery of scaling laws, part I (Su et al. 2024, arXiv 2403.06563).

$$ L = (N_c/N)^{\alpha_N} + (S_c/S_{min})^{\alpha_S}, \qquad S_{min} = \frac{S}{1 + B_{crit}(L)/B}, \qquad
   B_{crit}(L) = B_* L^{-1/\alpha_B} $$

The family of Kaplan et al. 2020 (arXiv 2001.08361) for a run of any batch: the critical batch belongs to the loss
that the run reaches, so L stands on both sides. In $l = \ln L$ the right-hand side falls while the left rises: there
is one root, and Newton's method from the loss of an unlimited batch climbs to it without overshooting.
Derivatives of any order follow from the implicit function theorem.

The least compute for a loss, $C_{min} = 6 N B_{crit} S_{min}$, is reached where $\alpha_N (N_c/N)^{\alpha_N} =
\alpha_S (S_c/S_{min})^{\alpha_S}$, so on the frontier the loss is $1 + \alpha_N/\alpha_S$ times that of the converged
model, and $1/\alpha_C = 1/\alpha_N + 1/\alpha_B + 1/\alpha_S$. Published exponents are rounded: those of Kaplan et al.
give $\alpha_C$ = 0.0525 and $N \propto C^{0.68}$, where they print 0.054 and 0.71 and measure 0.050 and 0.73.

Two traps. A run at the critical batch spends twice $S_{min}$ steps and twice $C_{min}$. And a fit in stages
carries the error of each stage to the next, as $S_{min}$ is computed from a fitted $B_{crit}$: fit all parameters
to the trajectories at once.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.flops import FLOP_PER_PARAM_TOKEN
from jaxscale.core.law import AbstractLaw, Case, Published
from jaxscale.core.numerics.powers import power, power_ratio
from jaxscale.core.parametric import Change, param

type Scalar = Float[Array, ""]

_NEWTON_STEPS = 8  # prior draws take at most six to float64


class Cheapest(NamedTuple):
    """The run of least compute for a loss: its size, its critical batch B, and the bounds on steps and compute.

    Steps tend to S_min at a batch far above B, compute to C_min far below it; at B a run takes twice either.
    """

    N: q.Params
    S_min: q.Steps
    B: q.Batch
    C_min: q.Flops


class SuNSB(AbstractLaw):
    """Loss of a transformer with N parameters (embeddings excluded) after S steps of B tokens on unlimited data.

    One row per point of a training curve, past the warm-up. Constants hold for one learning-rate schedule, context
    length, vocabulary and text.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: Nc, Sc, Bstar, alpha_N, alpha_S, alpha_B.
    """

    Nc: q.Params = param(
        s.positive, init=6.5e13, prior=p.LogNormal(1e14, 4.0), doc="size at which its term is 1", symbol="N_c"
    )
    Sc: q.Steps = param(
        s.positive, init=2.1e3, prior=p.LogNormal(2e3, 1.5), doc="steps at which their term is 1", symbol="S_c"
    )
    Bstar: q.Batch = param(
        s.positive, init=2e8, prior=p.LogNormal(2e8, 1.5), doc="critical batch at a loss of 1", symbol="B_*"
    )
    alpha_N: q.Pure = param(
        s.positive, init=0.077, prior=p.LogNormal(0.076, 0.3), doc="size exponent", symbol=r"\alpha_N"
    )
    alpha_S: q.Pure = param(s.positive, init=0.76, prior=p.LogNormal(0.7, 0.3), doc="step exponent", symbol=r"\alpha_S")
    alpha_B: q.Pure = param(
        s.positive, init=0.21, prior=p.LogNormal(0.21, 0.3), doc="batch exponent", symbol=r"\alpha_B"
    )

    def __call__(self, N: q.Params, S: q.Steps, B: q.Batch) -> q.Nats:
        size = self.alpha_N * (jnp.log(self.Nc) - jnp.log(N))
        steps = self.alpha_S * (jnp.log(self.Sc) - jnp.log(S))
        batch = jnp.log(self.Bstar) - jnp.log(B)

        def excess(log_L: Scalar) -> Scalar:
            slowed = jax.nn.softplus(batch - log_L / self.alpha_B)
            return log_L - jnp.logaddexp(size, steps + self.alpha_S * slowed)

        # `excess` rises and is concave, and is negative at the start: each Newton step stays left of the root.
        start = jnp.logaddexp(size, steps)
        return jnp.exp(jax.lax.custom_root(excess, start, _newton, lambda slope, y: y / slope(jnp.ones_like(y))))

    def scaling(self, c: Float[Array, ""]) -> dict[str, Change]:
        grown = {"Nc": self.alpha_N, "Sc": self.alpha_S, "Bstar": self.alpha_B}
        return {name: Change(c ** (1 / exponent)) for name, exponent in grown.items()}

    def critical_batch(self, L: q.Nats) -> q.Batch:
        """Batch at which a run at loss L takes twice the fewest steps and twice the fewest tokens."""
        return self.Bstar * power(L, -1 / self.alpha_B)

    def least_steps(self, N: q.Params, L: q.Nats) -> q.Steps:
        """S_min: steps to loss L at an unlimited batch; not a number where N parameters never reach L."""
        return self.Sc * (L - power_ratio(self.Nc, N, self.alpha_N)) ** (-1 / self.alpha_S)

    def tokens(self, N: q.Params, L: q.Nats, B: q.Batch) -> q.Tokens:
        """Tokens to loss L at batch B: at least S_min B_crit, twice that at B_crit."""
        return self.least_steps(N, L) * (self.critical_batch(L) + B)

    def cheapest(self, L: q.Nats) -> Cheapest:
        """The run of least compute that reaches loss L, in closed form."""
        one = jnp.ones_like(L)
        log_N = jnp.log(self.Nc) + (self._log_share() - jnp.log(L)) / self.alpha_N
        log_S = jnp.log(self.Sc) + (jnp.log1p(self.alpha_S / self.alpha_N) - jnp.log(L)) / self.alpha_S
        B = self.critical_batch(L)
        log_C = jnp.log(FLOP_PER_PARAM_TOKEN * one) + log_N + log_S + jnp.log(B)
        return Cheapest(jnp.exp(log_N), jnp.exp(log_S), B, jnp.exp(log_C))

    def frontier(self, C_min: q.Flops) -> q.Nats:
        r"""The least loss for compute $C_{min}$: a power of it, with exponent -`alpha_C`."""
        at_one = self.cheapest(jnp.ones_like(C_min))
        return power_ratio(at_one.C_min, C_min, self.alpha_C)

    @property
    def alpha_C(self) -> q.Pure:
        """Exponent of the frontier in compute; those of N, S, B there are alpha_C over their own."""
        return 1 / (1 / self.alpha_N + 1 / self.alpha_B + 1 / self.alpha_S)

    def _log_share(self) -> Scalar:
        """Logarithm of the loss on the frontier over the loss of the same model when converged."""
        return jnp.log1p(self.alpha_N / self.alpha_S)

    cite: ClassVar[str] = "su2024unraveling"
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"N": 6.5e13, "S": 2.1e3, "B": 1e30}, 2.0, 1e-15, "an unlimited batch: L(N, S) at Nc, Sc", "kaplan2020"),
        # L = 2 makes B_crit = 2e8 * 2^(-1/0.21); at B = B_crit the steps double, which Sc / 2 = 1.05e3 pays for.
        Case(
            {"N": 6.5e13, "S": 4.2e3, "B": 2e8 * 2 ** (-1 / 0.21)},
            2.0,
            1e-15,
            "twice the steps at the critical batch of that loss",
            "kaplan2020",
        ),
        Case({"N": 33e9, "S": 1e15, "B": 1e8}, 1.8966, 3e-5, "33B converged, recomputed", "su2024"),
    )
    published: ClassVar[Mapping[str, Published]] = {
        "kaplan2020": Published(
            {"Nc": 6.5e13, "Sc": 2.1e3, "Bstar": 2e8, "alpha_N": 0.077, "alpha_S": 0.76, "alpha_B": 0.21},
            source="Kaplan et al. 2020, table 3 and eq. 1.4, read through secondary notes that agree",
            note="WebText2; L(N, S) was fitted with S adjusted by this critical batch",
        ),
        "su2024": Published(
            {"Nc": 1.5e14, "Sc": 2.6e3, "Bstar": 1.7e8, "alpha_N": 0.076, "alpha_S": 0.67, "alpha_B": 0.205},
            source="Su et al. 2024, C4 (recalled, unverified)",
            note="recalled, unverified: the figures could not be read at their source",
        ),
    }


def _newton(excess: Callable[[Scalar], Scalar], start: Scalar) -> Scalar:
    rise = jax.value_and_grad(excess)

    def step(_: int, log_L: Scalar) -> Scalar:
        value, slope = rise(log_L)
        return log_L - value / slope

    return jax.lax.fori_loop(0, _NEWTON_STEPS, step, start)
