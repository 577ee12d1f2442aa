r"""More compute is what you need (Guo 2024, arXiv 2404.19484): the null model that only compute counts.

$$ L(C) = m - k \log_{10}(C / 10^{21}\,\mathrm{FLOP}), \qquad C = 6ND $$

The claim, read in the abstract, is that parameters and tokens are exchangeable at fixed compute. It describes released
models, which lie near one ratio D/N, and fails where that ratio varies: $\gamma \ln^2 (D/N/M)$ added to it, with the
ratio M free, comes out at 14 standard errors from zero on the runs of Hoffmann et al. 2022, with M = 22, and below one
on those of them within a factor of two of D/N = 20. (With M held at 1 the term shows nothing: those runs lie on both
sides of the valley.) So the law is here to be rejected: a study that cannot reject it holds no evidence on how to split
compute.

Straight in log C, without a floor: it must fail at some compute, and is no law to extrapolate. That it is straight,
and that the paper's metric is bits per character, is recalled, unverified; bits per character are a multiple of nats
per token that the tokeniser sets, and the form is the same in both.
"""

from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.flops import FLOP_PER_PARAM_TOKEN
from jaxscale.core.law import AbstractLaw, Case
from jaxscale.core.parametric import param

_LOG10_CENTRE = 21.0


class ComputeOnly(AbstractLaw):
    """Loss of a transformer trained with C = 6ND FLOP, however these are split between parameters and tokens.

    No coefficients were retrieved; the default is plausible for nats per token of English text.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: m, k.
    """

    m: q.Nats = param(s.positive, init=2.6, prior=p.LogNormal(2.6, 0.5), doc="loss at 1e21 FLOP")
    k: q.Nats = param(s.positive, init=0.2, prior=p.LogNormal(0.2, 0.7), doc="gain per decade of compute")

    def __call__(self, C: q.Flops) -> q.Nats:
        return self.m - self.k * (jnp.log10(C) - _LOG10_CENTRE)

    def smallest(self, C: q.Flops, D_max: q.Tokens) -> q.Params:
        """The model to take if the law held: loss is flat at fixed C, so the smallest that D_max tokens can fill."""
        return C / (jnp.asarray(FLOP_PER_PARAM_TOKEN, C.dtype) * D_max)

    cite: ClassVar[str] = "guo2024more"
    reproduced_on: ClassVar[tuple[str, ...]] = ("chinchilla_besiroglu",)
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"C": 1e21}, 2.6, 1e-15, "the default at the centre"),
        Case({"C": 1e24}, 2.0, 1e-15, "three decades on, at 0.2 per decade"),
    )
    domain: ClassVar[Mapping[str, q.Range]] = {"C": (1e17, 1e26)}
