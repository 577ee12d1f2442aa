r"""Unified scaling laws for compressed representations (Panferov et al. 2025, arXiv 2506.01863).

$$ L = \frac{A}{(N \rho(R))^\alpha} + \frac{B}{D^\beta} + E, \qquad
   \rho(R) = L_r \tanh\left(F \log_{1/4} \mathrm{GMSE}(R)\right)^{C_r} $$

GMSE is the mean squared error that a format R leaves of a standard Gaussian (`gaussian_mse` computes it): by that one
number integers, floats, block scales and sparsity compare. $\log_{1/4}$ of it is the bits that an ideal code would
need for the same error. Capacities multiply where several compressions act, such as weights and activations.

The trap: $L_r$ only scales N, as A and $\alpha$ do, so no runs determine it beside A. It is a setting here, 1 by
default: full precision then has capacity 1. The published sets keep theirs.
"""

from collections.abc import Mapping
from math import log
from typing import Annotated, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case, Published
from jaxscale.core.numerics.powers import power
from jaxscale.core.parametric import param

GAUSSIAN_ERROR = q.Quantity(
    "",
    "mean squared error that a format leaves of a standard Gaussian",
    domain=(1e-8, 0.5),
    typical=(1e-4, 0.4),
    nothing=True,
)
GaussianError = Annotated[Float[Array, ""], GAUSSIAN_ERROR]


class CompressedTraining(AbstractLaw):
    """Loss of a transformer of N parameters after D tokens, trained throughout in a format of Gaussian error `gmse`.

    Full precision is gmse = 0. For several compressions at once give the model N times the `capacity` of all but one of
    them. A and B were not retrieved: the published sets give capacities, and no loss until A and B are given or fitted.
    The defaults of A and B are plausible. The paper measured 30M to 200M parameters at 50, 100 and 200 tokens each;
    beyond them the law extrapolates.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: A, alpha, B, beta, E, F, C_r.
    """

    A: q.Nats = param(s.positive, init=30.0, prior=p.LogNormal(30.0, 2.0), doc="cost of finite size", linear=True)
    alpha: q.Pure = param(s.positive, init=0.18, prior=p.LogNormal(0.2, 0.4), doc="size exponent", symbol=r"\alpha")
    B: q.Nats = param(s.positive, init=300.0, prior=p.LogNormal(300.0, 2.0), doc="cost of finite data", linear=True)
    beta: q.Pure = param(s.positive, init=0.26, prior=p.LogNormal(0.3, 0.4), doc="data exponent", symbol=r"\beta")
    E: q.Nats = param(s.positive, init=1.4, prior=p.LogNormal(1.5, 0.5), doc="entropy of text", linear=True)
    F: q.Pure = param(s.positive, init=0.37, prior=p.LogNormal(0.4, 0.4), doc="capacity per ideal bit")
    C_r: q.Pure = param(s.positive, init=1.24, prior=p.LogNormal(1.3, 0.4), doc="steepness at few bits")
    L_r: q.Pure = param(
        s.positive, init=1.0, prior=p.LogNormal(1.0, 0.5), doc="capacity of full precision", estimated=False
    )

    def __call__(self, N: q.Params, D: q.Tokens, gmse: GaussianError) -> q.Nats:
        log_effective = jnp.log(N) + self._log_capacity(gmse)
        return self.E + self.A * jnp.exp(-self.alpha * log_effective) + self.B * power(D, -self.beta)

    def capacity(self, gmse: GaussianError) -> q.Pure:
        """rho: the share of the parameters that full precision would need for the same loss."""
        return jnp.exp(self._log_capacity(gmse))

    def error_for(self, capacity: q.Pure) -> GaussianError:
        """The largest Gaussian error at which a format keeps `capacity`: the inverse of `capacity`."""
        return jnp.exp(-log(4) / self.F * jnp.arctanh(power(capacity / self.L_r, 1 / self.C_r)))

    def params_per_bit(self, gmse: GaussianError, bits: q.Bits) -> q.Pure:
        """Full-precision parameters that a bit of memory is worth: the best format has the most."""
        return self.capacity(gmse) / bits

    def _log_capacity(self, gmse: GaussianError) -> q.Pure:
        rounded = gmse > 0  # no error has infinite bits, of which F has no derivative
        ideal_bits = -jnp.log(jnp.where(rounded, gmse, 0.5)) / log(4)
        return jnp.log(self.L_r) + jnp.where(rounded, self.C_r * jnp.log(jnp.tanh(self.F * ideal_bits)), 0)

    cite: ClassVar[str] = "panferov2025unified"
    reproduced_on: ClassVar[tuple[str, ...]] = ("quest_precision",)
    domain: ClassVar[Mapping[str, q.Range]] = {"N": (3e7, 1e10), "D": (1e9, 1e12), "gmse": (1e-5, 0.4)}
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"N": 1e8, "D": 1e10, "gmse": 0.0}, 30 * 1e8**-0.18 + 300 * 1e10**-0.26 + 1.4, 1e-14, "full precision"),
        # tanh(ln 3 / 2) = 1/2: an error of 4^-(ln 3 / 2 F) has capacity 2^-C_r.
        Case(
            {"N": 1e8, "D": 1e10, "gmse": 4 ** (-log(3) / (2 * 0.37))},
            30 * (1e8 * 2**-1.24) ** -0.18 + 300 * 1e10**-0.26 + 1.4,
            1e-14,
            "closed form where the hyperbolic tangent is one half",
        ),
    )
    published: ClassVar[Mapping[str, Published]] = {
        "llama_c4_capacity": Published(
            {"alpha": 0.13, "beta": 0.33, "E": 1.3, "F": 0.41, "C_r": 1.39, "L_r": 1.0},
            source="Panferov et al. 2025, Llama on C4",
            note="for capacities, not losses: without A and B; alpha +- .05, beta +- .06, E +- .5, L_r +- .7, "
            "F +- .02, C_r +- .08: F and C_r alone are determined",
        ),
        "olmo2_capacity": Published(
            {"alpha": 0.18, "beta": 0.26, "E": 1.4, "F": 0.37, "C_r": 1.24, "L_r": 0.84},
            source="Panferov et al. 2025, OLMo 2",
            note="for capacities, not losses: without A and B; L_r +- .10, F +- .04, C_r +- .13",
        ),
    }
