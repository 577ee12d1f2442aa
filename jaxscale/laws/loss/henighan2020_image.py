r"""Scaling laws for autoregressive generative modeling (Henighan et al. 2020, arXiv 2010.14701): images and their text.

$$ L(C) = L_\infty + K (C/1\,\mathrm{PFd})^{-\alpha}, \qquad K = (x_0/1\,\mathrm{PFd})^{\alpha} $$
$$ \mathrm{Infogain}(N) = I(text, image) / L_{text} = \lambda \ln(N/N_c) $$

Table 3 gives losses per image instead of per token, with $x_0$ of up to 3e26 petaflop-days. That exceeds float32, and
is no number to convert: from tokens to images $x_0$ grows by tokens$^{1/\alpha}$, which two digits of $\alpha$ leave
open by a factor of 4 (8 x 8) to 3,000 (32 x 32). The reducible loss K at one petaflop-day simply grows by the number of
tokens, and is at most a few hundred nats; it is the parameter here.
"""

from collections.abc import Mapping
from math import log
from typing import Annotated, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.flops import PETAFLOP_DAY
from jaxscale.core.law import AbstractLaw, Case, Published
from jaxscale.core.numerics.powers import power
from jaxscale.core.parametric import param

NATS_PER_IMAGE = q.Quantity("nats/image", "cross-entropy loss in nats per image", size=2000.0)

NatsPerImage = Annotated[Float[Array, ""], NATS_PER_IMAGE]

_LOG_PFD = log(PETAFLOP_DAY)


class HenighanImage(AbstractLaw):
    """Least loss reached with C FLOP (embeddings excluded, batch not corrected) by a model of images, per image.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: Linf; to a factor of 2: K, alpha.
    """

    Linf: NatsPerImage = param(
        s.positive,
        init=2026.0,
        prior=p.LogNormal(2000.0, 1.0),
        doc="entropy of an image",
        symbol=r"L_\infty",
        linear=True,
    )
    K: NatsPerImage = param(
        s.positive,
        init=(1.7e10) ** 0.16,
        prior=p.LogNormal(60.0, 1.5),
        doc="loss above the entropy at one petaflop-day",
        linear=True,
    )
    alpha: q.Pure = param(s.positive, init=0.16, prior=p.LogNormal(0.14, 0.5), doc="compute exponent", symbol=r"\alpha")

    def __call__(self, C: q.Flops) -> NatsPerImage:
        return self.Linf + self.K * jnp.exp(-self.alpha * (jnp.log(C) - _LOG_PFD))

    def compute_to_within(self, nats: NatsPerImage) -> q.Flops:
        """FLOP at which the loss is `nats` above the entropy of an image."""
        return PETAFLOP_DAY * power(self.K / nats, 1 / self.alpha)

    cite: ClassVar[str] = "henighan2020scaling"
    cases: ClassVar[tuple[Case, ...]] = (
        # 10^(10 x 0.16) 1.7^0.16 = 39.81 x 1.08860 by hand.
        Case({"C": 8.64e19}, 2026 + 43.3387, 1e-6, "one petaflop-day", "henighan2020_image_16x16"),
        Case({"C": 1.7e10 * 8.64e19}, 2027.0, 1e-14, "at x0 one nat above the entropy", "henighan2020_image_16x16"),
    )
    published: ClassVar[Mapping[str, Published]] = {
        f"henighan2020_{domain}": Published(
            {"Linf": Linf, "K": pfd**alpha, "alpha": alpha},
            source="Henighan et al. 2020, table 3",
            note=f"K from x0 = {pfd:g} PFd{note}",
        )
        for domain, Linf, pfd, alpha, note in (
            (
                "image_8x8",
                602.0,
                1.9e3,
                0.19,
                "; K is 4.2 nats, where table 1 makes it 6.5 (as x0 = 1.9e4 would): a digit seems to be lost",
            ),
            ("image_16x16", 2026.0, 1.7e10, 0.16, ""),
            ("image_32x32", 6806.0, 2.7e26, 0.10, ""),
            ("image_vq_16x16", 1047.0, 4.7e15, 0.11, ""),
            ("image_vq_32x32", 3246.0, 3.1e19, 0.12, ""),
        )
    }


class InformationGain(AbstractLaw):
    """Share of a text's nats that its image tells a model of N parameters: (loss without - loss with) / without.

    The paper shows lambda and N_c in a figure only; no coefficients were published, and the default is plausible.
    The same form holds for the mutual information itself, with lambda in nats.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: lam, Nc.
    """

    lam: q.Fraction = param(
        s.positive,
        init=0.02,
        prior=p.LogNormal(0.02, 0.7),
        doc="gain per e-fold of size",
        symbol=r"\lambda",
        linear=True,
    )
    Nc: q.Params = param(s.positive, init=1e5, prior=p.LogNormal(1e5, 1.5), doc="size that gains nothing", symbol="N_c")

    def __call__(self, N: q.Params) -> q.Fraction:
        return self.lam * (jnp.log(N) - jnp.log(self.Nc))

    def log_largest(self) -> q.Pure:
        r"""Logarithm of the size at which the law would leave nothing of the text untold: $\ln N_c + 1/\lambda$."""
        return jnp.log(self.Nc) + 1 / self.lam

    cite: ClassVar[str] = "henighan2020scaling"
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"N": 1e10}, 0.02 * 5 * log(10.0), 1e-14, "five decades above the size that gains nothing"),
        Case({"N": 1e5}, 0.0, 0.0, "at N_c"),
    )
