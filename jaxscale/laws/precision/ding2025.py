r"""Bit-level scaling laws in quantizing vision generative models (Ding et al. 2025, arXiv 2501.06218).

$$ L(N, b) = E + K (N b)^{-g}\, r_b, \qquad r_b = b^g \left(1 + e^{(b_0 - b)/w}\right) $$

Models that differ in size and in bits per weight lie on one power of their total bits Nb, up to a factor $r_b$ of
the number format; which b makes the factor least is which format to store a model of given memory in. The paper
studies generative models of images, and finds that outlier handling or distillation (its TopKLD) shifts the best b.

The form is recalled, unverified, and no coefficients were found. That of $r_b$ is ours: many bits change
nothing of the loss of N parameters ($r_b \to b^g$), and at $b_0$ bits the reducible loss has doubled, on its way
growing by a factor e every w bits less.
"""

from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case
from jaxscale.core.numerics.powers import power
from jaxscale.core.parametric import param

_NEWTON = 50


class BitLevel(AbstractLaw):
    """Loss of a trained model of N parameters stored in b bits each.

    The form is recalled, unverified; no coefficients were found, and the default is plausible. A method of quantisation
    is a pair (b_0, w); better ones have a lower b_0.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: E, K, g, b_0, w.
    """

    E: q.Nats = param(s.positive, init=1.8, prior=p.LogNormal(1.8, 0.5), doc="loss of an infinite model", linear=True)
    K: q.Nats = param(s.positive, init=400.0, prior=p.LogNormal(400.0, 2.0), doc="cost of finite size", linear=True)
    g: q.Pure = param(s.positive, init=0.34, prior=p.LogNormal(0.3, 0.5), doc="exponent of total bits")
    b_0: q.Bits = param(s.positive, init=2.5, prior=p.LogNormal(3.0, 0.4), doc="bits at which the cost has doubled")
    w: q.Bits = param(s.positive, init=0.7, prior=p.LogNormal(0.7, 0.4), doc="bits that divide the added cost by e")

    def __call__(self, N: q.Params, b: q.Bits) -> q.Nats:
        # (N b)^-g r_b = N^-g (1 + ...): the bits cancel but for the added cost.
        return self.E + self.K * power(N, -self.g) * (1 + jnp.exp((self.b_0 - b) / self.w))

    def format_factor(self, b: q.Bits) -> q.Pure:
        """r_b: what the format adds to the power law in total bits."""
        return jnp.exp(self.g * jnp.log(b) + jnp.log1p(jnp.exp((self.b_0 - b) / self.w)))

    def optimal_bits(self) -> q.Bits:
        """Bits per weight of least loss at given total bits, whatever these are.

        The optimum is w (x + g) for the larger root of x - ln x = b_0/w - g - ln g, in closed form
        x = -W(-g exp(g - b_0/w)) by the lower branch of Lambert's W. NaN where that has no root: then fewer bits are
        always better.
        """
        right = self.b_0 / self.w - self.g - jnp.log(self.g)

        def step(_: int, x: q.Pure) -> q.Pure:
            return x * (right - 1 + jnp.log(x)) / (x - 1)

        start = right + jnp.sqrt(2 * (right - 1)) + 1  # above the root, from where Newton's steps only fall
        return self.w * (self.g + jax.lax.fori_loop(0, _NEWTON, step, start))

    cite: ClassVar[str] = "ding2025dissecting"
    domain: ClassVar[Mapping[str, q.Range]] = {"N": (1e7, 1e11), "b": (2.0, 16.0)}
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"N": 1.0, "b": 2.5}, 1.8 + 2 * 400.0, 1e-15, "at b_0 the cost has doubled"),
    )
