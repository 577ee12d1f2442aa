r"""Scaling laws for autoregressive generative modeling (Henighan et al. 2020, arXiv 2010.14701).

$$ L(x) = L_\infty + (x_0 / x)^{\alpha}, \qquad x \in \{N, D, C\} $$

$L_\infty$ reads as the entropy of the data and the power term as the divergence of the model from it. One class
per scaled quantity, because x and $x_0$ carry its unit. The paper gives compute in petaflop-days; the sets here
are converted to FLOP (1 PFd = 8.64e19 FLOP).

Domains in which the paper found no floor (language, and text given or giving an image) follow the pure power law
$(x_0/x)^\alpha$: their sets are published on `KaplanN` and `KaplanC`, which have that form, and not here, where a
floor of zero lies outside the support and would leave the fit a parameter on its edge.
"""

from collections.abc import Mapping
from typing import ClassVar

from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.flops import PETAFLOP_DAY
from jaxscale.core.law import AbstractLaw, Case, Published
from jaxscale.core.numerics.powers import power_ratio
from jaxscale.core.parametric import Change, param

type Scalar = Float[Array, ""]

_TABLE = "Henighan et al. 2020, table 1"


def _power_plus_constant(x: Scalar, Linf: Scalar, x0: Scalar, alpha: Scalar) -> Scalar:
    return Linf + power_ratio(x0, x, alpha)


class HenighanN(AbstractLaw):
    """Converged loss of a model with N parameters (embeddings excluded), in nats per token of its domain.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: Linf; to a factor of 2: alpha; open: x0.
    """

    Linf: q.Nats = param(
        s.positive,
        init=2.20,
        prior=p.LogNormal(2.0, 0.7),
        doc="entropy of the data",
        symbol=r"L_\infty",
        linear=True,
    )
    x0: q.Params = param(
        s.positive, init=63.0, prior=p.LogNormal(1e5, 5.0), doc="size one nat above the floor", symbol="x_0"
    )
    alpha: q.Pure = param(s.positive, init=0.13, prior=p.LogNormal(0.17, 0.6), doc="size exponent", symbol=r"\alpha")

    def __call__(self, N: q.Params) -> q.Nats:
        return _power_plus_constant(N, self.Linf, self.x0, self.alpha)

    def scaling(self, c: Float[Array, ""]) -> dict[str, Change]:
        return {**super().scaling(c), "x0": Change(c ** (1 / self.alpha))}

    cite: ClassVar[str] = "henighan2020scaling"
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"N": 63e10}, 2.20 + 0.05011872, 1e-8, "x/x0 = 1e10, 10^-1.3 by hand", "henighan2020_image_32x32"),
        Case({"N": 1.1e4}, 1.28, 1e-15, "at x0 the loss is one nat above the floor", "henighan2020_math"),
    )
    published: ClassVar[Mapping[str, Published]] = {
        f"henighan2020_{domain}": Published({"Linf": Linf, "x0": x0, "alpha": alpha}, source=f"{_TABLE}, L(N)")
        for domain, Linf, x0, alpha in (
            ("image_8x8", 3.12, 8.0e1, 0.24),
            ("image_16x16", 2.64, 2.8e2, 0.22),
            ("image_32x32", 2.20, 6.3e1, 0.13),
            ("image_vq_16x16", 3.99, 2.7e4, 0.13),
            ("image_vq_32x32", 3.07, 1.9e4, 0.14),
            ("text_to_image_image", 2.0, 5.1e3, 0.16),
            ("image_to_text_image", 2.0, 5.5e3, 0.15),
            ("video_vq_16x16x16", 1.01, 3.7e4, 0.24),
            ("math", 0.28, 1.1e4, 0.16),
        )
    }


class HenighanD(AbstractLaw):
    """Loss of a large model after training on D tokens, in nats per token of its domain.

    No parameter set was printed; the default is the data term of `Chinchilla` (B = 410.7, beta = 0.28) over
    its entropy of text, written with $x_0 = B^{1/\\beta}$.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: Linf, x0, alpha.
    """

    Linf: q.Nats = param(
        s.positive,
        init=1.69,
        prior=p.LogNormal(2.0, 0.7),
        doc="entropy of the data",
        symbol=r"L_\infty",
        linear=True,
    )
    x0: q.Tokens = param(
        s.positive, init=2.17e9, prior=p.LogNormal(1e8, 5.0), doc="data one nat above the floor", symbol="x_0"
    )
    alpha: q.Pure = param(s.positive, init=0.28, prior=p.LogNormal(0.2, 0.6), doc="data exponent", symbol=r"\alpha")

    def __call__(self, D: q.Tokens) -> q.Nats:
        return _power_plus_constant(D, self.Linf, self.x0, self.alpha)

    def scaling(self, c: Float[Array, ""]) -> dict[str, Change]:
        return {**super().scaling(c), "x0": Change(c ** (1 / self.alpha))}

    cite: ClassVar[str] = "henighan2020scaling"
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"D": 2.17e9}, 2.69, 1e-15, "at x0 the loss is one nat above the floor"),
        # 410.7 / (1.4e12)^0.28 = 0.1633; x0 carries three digits, which the exponent 0.28 turns into 7e-4.
        Case({"D": 1.4e12}, 1.69 + 0.1633, 2e-4, "the data term of eq. 10 of Hoffmann et al. 2022"),
    )


class HenighanC(AbstractLaw):
    """Least loss reached with C FLOP (embeddings excluded, batch not corrected), in nats per token of its domain.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: Linf; to a factor of 2: alpha; open: x0.
    """

    Linf: q.Nats = param(
        s.positive,
        init=2.21,
        prior=p.LogNormal(2.0, 0.7),
        doc="entropy of the data",
        symbol=r"L_\infty",
        linear=True,
    )
    x0: q.Flops = param(
        s.positive,
        init=3.6e-9 * PETAFLOP_DAY,
        prior=p.LogNormal(1e15, 5.5),
        doc="compute one nat above the floor",
        symbol="x_0",
    )
    alpha: q.Pure = param(s.positive, init=0.10, prior=p.LogNormal(0.14, 0.6), doc="compute exponent", symbol=r"\alpha")

    def __call__(self, C: q.Flops) -> q.Nats:
        return _power_plus_constant(C, self.Linf, self.x0, self.alpha)

    def scaling(self, c: Float[Array, ""]) -> dict[str, Change]:
        return {**super().scaling(c), "x0": Change(c ** (1 / self.alpha))}

    cite: ClassVar[str] = "henighan2020scaling"
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"C": 36.0 * 8.64e19}, 2.31, 1e-14, "x/x0 = 1e10, alpha = 0.1", "henighan2020_image_32x32"),
        Case({"C": 1.5552e12}, 4.13, 1e-14, "x0 = 1.8e-8 PFd = 1.5552e12 FLOP", "henighan2020_image_8x8"),
    )
    published: ClassVar[Mapping[str, Published]] = {
        f"henighan2020_{domain}": Published(
            {"Linf": Linf, "x0": pfd * PETAFLOP_DAY, "alpha": alpha},
            source=f"{_TABLE}, L(C)",
            note=f"x0 converted from {pfd:g} PFd; {note}" if note else f"x0 converted from {pfd:g} PFd",
        )
        for domain, Linf, pfd, alpha, note in (
            ("image_8x8", 3.13, 1.8e-8, 0.19, ""),
            ("image_16x16", 2.64, 1.6e-8, 0.16, ""),
            ("image_32x32", 2.21, 3.6e-9, 0.10, ""),
            ("image_vq_16x16", 4.09, 6.1e-7, 0.11, ""),
            ("image_vq_32x32", 3.17, 2.6e-6, 0.12, ""),
            ("text_to_image_image", 1.93, 1.5e-6, 0.15, "copies of the table differ: 1.4e-6 or 1.5e-6"),
            ("image_to_text_image", 1.97, 1.5e-6, 0.16, ""),
            ("video_vq_16x16x16", 0.95, 2.2e-5, 0.14, ""),
            ("math", 0.14, 1.4e-5, 0.17, ""),
        )
    }
