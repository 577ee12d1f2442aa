r"""Scaling laws for floating-point quantised training (Sun et al. 2025, arXiv 2501.02423), the "Capybara" law.

$$ L = \frac{n}{N^\alpha} + \frac{d}{D^\beta} + \epsilon
       + \frac{D^\beta}{N^\alpha} \frac{\log_2 B}{\gamma (E + \frac12)^\delta (M + \frac12)^\nu} $$

Of the inputs of matrix products those that the paper calls P2, P4 and P6, and no others, are rounded to floats of E
exponent and M mantissa bits (one more for the sign), in blocks of B elements that share a scale. The last term is the
cost of that: it grows with the data, so that there is a number of tokens beyond which more training makes the model
worse.

Three traps. Base and penalty share the exponents $\alpha$ and $\beta$: an assumption, kept because freely fitted ones
came out near. E and M are small integers that enter as a product of powers, so $\gamma$, $\delta$ and $\nu$ trade
off. A scale per channel counts as $\log_2 B = 13.1567$; a scale per tensor as $\log_2 B = N^w / (\xi D^\eta)$, whose
constants were not retrieved.
"""

from collections.abc import Mapping
from math import log2
from typing import Annotated, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case, Published
from jaxscale.core.numerics.powers import power
from jaxscale.core.parametric import Change, param

EXPONENT = q.Quantity("bits", "exponent bits of a float", positive=False, domain=(0.0, 8.0))
MANTISSA = q.Quantity(
    "bits", "mantissa bits of a float, the hidden one not counted", positive=False, domain=(0.0, 23.0)
)
BLOCK = q.Quantity("elements", "elements that share a scale", domain=(2.0, 65536.0), typical=(16.0, 8192.0))

ExponentBits = Annotated[Float[Array, ""], EXPONENT]
MantissaBits = Annotated[Float[Array, ""], MANTISSA]
Block = Annotated[Float[Array, ""], BLOCK]
CHANNEL = 2**13.1567
"""Block that stands for one scale per channel in the published fit."""


class FloatingPointTraining(AbstractLaw):
    """Loss of a dense transformer trained on D tokens with inputs of matrix products in floats of E and M bits.

    B inputs share a scale. N counts parameters as the paper does; its runs have 41M to 679M of them, 10B to 100B
    tokens of Dolma and up to 7 bits of either kind, and were checked up to 70B.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: n, alpha, beta, epsilon; to a factor of 2: d,
    gamma, delta, nu.
    """

    n: q.Nats = param(s.positive, init=69.2343, prior=p.LogNormal(100.0, 2.0), doc="cost of finite size", linear=True)
    alpha: q.Pure = param(
        s.positive, init=0.2368, prior=p.LogNormal(0.3, 0.4), doc="size exponent, of the penalty too", symbol=r"\alpha"
    )
    d: q.Nats = param(s.positive, init=68973.0621, prior=p.LogNormal(1e4, 3.0), doc="cost of finite data", linear=True)
    beta: q.Pure = param(
        s.positive, init=0.5162, prior=p.LogNormal(0.4, 0.4), doc="data exponent, of the penalty too", symbol=r"\beta"
    )
    epsilon: q.Nats = param(
        s.positive, init=1.9061, prior=p.LogNormal(1.7, 0.5), doc="entropy of text", symbol=r"\epsilon", linear=True
    )
    gamma: q.Pure = param(
        s.positive, init=11334.5197, prior=p.LogNormal(1e4, 2.0), doc="tolerance of low precision", symbol=r"\gamma"
    )
    delta: q.Pure = param(
        s.positive, init=3.1926, prior=p.LogNormal(3.0, 0.4), doc="worth of exponent bits", symbol=r"\delta"
    )
    nu: q.Pure = param(
        s.positive, init=2.9543, prior=p.LogNormal(3.0, 0.4), doc="worth of mantissa bits", symbol=r"\nu"
    )

    def __call__(self, N: q.Params, D: q.Tokens, E: ExponentBits, M: MantissaBits, B: Block) -> q.Nats:
        size = power(N, -self.alpha)
        rounding = jnp.log2(B) * jnp.exp(self.beta * jnp.log(D) - self._log_tolerance(E, M))
        return self.epsilon + self.d * power(D, -self.beta) + size * (self.n + rounding)

    def scaling(self, c: Float[Array, ""]) -> dict[str, Change]:
        return {**super().scaling(c), "gamma": Change(1 / c)}

    def _log_tolerance(self, E: ExponentBits, M: MantissaBits) -> q.Pure:
        return jnp.log(self.gamma) + self.delta * jnp.log(E + 0.5) + self.nu * jnp.log(M + 0.5)

    def critical_tokens(self, N: q.Params, E: ExponentBits, M: MantissaBits, B: Block) -> q.Tokens:
        """Tokens at which the loss is least: more of them add more rounding than they teach."""
        log_ratio = jnp.log(self.d) + self.alpha * jnp.log(N) + self._log_tolerance(E, M) - jnp.log(jnp.log2(B))
        return jnp.exp(log_ratio / (2 * self.beta))

    def best_format(self, P: q.Bits) -> tuple[ExponentBits, MantissaBits]:
        """Exponent and mantissa bits of least loss at P = E + M + 1; to be rounded to a format that exists."""
        share = P / (self.delta + self.nu)
        return self.delta * share - 0.5, self.nu * share - 0.5

    def effective_params(self, N: q.Params, D: q.Tokens, P: q.Bits, B: Block) -> q.Params:
        """Size of an unrounded model of equal loss, for the best format of P bits."""
        log_penalty = self.beta * jnp.log(D) - jnp.log(self.n) - self._log_tolerance_of(P)
        return N * jnp.exp(-jnp.log1p(jnp.log2(B) * jnp.exp(log_penalty)) / self.alpha)

    def optimal_bits(self, D: q.Tokens, B: Block) -> q.Bits:
        """Bits of least loss for D tokens where compute is in proportion to P N D: fewer bits buy a larger model."""
        total = self.delta + self.nu
        log_worth = (
            jnp.log((total - self.alpha) / self.alpha) - jnp.log(self.n) - self._log_tolerance_of(jnp.ones_like(D))
        )
        return jnp.exp((log_worth + self.beta * jnp.log(D) + jnp.log(jnp.log2(B))) / total)

    def _log_tolerance_of(self, P: q.Bits) -> q.Pure:
        return self._log_tolerance(*self.best_format(P))

    cite: ClassVar[str] = "sun2025scaling"
    domain: ClassVar[Mapping[str, q.Range]] = {
        "N": (4e7, 7e10),
        "D": (1e10, 1e13),
        "E": (1.0, 8.0),
        "M": (1.0, 7.0),
        "B": (32.0, 9000.0),
    }
    cases: ClassVar[tuple[Case, ...]] = (
        # log2 B = 0 leaves no penalty and N = D = 1 no power.
        Case({"N": 1.0, "D": 1.0, "E": 4.0, "M": 3.0, "B": 1.0}, 69.2343 + 68973.0621 + 1.9061, 1e-15, "n + d + eps"),
        Case(
            {"N": 1e9, "D": 1e11, "E": 4.0, "M": 3.0, "B": 128.0},
            69.2343 * 1e9**-0.2368
            + 68973.0621 * 1e11**-0.5162
            + 1.9061
            + 1e11**0.5162 / 1e9**0.2368 * log2(128) / (11334.5197 * 4.5**3.1926 * 3.5**2.9543),
            1e-14,
            "the published constants in the printed formula",
        ),
    )
    published: ClassVar[Mapping[str, Published]] = {
        "sun2025": Published(
            {
                "n": 69.2343,
                "alpha": 0.2368,
                "d": 68973.0621,
                "beta": 0.5162,
                "epsilon": 1.9061,
                "gamma": 11334.5197,
                "delta": 3.1926,
                "nu": 2.9543,
            },
            source="Sun et al. 2025, table 2",
            note="final fit to 358 of 366 runs; losses not printed; both exponents are far from Chinchilla's",
        ),
    }
