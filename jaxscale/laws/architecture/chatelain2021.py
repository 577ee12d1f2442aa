r"""Is the number of trainable parameters all that matters? (Chatelain et al. 2021, arXiv 2109.11928).

$$ L(N, F) = \left( \frac{N_c}{N + \kappa F} \right)^{\alpha_N} $$

The law of Kaplan et al. 2020 in an effective size that counts each of F frozen parameters as $\kappa$ trainable ones.
The paper concludes that frozen parameters are worth nothing, $\kappa = 0$. Where they are worth something, freezing
pays as soon as they save more than they cost: see `relative_worth`.

Filipovich et al. 2022 (arXiv 2210.14593) ask the same of a cheaper method of training: see `needed_saving`. They find
that direct feedback alignment has the larger loss at every compute, and never pays; no coefficients were retrieved.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case
from jaxscale.core.numerics.powers import power_ratio
from jaxscale.core.parametric import Change, param

FROZEN = q.Quantity("params", "frozen parameters of a model", domain=(1e6, 1e13), typical=(1e7, 1e10), nothing=True)
Frozen = Annotated[Float[Array, ""], FROZEN]


class FrozenParameters(AbstractLaw):
    """Loss of a transformer with N trainable and F frozen parameters, embeddings excluded, on ample data.

    F = 0 is the paper's baseline, a model that is trained whole.

    No coefficients were retrieved: the defaults are those of Kaplan et al. 2020 for N alone and, so that there is
    something to estimate, a worth of one tenth. Near the paper's kappa = 0 its logarithm has no lower bound.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: Nc, alpha_N, kappa.
    """

    Nc: q.Params = param(
        s.positive, init=8.8e13, prior=p.LogNormal(1e14, 5.0), doc="size at which the loss is 1", symbol="N_c"
    )
    alpha_N: q.Pure = param(
        s.positive, init=0.076, prior=p.LogNormal(0.07, 0.6), doc="size exponent", symbol=r"\alpha_N"
    )
    kappa: q.Pure = param(
        s.positive, init=0.1, prior=p.LogNormal(0.05, 2.0), doc="worth of a frozen parameter", symbol=r"\kappa"
    )

    def __call__(self, N: q.Params, F: Frozen) -> q.Nats:
        return power_ratio(self.Nc, self.effective_parameters(N, F), self.alpha_N)

    def scaling(self, c: Float[Array, ""]) -> dict[str, Change]:
        return {"Nc": Change(c ** (1 / self.alpha_N))}

    def effective_parameters(self, N: q.Params, F: Frozen) -> q.Params:
        """Trainable parameters that would do as well."""
        return N + self.kappa * F

    def relative_worth(self, cost: q.Pure) -> q.Pure:
        """Worth of frozen parameters per cost, over that of trainable ones: above 1, freezing pays.

        `cost` is what a frozen parameter costs of a trainable one: 2/3 where its gradient is left out of the
        6 FLOP per token, as that of its input is still needed.
        """
        return self.kappa / cost

    cite: ClassVar[str] = "chatelain2021number"
    domain: ClassVar[Mapping[str, q.Range]] = {"N": (1e6, 1e10), "F": (1e6, 1e10)}
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"N": 8.7e13, "F": 1e13}, 1.0, 1e-14, "N + 0.1 F = Nc"),
        Case({"N": 8.8e13, "F": 0.0}, 1.0, 1e-14, "nothing frozen, N = Nc"),
        Case({"N": 4.4e3, "F": 4.4e4}, 10**0.76, 1e-13, "ten decades below Nc"),
    )


def needed_saving(L: q.Nats, Cc: q.Flops, alpha: q.Pure, cheap_Cc: q.Flops, cheap_alpha: q.Pure) -> q.Fraction:
    r"""Share of the compute per step that a cheaper method must save to reach loss L at less cost.

    Both methods follow $L = (C_c/C)^{\alpha}$ in the compute that full training spends on as many steps (Filipovich
    et al. 2022), so that $C(L) = C_c L^{-1/\alpha}$. Saving s pays iff (1 - s) C_cheap(L) < C_full(L); a negative
    answer means that the method pays without any saving, one near 1 that it would have to save nearly all compute.
    """
    full, cheap = (jnp.log(scale) - jnp.log(L) / a for scale, a in ((Cc, alpha), (cheap_Cc, cheap_alpha)))
    return -jnp.expm1(full - cheap)
