r"""Data mixing laws (Ye et al. 2024, arXiv 2403.16952).

$$ L(r) = c + k \exp\left(\sum_j t_j r_j\right), \quad \sum_j r_j = 1 $$

The loss on one validation domain of models that differ in the mixture r of training domains alone. On the simplex k
and t are one: k times $e^d$ and every $t_j$ less by d predict the same. So k is held, at one nat, and
$e^{t_j}$ is what training on domain j alone leaves above the floor c.

A mean of such losses over validation domains is convex in r: it has one best mixture.
"""

from typing import Annotated, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case
from jaxscale.core.parametric import Change, param

PerDomain = Annotated[Float[Array, "domain"], q.PURE]


class DataMixing(AbstractLaw):
    """Loss on one validation domain of a model trained on shares h of the domains, for one size and amount of data.

    There are three domains by default: `DataMixing(t=jnp.zeros(7))` has seven.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: c, t.
    """

    c: q.Nats = param(s.positive, init=1.5, prior=p.LogNormal(1.5, 0.5), doc="loss without any cost", linear=True)
    t: PerDomain = param(
        s.real,
        init=(-1.0, 0.5, 0.8),
        prior=p.Normal(0.0, 1.0),
        doc="logarithm of what each domain alone leaves above c",
    )
    k: q.Nats = param(s.positive, init=1.0, prior=p.LogNormal(1.0, 1.0), doc="unit of the exponential", estimated=False)

    def __call__(self, h: q.Mixture) -> q.Nats:
        return self.c + self.k * jnp.exp(jnp.sum(self.t * h))

    def scaling(self, c: Float[Array, ""]) -> dict[str, Change]:
        return {"c": Change(c), "t": Change(jnp.ones_like(c), jnp.log(c))}

    cite: ClassVar[str] = "ye2024data"
    reproduced_on: ClassVar[tuple[str, ...]] = ("mixture_slimpajama_dmsl",)
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"h": (0.0, 1.0, 0.0)}, 1.5 + 1.6487212707001282, 1e-15, "the second domain alone: e^t above c"),
        Case({"h": (0.5, 0.25, 0.25)}, 1.5 + 0.8394570207692074, 1e-14, "exp(-0.5 + 0.125 + 0.2), by hand"),
    )
