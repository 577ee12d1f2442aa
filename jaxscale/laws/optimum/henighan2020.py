r"""Scaling laws for autoregressive generative modeling (Henighan et al. 2020, arXiv 2010.14701): the optimal size.

$$ N_{opt}(C) = (C/C_0)^{\beta}, \qquad D_{opt} = \frac{C}{6 N_{opt}} \propto N_{opt}^{(1-\beta)/\beta} $$

Read off the convex hull of loss against compute, domain by domain, without a correction for the batch; embeddings are
excluded. Exponents are near 0.7 everywhere; Hoffmann et al. 2022 and Porian et al. 2024 find 0.5 for language. The
paper gives $C_0$ in petaflop-days; the sets here are converted to FLOP (1 PFd = 8.64e19 FLOP). With two digits of
$\beta$, $N_{opt}$ far from the measured range is loose.
"""

from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.flops import FLOP_PER_PARAM_TOKEN, PETAFLOP_DAY
from jaxscale.core.law import AbstractLaw, Case, Published
from jaxscale.core.parametric import param


class HenighanOptimalSize(AbstractLaw):
    """Parameters (embeddings excluded) of the model of least loss at C FLOP, in one domain of data.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: C0, beta.
    """

    C0: q.Flops = param(
        s.positive,
        init=3.3e-13 * PETAFLOP_DAY,
        prior=p.LogNormal(1e8, 3.0),
        doc="compute for which one parameter is optimal",
        symbol="C_0",
    )
    beta: q.Pure = param(s.unit_interval, init=0.73, prior=p.Beta(14.0, 6.0), doc="size exponent", symbol=r"\beta")

    def __call__(self, C: q.Flops) -> q.Params:
        # exp(beta (log C - log C0)) rounds by 3e-6 in float32, as logarithms reach 60; the library's power does not.
        return jnp.power(C / self.C0, self.beta)

    def compute_optimal(self, C: q.Flops) -> tuple[q.Params, q.Tokens]:
        """The optimal size, and the tokens that C = 6ND leaves for it."""
        N = self(C)
        return N, C / (jnp.asarray(FLOP_PER_PARAM_TOKEN, N.dtype) * N)

    @property
    def data_exponent(self) -> q.Pure:
        """Exponent with which the optimal data grow with the optimal size: 0.37 for language."""
        return (1 - self.beta) / self.beta

    cite: ClassVar[str] = "henighan2020scaling"
    cases: ClassVar[tuple[Case, ...]] = (
        Case(
            {"C": 8.64e19}, 1.3e9, 0.05 / 1.3, "1.3e9 at one petaflop-day, Kaplan et al. 2020", "henighan2020_language"
        ),
        Case({"C": 4.8e-12 * 8.64e19 * 1e16}, 1e12, 1e-12, "(1e16)^0.75 by hand", "henighan2020_image_16x16"),
    )
    published: ClassVar[Mapping[str, Published]] = {
        f"henighan2020_{domain}": Published(
            {"C0": pfd * PETAFLOP_DAY, "beta": beta},
            source="Henighan et al. 2020, table 1, N_opt(C)",
            note=f"C0 converted from {pfd:g} PFd",
        )
        for domain, pfd, beta in (
            ("language", 3.3e-13, 0.73),
            ("image_8x8", 5.3e-14, 0.64),
            ("image_16x16", 4.8e-12, 0.75),
            ("image_32x32", 1.6e-13, 0.65),
            ("image_vq_16x16", 6.2e-14, 0.64),
            ("image_vq_32x32", 9.4e-13, 0.70),
            ("text_to_image_image", 9.4e-13, 0.70),
            ("image_to_text_image", 3.3e-12, 0.72),
            ("video_vq_16x16x16", 1.13e-12, 0.71),
            ("math", 2.3e-12, 0.69),
        )
    }
