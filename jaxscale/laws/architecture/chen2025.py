r"""Parallel scaling law for language models (Chen et al. 2025, ParScale, arXiv 2505.10475).

$$ L(N, P) = E + \left( \frac{A}{N (k \ln P + 1)} \right)^{\alpha} $$

P copies of the input, each with a prefix of its own, pass through the same N weights and are averaged with learnt
weights: P streams are worth $k \ln P + 1$ times the parameters. Compute, of training too, grows P-fold all the same.

Traps. The logarithm is natural. N leaves out embeddings and counts the added weights (about 0.2 % per stream). The
authors' code keeps A in billions of parameters; here it is in parameters. All runs saw 42B tokens, so that E holds
the cost of finite data too. The form is empirical, seen up to P = 8 only.
"""

from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case, Published
from jaxscale.core.numerics.powers import power_ratio
from jaxscale.core.parametric import Change, param

_BILLION = 1e9
_SOURCE = "Chen et al. 2025, section 3.2; recalled, unverified beyond two digits of k"


class ParallelStreams(AbstractLaw):
    """Training loss of a transformer with N weights (embeddings excluded) and P parallel streams, at 42B tokens.

    The default is the fit to the Pile. Losses of different corpora do not compare.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: E, k; to a factor of 2: A, alpha.
    """

    E: q.Nats = param(
        s.positive, init=1.288766, prior=p.LogNormal(1.0, 0.5), doc="loss of an infinite model", linear=True
    )
    A: q.Params = param(s.positive, init=0.197372 * _BILLION, prior=p.LogNormal(5e7, 2.0), doc="size of excess loss 1")
    alpha: q.Pure = param(s.positive, init=0.196336, prior=p.LogNormal(0.2, 0.4), doc="size exponent", symbol=r"\alpha")
    k: q.Pure = param(s.positive, init=0.334456, prior=p.LogNormal(0.35, 0.6), doc="worth of e-fold more streams")

    def __call__(self, N: q.Params, P: q.Streams) -> q.Nats:
        return self.E + power_ratio(self.A, N, self.alpha) * jnp.exp(-self.alpha * jnp.log1p(self.k * jnp.log(P)))

    def scaling(self, c: Float[Array, ""]) -> dict[str, Change]:
        return {**super().scaling(c), "A": Change(c ** (1 / self.alpha))}

    def effective_parameters(self, N: q.Params, P: q.Streams) -> q.Params:
        """Size of the model of one stream with the same loss."""
        return N * (1 + self.k * jnp.log(P))

    def streams_for(self, ratio: q.Pure) -> q.Streams:
        """Streams that are worth `ratio` times the parameters: exponential in it."""
        return jnp.exp((ratio - 1) / self.k)

    cite: ClassVar[str] = "chen2025parallel"
    reproduced_on: ClassVar[tuple[str, ...]] = ("parallel_scaling",)
    domain: ClassVar[Mapping[str, q.Range]] = {"N": (5e8, 5e9), "P": (1.0, 8.0)}
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"N": 0.197372e9, "P": 1.0}, 2.288766, 1e-13, "one nat above E at N = A and one stream", "pile"),
        # Runs of the paper; its fits are good to half a percent.
        Case({"N": 1571472384, "P": 1.0}, 1.9539, 0.005, "measured, 1.6B on the Pile", "pile"),
        Case({"N": 1595669000, "P": 8.0}, 1.0383, 0.005, "measured, 1.6B on Stack-V2 Python, 8 streams", "stack"),
    )
    published: ClassVar[Mapping[str, Published]] = {
        "pile": Published(
            {"E": 1.288766, "A": 0.197372 * _BILLION, "alpha": 0.196336, "k": 0.334456},
            _SOURCE,
            "24 runs on the Pile; a fit to them by jaxscale agrees to 0.1 %",
        ),
        "stack": Published(
            {"E": 0.691237, "A": 0.0113008 * _BILLION, "alpha": 0.189371, "k": 0.393463},
            _SOURCE,
            "24 runs on Stack-V2 Python; a fit to them by jaxscale agrees to 0.1 %",
        ),
    }
