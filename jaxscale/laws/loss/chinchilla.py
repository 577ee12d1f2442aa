r"""Training compute-optimal large language models (Hoffmann et al. 2022, arXiv 2203.15556), approach 3.

$$ L(N, D) = E + A N^{-\alpha} + B D^{-\beta} $$
"""

from collections.abc import Mapping
from typing import ClassVar

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case, Published
from jaxscale.core.numerics import power
from jaxscale.core.parametric import param


class Chinchilla(AbstractLaw):
    """Loss of a dense transformer with N parameters (embeddings included) after D tokens."""

    E: q.Nats = param(s.positive, init=1.69, prior=p.LogNormal(1.7, 0.5), doc="entropy of text", linear=True)
    A: q.Nats = param(s.positive, init=406.4, prior=p.LogNormal(400.0, 2.0), doc="cost of finite size", linear=True)
    B: q.Nats = param(s.positive, init=410.7, prior=p.LogNormal(1000.0, 2.5), doc="cost of finite data", linear=True)
    alpha: q.Pure = param(s.positive, init=0.34, prior=p.LogNormal(0.35, 0.5), doc="size exponent", symbol=r"\alpha")
    beta: q.Pure = param(s.positive, init=0.28, prior=p.LogNormal(0.35, 0.5), doc="data exponent", symbol=r"\beta")

    def __call__(self, N: q.Params, D: q.Tokens) -> q.Nats:
        return self.E + self.A * power(N, -self.alpha) + self.B * power(D, -self.beta)

    cite: ClassVar[str] = "hoffmann2022training"
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"N": 70e9, "D": 1.4e12}, 1.9366, rtol=1e-3, source="eq. 10 at the size of Chinchilla"),
    )
    published: ClassVar[Mapping[str, Published]] = {
        "hoffmann2022": Published(
            {"E": 1.6934, "A": 406.4, "B": 410.7, "alpha": 0.33917084, "beta": 0.2849083}, source="..."
        ),
    }
