r"""Scaling laws for neural language models (Kaplan et al. 2020, arXiv 2001.08361).

$$ L(N) = (N_c/N)^{\alpha_N}, \quad L(D) = (D_c/D)^{\alpha_D}, \quad L(C) = (C_c/C)^{\alpha_C} $$
$$ L(N, D) = \left[ (N_c/N)^{\alpha_N/\alpha_D} + D_c/D \right]^{\alpha_D} $$
$$ L(N, S) = (N_c/N)^{\alpha_N} + (S_c/S)^{\alpha_S} $$

None has a floor, which forces small exponents; $N_c$ and $\alpha_N$ are then nearly collinear, and $N_c$ alone
means little. Constants depend on vocabulary and tokeniser (WebText2 there). `KaplanN` and `KaplanC` also hold the
floorless rows of table 1 of Henighan et al. 2020 (arXiv 2010.14701), which have the same form.
"""

from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.flops import PETAFLOP_DAY
from jaxscale.core.law import AbstractLaw, Case, Published
from jaxscale.core.numerics.powers import power_ratio, split_between_powers
from jaxscale.core.parametric import Change, param

_SECONDARY = "read through secondary notes that agree"
_HENIGHAN = "Henighan et al. 2020, table 1"


class KaplanN(AbstractLaw):
    """Converged loss of a transformer with N parameters, embeddings excluded, on unlimited data.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: Nc, alpha_N.
    """

    Nc: q.Params = param(
        s.positive, init=8.8e13, prior=p.LogNormal(1e14, 5.0), doc="size at which the loss is 1", symbol="N_c"
    )
    alpha_N: q.Pure = param(
        s.positive, init=0.076, prior=p.LogNormal(0.07, 0.6), doc="size exponent", symbol=r"\alpha_N"
    )

    def __call__(self, N: q.Params) -> q.Nats:
        return power_ratio(self.Nc, N, self.alpha_N)

    def scaling(self, c: Float[Array, ""]) -> dict[str, Change]:
        return {"Nc": Change(c ** (1 / self.alpha_N))}

    cite: ClassVar[str] = "kaplan2020scaling"
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"N": 8.8e13}, 1.0, 1e-15, "the loss is 1 at N = Nc", "kaplan2020"),
        Case({"N": 8.8e3}, 10**0.76, 1e-13, "ten decades below Nc", "kaplan2020"),
    )
    published: ClassVar[Mapping[str, Published]] = {
        "kaplan2020": Published(
            {"Nc": 8.8e13, "alpha_N": 0.076}, source=f"Kaplan et al. 2020, eq. 1.1, {_SECONDARY}", note="WebText2"
        ),
        "henighan2020_language": Published({"Nc": 1.47e14, "alpha_N": 0.070}, source=f"{_HENIGHAN}, L(N)"),
        "henighan2020_text_to_image_text": Published({"Nc": 5.6e8, "alpha_N": 0.037}, source=f"{_HENIGHAN}, L(N)"),
        "henighan2020_image_to_text_text": Published({"Nc": 7.0e8, "alpha_N": 0.039}, source=f"{_HENIGHAN}, L(N)"),
    }


class KaplanD(AbstractLaw):
    """Loss of a large transformer stopped early on a data set of D tokens that it sees more than once.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: Dc, alpha_D.
    """

    Dc: q.Tokens = param(
        s.positive, init=5.4e13, prior=p.LogNormal(1e14, 5.0), doc="data at which the loss is 1", symbol="D_c"
    )
    alpha_D: q.Pure = param(
        s.positive, init=0.095, prior=p.LogNormal(0.09, 0.6), doc="data exponent", symbol=r"\alpha_D"
    )

    def __call__(self, D: q.Tokens) -> q.Nats:
        return power_ratio(self.Dc, D, self.alpha_D)

    def scaling(self, c: Float[Array, ""]) -> dict[str, Change]:
        return {"Dc": Change(c ** (1 / self.alpha_D))}

    cite: ClassVar[str] = "kaplan2020scaling"
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"D": 5.4e13}, 1.0, 1e-15, "the loss is 1 at D = Dc", "kaplan2020"),
        Case({"D": 5.4e3}, 10**0.95, 1e-13, "ten decades below Dc", "kaplan2020"),
    )
    published: ClassVar[Mapping[str, Published]] = {
        "kaplan2020": Published(
            {"Dc": 5.4e13, "alpha_D": 0.095}, source=f"Kaplan et al. 2020, eq. 1.2, {_SECONDARY}", note="WebText2"
        ),
    }


class KaplanC(AbstractLaw):
    """Least loss reached with C FLOP (embeddings excluded), in nats per token.

    In the set `kaplan2020` C is the compute at a batch far below the critical one (the paper's $C_{min}$); in
    `henighan2020_language` C is the compute spent.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: Cc, alpha_C.
    """

    Cc: q.Flops = param(
        s.positive,
        init=3.1e8 * PETAFLOP_DAY,
        prior=p.LogNormal(1e28, 5.5),
        doc="compute at which the loss is 1",
        symbol="C_c",
    )
    alpha_C: q.Pure = param(
        s.positive, init=0.050, prior=p.LogNormal(0.05, 0.6), doc="compute exponent", symbol=r"\alpha_C"
    )

    def __call__(self, C: q.Flops) -> q.Nats:
        return power_ratio(self.Cc, C, self.alpha_C)

    def scaling(self, c: Float[Array, ""]) -> dict[str, Change]:
        return {"Cc": Change(c ** (1 / self.alpha_C))}

    cite: ClassVar[str] = "kaplan2020scaling"
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"C": 1e4 * 8.64e19}, 1.7, 0.05 / 1.7, "loss where L(C) meets L(D), about 1e4 PFd (sec. 6.3)"),
        Case({"C": 8.64e19}, 3.1**0.05 * 10**0.4, 1e-13, "one petaflop-day: (3.1e8)^0.05", "kaplan2020"),
    )
    published: ClassVar[Mapping[str, Published]] = {
        "kaplan2020": Published(
            {"Cc": 3.1e8 * PETAFLOP_DAY, "alpha_C": 0.050},
            source=f"Kaplan et al. 2020, eq. 1.3, {_SECONDARY}",
            note="Cc converted from 3.1e8 PFd; C is compute adjusted to a small batch",
        ),
        "henighan2020_language": Published(
            {"Cc": 3.47e8 * PETAFLOP_DAY, "alpha_C": 0.048},
            source=f"{_HENIGHAN}, L(C)",
            note="Cc converted from 3.47e8 PFd",
        ),
    }


class KaplanND(AbstractLaw):
    """Loss of a transformer with N parameters (embeddings excluded) stopped early on a data set of D tokens.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: Nc, alpha_N, alpha_D; to a factor of 2: Dc.
    """

    Nc: q.Params = param(
        s.positive, init=6.4e13, prior=p.LogNormal(1e14, 5.0), doc="size at which the loss is 1", symbol="N_c"
    )
    Dc: q.Tokens = param(
        s.positive, init=1.8e13, prior=p.LogNormal(1e13, 5.0), doc="data at which the loss is 1", symbol="D_c"
    )
    alpha_N: q.Pure = param(
        s.positive, init=0.076, prior=p.LogNormal(0.07, 0.5), doc="size exponent", symbol=r"\alpha_N"
    )
    alpha_D: q.Pure = param(
        s.positive, init=0.103, prior=p.LogNormal(0.09, 0.5), doc="data exponent", symbol=r"\alpha_D"
    )

    def __call__(self, N: q.Params, D: q.Tokens) -> q.Nats:
        # The inner powers exceed float32 where alpha_D is small, their logarithms never do.
        size = self.alpha_N / self.alpha_D * (jnp.log(self.Nc) - jnp.log(N))
        data = jnp.log(self.Dc) - jnp.log(D)
        return jnp.exp(self.alpha_D * jnp.logaddexp(size, data))

    def scaling(self, c: Float[Array, ""]) -> dict[str, Change]:
        return {"Nc": Change(c ** (1 / self.alpha_N)), "Dc": Change(c ** (1 / self.alpha_D))}

    def compute_optimal(self, C: q.Flops) -> tuple[q.Params, q.Tokens]:
        r"""N and D of least loss at C = 6ND, in closed form: $N \propto C^{1/(1+\alpha_N/\alpha_D)}$.

        The paper's own allocation, $N \propto C^{0.73}$, comes from L(N, S) and the critical batch instead.
        """
        ratio = self.alpha_N / self.alpha_D
        return split_between_powers(ratio * jnp.log(self.Nc), ratio, jnp.log(self.Dc), jnp.ones_like(self.Dc), C)

    cite: ClassVar[str] = "kaplan2020scaling"
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"N": 6.4e13, "D": 1.8e13}, 2**0.103, 1e-13, "both ratios are one at N = Nc, D = Dc", "kaplan2020"),
        # Half of 1e-12 is what D / Dc = 1e12 leaves of the data term, times alpha_D.
        Case({"N": 6.4e13, "D": 1.8e25}, 1.0, 2e-13, "unlimited data at N = Nc", "kaplan2020"),
    )
    published: ClassVar[Mapping[str, Published]] = {
        "kaplan2020": Published(
            {"Nc": 6.4e13, "Dc": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103},
            source=f"Kaplan et al. 2020, table 2, {_SECONDARY}",
            note="early stopping over many epochs, so D is not a count of tokens processed",
        ),
    }


class KaplanNS(AbstractLaw):
    """Loss of a transformer with N parameters (embeddings excluded) after S optimiser steps on unlimited data.

    S is the number of steps at a batch far above the critical one (the paper's $S_{min}$): for a run of `s`
    steps at batch B it is s / (1 + B_crit / B). The warm-up transient is not described.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: Nc, Sc, alpha_N, alpha_S.
    """

    Nc: q.Params = param(
        s.positive, init=6.5e13, prior=p.LogNormal(1e14, 5.0), doc="size at which its term is 1", symbol="N_c"
    )
    Sc: q.Steps = param(
        s.positive, init=2.1e3, prior=p.LogNormal(2e3, 1.5), doc="steps at which their term is 1", symbol="S_c"
    )
    alpha_N: q.Pure = param(
        s.positive, init=0.077, prior=p.LogNormal(0.07, 0.5), doc="size exponent", symbol=r"\alpha_N"
    )
    alpha_S: q.Pure = param(s.positive, init=0.76, prior=p.LogNormal(0.7, 0.4), doc="step exponent", symbol=r"\alpha_S")

    def __call__(self, N: q.Params, S: q.Steps) -> q.Nats:
        return power_ratio(self.Nc, N, self.alpha_N) + power_ratio(self.Sc, S, self.alpha_S)

    def scaling(self, c: Float[Array, ""]) -> dict[str, Change]:
        return {"Nc": Change(c ** (1 / self.alpha_N)), "Sc": Change(c ** (1 / self.alpha_S))}

    cite: ClassVar[str] = "kaplan2020scaling"
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"N": 6.5e13, "S": 2.1e3}, 2.0, 1e-15, "both terms are one at N = Nc, S = Sc", "kaplan2020"),
        Case({"N": 6.5e13, "S": 2.1e8}, 1.0 + 10**-3.8, 1e-15, "five decades of steps past Sc", "kaplan2020"),
    )
    published: ClassVar[Mapping[str, Published]] = {
        "kaplan2020": Published(
            {"Nc": 6.5e13, "Sc": 2.1e3, "alpha_N": 0.077, "alpha_S": 0.76},
            source=f"Kaplan et al. 2020, table 3, {_SECONDARY}",
            note="S is the step count adjusted to a large batch",
        ),
    }
