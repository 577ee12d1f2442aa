r"""Scaling laws and interpretability of learning from repeated data (Hernandez et al. 2022, arXiv 2205.10487).

$$ \ln \frac{N}{N_{eff}} = h \left( \frac{f}{1 - f} \right)^{\gamma} 2^{-x^2}, \quad
   x = \frac{2 \ln R - \ln R_l - \ln R_r}{\ln R_r - \ln R_l}, \quad R_{l,r} = k_{l,r} (N/10^8)^{-a_{l,r}} $$

Where a share f of the training tokens is one small set seen R times over, a model of N parameters is only as good as
one of $N_{eff}$ trained without repeats. The damage is greatest between two numbers of repeats, $R_l$ and $R_r$, which
fall with size: fewer repeats are harmless, and far more are memorised at little cost.

The edges are the paper's ($4.2 \cdot 10^6 N^{-.56}$ and $5.1 \cdot 10^7 N^{-.50}$, taken at $10^8$ parameters to keep
float32 exact). The bump is ours: the paper draws the damage and writes no law of its size. It is half its
height, in $\ln(N/N_{eff})$, at both edges; h and gamma make its top the paper's two round figures, a tenth of the
parameters at f = 50 % and one part in 73 at 90 %. What this predicts for the paper's headline (800M parameters, 10 %
of tokens repeated 100 times) is 294M; the paper has about 400M in its abstract and 340M in its text.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case, Published
from jaxscale.core.numerics.powers import power
from jaxscale.core.parametric import param
from jaxscale.core.quantities import Range

REPEATS = q.Quantity("repeats", "times the repeated share is seen", domain=(1.0, 1e7), typical=(1.0, 1e6))

Repeats = Annotated[Float[Array, ""], REPEATS]


class RepeatedShare(AbstractLaw):
    """Effective parameters of a model of N: a share f of its tokens is a set seen R times, the rest is seen once.

    Put the result in a law of loss in N, such as `KaplanN`. The paper's models have 1.5M to 1B parameters and see
    100B tokens.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: k_l, a_l, k_r, a_r, h, gamma.
    """

    k_l: Repeats = param(
        s.positive, init=139.07507, prior=p.LogNormal(150.0, 0.7), doc="left edge at 1e8 params", symbol="k_l"
    )
    a_l: q.Pure = param(
        s.positive, init=0.56, prior=p.LogNormal(0.55, 0.15), doc="fall of the left edge with size", symbol="a_l"
    )
    k_r: Repeats = param(
        s.positive, init=5100.0, prior=p.LogNormal(5e3, 0.7), doc="right edge at 1e8 params", symbol="k_r"
    )
    a_r: q.Pure = param(
        s.positive, init=0.50, prior=p.LogNormal(0.5, 0.15), doc="fall of the right edge with size", symbol="a_r"
    )
    h: q.Pure = param(
        s.positive, init=2.302585, prior=p.LogNormal(2.0, 0.7), doc="greatest damage at f = 1/2, as a logarithm"
    )
    gamma: q.Pure = param(
        s.positive, init=0.283249, prior=p.LogNormal(0.4, 0.6), doc="growth with the odds of a repeat", symbol=r"\gamma"
    )

    def __call__(self, N: q.Params, f: q.Fraction, R: Repeats) -> q.Params:
        middle, half_width = self._band(N)
        return N * jnp.exp(-self._height(f) * jnp.exp2(-(((jnp.log(R) - middle) / half_width) ** 2)))

    def edges(self, N: q.Params) -> tuple[Repeats, Repeats]:
        """Numbers of repeats between which the damage is more than half of the greatest."""
        middle, half_width = self._band(N)
        return jnp.exp(middle - half_width), jnp.exp(middle + half_width)

    def tolerated(self, N: q.Params, f: q.Fraction, share: q.Fraction) -> Repeats:
        """The most repeats, below the band, that leave `share` of the parameters' worth; infinite where all do."""
        middle, half_width = self._band(N)
        halvings = jnp.log2(self._height(f)) - jnp.log2(-jnp.log(share))
        below = middle - half_width * jnp.sqrt(jnp.maximum(halvings, 0))
        return jnp.where(halvings > 0, jnp.exp(below), jnp.inf)

    def _height(self, f: Float[Array, ""]) -> Float[Array, ""]:
        return self.h * power(f / (1 - f), self.gamma)

    def _band(self, N: Float[Array, ""]) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Middle and half width, both in ln R."""
        size = jnp.log(N / 1e8)
        left, right = jnp.log(self.k_l) - self.a_l * size, jnp.log(self.k_r) - self.a_r * size
        return 0.5 * (left + right), 0.5 * (right - left)

    cite: ClassVar[str] = "hernandez2022scaling"
    domain: ClassVar[Mapping[str, Range]] = {"N": (1.5e6, 1e9), "f": (0.01, 0.9), "R": (1.0, 1e6)}
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"N": 1e8, "f": 0.5, "R": (139.07507 * 5100) ** 0.5}, 1e7, 1e-6, "a tenth at the top, half repeated"),
        Case({"N": 1e8, "f": 0.9, "R": (139.07507 * 5100) ** 0.5}, 1e8 / 73, 1e-5, "one in 73 at the top, 90 %"),
        Case({"N": 1e8, "f": 0.5, "R": 5.1e3}, 1e8 / 10**0.5, 1e-6, "half the damage, as a logarithm, at the edge"),
    )
    published: ClassVar[Mapping[str, Published]] = {
        "derived": Published(
            {"k_l": 139.07507, "a_l": 0.56, "k_r": 5100.0, "a_r": 0.50, "h": 2.302585, "gamma": 0.283249},
            source="Hernandez et al. 2022, edges read through a survey; h and gamma from two figures of its text",
            note=(
                "edges converted from N = 1; h = ln 10 and gamma = ln(ln 73 / ln 10) / ln 9 are derived, not fitted; "
                "unverified at the source"
            ),
        ),
    }
