r"""Scaling laws for sparsely-connected foundation models (Frantar et al. 2023, arXiv 2309.08520).

$$ L(S, N, D) = \left( a_S (1 - S)^{b_S} + c_S \right) N^{-b_N} + (a_D / D)^{b_D} + c $$

S is the share of weights that are zero at the end of training (pruned gradually by magnitude), N the number of those
that are not. So a rising S at equal N is a larger dense model before pruning, and lowers the loss. The trap: read
with N as all weights, the law would say the opposite of what it does.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case, Published
from jaxscale.core.numerics.powers import power, power_ratio
from jaxscale.core.parametric import Change, param

SPARSITY = q.Quantity(
    "", "share of the weights that are zero", positive=False, domain=(0.0, 0.99), typical=(0.0, 0.875)
)
Sparsity = Annotated[Float[Array, ""], SPARSITY]


class SparsePretraining(AbstractLaw):
    """Loss of a model with N non-zero parameters, a share S of all being zero, after D training tokens.

    The default is T5 on C4. For the ViT set D counts images, and the loss is that of classification on JFT.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: a_S, b_S, c_S, b_N, a_D, b_D, c.
    """

    a_S: q.Nats = param(
        s.positive, init=16.8, prior=p.LogNormal(30.0, 1.5), doc="cost that sparsity removes", linear=True
    )
    b_S: q.Pure = param(s.positive, init=0.722, prior=p.LogNormal(0.7, 0.4), doc="sparsity exponent")
    c_S: q.Nats = param(s.positive, init=45.0, prior=p.LogNormal(60.0, 1.5), doc="cost that it cannot", linear=True)
    b_N: q.Pure = param(s.positive, init=0.245, prior=p.LogNormal(0.3, 0.4), doc="size exponent")
    a_D: q.Tokens = param(s.positive, init=6.9e8, prior=p.LogNormal(5e8, 1.5), doc="data for one nat of the data term")
    b_D: q.Pure = param(s.positive, init=0.203, prior=p.LogNormal(0.3, 0.6), doc="data exponent")
    c: q.Nats = param(s.positive, init=0.651, prior=p.LogNormal(1.0, 0.8), doc="loss without limits", linear=True)

    def __call__(self, S: Sparsity, N: q.Params, D: q.Tokens) -> q.Nats:
        return self._cost(S) * power(N, -self.b_N) + power_ratio(self.a_D, D, self.b_D) + self.c

    def scaling(self, c: Float[Array, ""]) -> dict[str, Change]:
        return {**super().scaling(c), "a_D": Change(c ** (1 / self.b_D))}

    def _cost(self, S: Sparsity) -> q.Nats:
        return self.a_S * jnp.exp(self.b_S * jnp.log1p(-S)) + self.c_S

    def dense_equivalent(self, S: Sparsity, N: q.Params) -> q.Params:
        """Parameters of a dense model of equal loss, for any amount of data."""
        return N * jnp.exp((jnp.log(self.a_S + self.c_S) - jnp.log(self._cost(S))) / self.b_N)

    def sparsity_for(self, gain: q.Pure) -> Sparsity:
        """The sparsity at which N parameters do what `gain` times as many dense ones do.

        NaN from the factor ((a_S + c_S) / c_S)^(1/b_N) on, which no sparsity reaches.
        """
        left = (self.a_S + self.c_S) * power(gain, -self.b_N) - self.c_S
        return -jnp.expm1(jnp.log(left / self.a_S) / self.b_S)

    cite: ClassVar[str] = "frantar2023scaling"
    domain: ClassVar[Mapping[str, q.Range]] = {"S": (0.0, 0.95), "N": (1e6, 1e10), "D": (1e8, 1e12)}
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"S": 0.0, "N": 1.0, "D": 6.9e8}, 16.8 + 45.0 + 1.0 + 0.651, 1e-15, "every power is 1", "t5_c4"),
        Case({"S": 0.0, "N": 1.0, "D": 2.37e8}, 294.0 + 468.0 + 1.0 + 4.517, 1e-15, "every power is 1", "vit_jft"),
        Case(
            {"S": 0.75, "N": 1e8, "D": 1e10},
            (16.8 * 0.25**0.722 + 45.0) * 1e8**-0.245 + 0.069**0.203 + 0.651,
            1e-14,
            "the published constants in the printed formula",
            "t5_c4",
        ),
    )
    published: ClassVar[Mapping[str, Published]] = {
        "t5_c4": Published(
            {"a_S": 16.8, "b_S": 0.722, "c_S": 45.0, "b_N": 0.245, "a_D": 6.9e8, "b_D": 0.203, "c": 0.651},
            source="Frantar et al. 2023, T5 on C4",
        ),
        "vit_jft": Published(
            {"a_S": 294.0, "b_S": 0.821, "c_S": 468.0, "b_N": 0.392, "a_D": 2.37e8, "b_D": 0.890, "c": 4.517},
            source="Frantar et al. 2023, ViT on JFT-4B",
        ),
    }
