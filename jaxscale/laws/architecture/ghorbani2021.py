r"""Scaling laws for neural machine translation (Ghorbani et al. 2021, arXiv 2109.07740).

$$ L(N_e, N_d) = \alpha \left( \bar N_e / N_e \right)^{p_e} \left( \bar N_d / N_d \right)^{p_d} + L_\infty $$

Encoder and decoder multiply: growing one makes growth of the other worth less. $\alpha$ is the reducible loss of the
reference model $\bar N_e, \bar N_d$ and means nothing without it; the reference is a setting, not estimated. Where
encoder and decoder grow in proportion the law is $\beta N^{-(p_e + p_d)} + L_\infty$, and such runs alone determine
the sum of the exponents only.
"""

from collections.abc import Mapping
from typing import ClassVar

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case
from jaxscale.core.numerics.powers import power_ratio
from jaxscale.core.parametric import param


class EncoderDecoder(AbstractLaw):
    """Log-perplexity of a translation model with Ne parameters in its encoder and Nd in its decoder.

    Both without embeddings, trained to convergence; every test set has constants of its own, and more so by the
    language in which its text was first written. The form is recalled, and no coefficients were retrieved: the
    default is plausible and no more.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: alpha, p_e, p_d, L_inf.
    """

    alpha: q.Nats = param(
        s.positive,
        init=0.5,
        prior=p.LogNormal(0.5, 1.0),
        doc="reducible loss of the reference model",
        symbol=r"\alpha",
        linear=True,
    )
    p_e: q.Pure = param(s.positive, init=0.18, prior=p.LogNormal(0.2, 0.5), doc="encoder exponent")
    p_d: q.Pure = param(s.positive, init=0.28, prior=p.LogNormal(0.2, 0.5), doc="decoder exponent")
    L_inf: q.Nats = param(
        s.positive,
        init=1.0,
        prior=p.LogNormal(1.0, 0.7),
        doc="loss of an infinite model",
        symbol=r"L_\infty",
        linear=True,
    )
    N_e_ref: q.Params = param(
        s.positive,
        init=1e8,
        prior=p.LogNormal(1e8, 1.0),
        doc="encoder of the reference model",
        symbol=r"\bar N_e",
        estimated=False,
    )
    N_d_ref: q.Params = param(
        s.positive,
        init=1e8,
        prior=p.LogNormal(1e8, 1.0),
        doc="decoder of the reference model",
        symbol=r"\bar N_d",
        estimated=False,
    )

    def __call__(self, Ne: q.Params, Nd: q.Params) -> q.Nats:
        size = power_ratio(self.N_e_ref, Ne, self.p_e) * power_ratio(self.N_d_ref, Nd, self.p_d)
        return self.alpha * size + self.L_inf

    def optimal_split(self, N: q.Params) -> tuple[q.Params, q.Params]:
        """Ne and Nd of least loss at Ne + Nd = N, in closed form: in proportion to their exponents."""
        share = self.p_e / (self.p_e + self.p_d)
        return N * share, N * (1 - share)

    def cost_of_split(self, share: q.Fraction) -> q.Pure:
        r"""Reducible loss with this share of the parameters in the encoder, relative to that of the best share.

        $(x/x^*)^{-p_e} ((1-x)/(1-x^*))^{-p_d}$, whatever the size.
        """
        best = self.p_e / (self.p_e + self.p_d)
        encoder = power_ratio(best, share, self.p_e)
        return encoder * power_ratio(1 - best, 1 - share, self.p_d)

    cite: ClassVar[str] = "ghorbani2021scaling"
    domain: ClassVar[Mapping[str, q.Range]] = {"Ne": (1e7, 3e9), "Nd": (1e7, 3e9)}
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"Ne": 1e8, "Nd": 1e8}, 1.5, 1e-15, "alpha + L_inf at the reference, by hand"),
    )
