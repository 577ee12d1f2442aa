r"""Scaling laws for robust comparison of open foundation language-vision models (Nezhurina et al. 2025,
arXiv 2506.04598).

$$ \mathrm{err}(C) = A (C + B)^{-a} + E $$

Error falls from $A B^{-a} + E$ without training to E. B flattens the curve below some 1e17 FLOP, where a model has
learnt next to nothing yet. The paper counts C in GFLOP; here it is in FLOP: $B = 10^9 B_{paper}$ and
$A = 10^{9a} A_{paper}$.

Traps. A is nearly collinear with B, and with a (C is not centred), and only the largest runs say anything of E. The
authors fit the least error of each bin of compute, a minimum over noisy runs: biased low. They leave out runs beyond
1e21 FLOP or 1e10 samples, since beyond some 3e9 samples the data repeat.
"""

from collections.abc import Mapping
from math import exp
from typing import ClassVar, Self

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case, Published
from jaxscale.core.numerics.roots import root
from jaxscale.core.parametric import param

_GFLOP = 1e9
_NO_FLOOR = 1e-15  # printed as 0, which lies on the edge of the support


def _published(A: float, log_B: float, a: float, E: float, what: str, note: str = "") -> Published:
    return Published(
        {"A": A * _GFLOP**a, "B": exp(log_B) * _GFLOP, "a": a, "E": E},
        source=f"Nezhurina et al. 2025, {what}, DataComp-1.4B, earlier tables in the paper's repository",
        note="A and B converted from GFLOP" + note,
    )


class SaturatingCompute(AbstractLaw):
    """Zero-shot error of the best image-text model trained with C FLOP (FLOP per sample times samples seen).

    The default is CLIP's error on ImageNet-1k.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: A, B, a, E.
    """

    A: q.Pure = param(
        s.positive, init=57.862 * 1e9**0.2266, prior=p.LogNormal(1e4, 2.5), doc="cost of finite compute", linear=True
    )
    B: q.Flops = param(
        s.positive, init=exp(18.391) * 1e9, prior=p.LogNormal(1e17, 1.5), doc="compute below which little is learnt"
    )
    a: q.Pure = param(s.positive, init=0.2266, prior=p.LogNormal(0.24, 0.4), doc="compute exponent")
    E: q.Error = param(s.positive, init=0.1112, prior=p.LogNormal(0.1, 1.0), doc="irreducible error", linear=True)

    def __call__(self, C: q.Flops) -> q.Error:
        return jnp.exp(jnp.log(self.A) - self.a * jnp.logaddexp(jnp.log(C), jnp.log(self.B))) + self.E

    def compute_for(self, error: q.Error) -> q.Flops:
        """C at which the error comes down to `error`; NaN at or below E, and above the error without training."""
        C = jnp.exp((jnp.log(self.A) - jnp.log(error - self.E)) / self.a) - self.B
        return jnp.where(C >= 0, C, jnp.nan)

    def crossing(self, other: Self, low: q.Flops, high: q.Flops) -> q.Flops:
        """C between `low` and `high` at which both laws predict the same error; NaN where the ends do not differ in
        which of them is ahead. Differentiable by the parameters of both."""

        def gap(log_C: Float[Array, ""]) -> Float[Array, ""]:
            return jnp.log(self(jnp.exp(log_C))) - jnp.log(other(jnp.exp(log_C)))

        return jnp.exp(root(gap, jnp.log(low), jnp.log(high)).at)

    cite: ClassVar[str] = "nezhurina2025scaling"
    reproduced_on: ClassVar[tuple[str, ...]] = ("laion_clip_mammut_seg",)
    domain: ClassVar[Mapping[str, q.Range]] = {"C": (5e15, 3e21)}
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"C": 2.14e21}, 0.204, 5e-4 / 0.204, "the printed constants in GFLOP at 2.14e12 GFLOP", "clip_imagenet"),
        Case({"C": 2.59e21}, 0.185, 5e-4 / 0.185, "the printed constants in GFLOP at 2.59e12 GFLOP", "mammut_imagenet"),
    )
    published: ClassVar[Mapping[str, Published]] = {
        "clip_imagenet": _published(57.862, 18.391, 0.2266, 0.1112, "CLIP on ImageNet-1k"),
        "mammut_imagenet": _published(125.357, 19.289, 0.2557, 0.1011, "MaMMUT on ImageNet-1k"),
        "clip_imagenet_r": _published(
            68.06, 18.541, 0.2284, _NO_FLOOR, "CLIP on ImageNet-R", "; E printed as 0, here 1e-15"
        ),
        "mammut_imagenet_r": _published(76.14, 18.500, 0.2312, 0.0003, "MaMMUT on ImageNet-R"),
    }
