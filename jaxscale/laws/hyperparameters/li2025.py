r"""Step Law (Li et al. 2025, arXiv 2503.04715), as one surface of the loss.

$$ L = E + A N^{-\alpha} + B D^{-\beta} + u\,x^2 + v\,(y + s\,x)^2 $$
$$ x = \log\frac{\eta}{a N^{-b} D^{c}}, \quad y = \log\frac{B_s}{e D^{f}} $$

The paper states the optimum alone, $\eta^* = a N^{-b} D^c$ and $B_s^* = e D^f$, from the best runs of every N and D.
The rest is how the loss of all runs lies about it: a bowl in logarithms on Chinchilla's floor, so that a fit uses all
of them. It is not the paper's. N counts no embeddings; final learning rates are those of the study, a fixed one or
a share of the peak, whose optima differ.
"""

from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case, Published
from jaxscale.core.numerics.powers import power
from jaxscale.core.parametric import param


class StepLawSurface(AbstractLaw):
    """Loss of a dense transformer of N parameters on D tokens, at peak learning rate lr and bs tokens per step.

    A run that diverged lies above any bowl: fit with a robust objective.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: E, alpha, beta, b, c, f, u, v, tilt; to a
    factor of 2: A, B, a, e.
    """

    E: q.Nats = param(s.positive, init=1.49, prior=p.LogNormal(1.7, 0.3), doc="entropy of text", linear=True)
    A: q.Nats = param(s.positive, init=97.0, prior=p.LogNormal(100.0, 2.0), doc="cost of finite size", linear=True)
    B: q.Nats = param(s.positive, init=500.0, prior=p.LogNormal(500.0, 2.0), doc="cost of finite data", linear=True)
    alpha: q.Pure = param(s.positive, init=0.264, prior=p.LogNormal(0.3, 0.4), doc="size exponent", symbol=r"\alpha")
    beta: q.Pure = param(s.positive, init=0.31, prior=p.LogNormal(0.3, 0.4), doc="data exponent", symbol=r"\beta")
    a: q.Pure = param(s.positive, init=0.15, prior=p.LogNormal(1.0, 2.0), doc="scale of the best learning rate")
    b: q.Pure = param(s.real, init=0.466, prior=p.Normal(0.5, 0.3), doc="fall of the best learning rate with N")
    c: q.Pure = param(s.real, init=0.186, prior=p.Normal(0.2, 0.2), doc="rise of the best learning rate with D")
    e: q.Batch = param(s.positive, init=0.5, prior=p.LogNormal(1.0, 2.0), doc="scale of the best batch")
    f: q.Pure = param(s.real, init=0.569, prior=p.Normal(0.5, 0.2), doc="rise of the best batch with D")
    u: q.Nats = param(
        s.positive, init=0.034, prior=p.LogNormal(0.03, 1.0), doc="bend by the learning rate", linear=True
    )
    v: q.Nats = param(s.positive, init=0.02, prior=p.LogNormal(0.02, 1.0), doc="bend by the batch", linear=True)
    tilt: q.Pure = param(s.real, init=-0.35, prior=p.Normal(0.0, 0.5), doc="tilt of the bowl", symbol="s")

    def __call__(self, N: q.Params, D: q.Tokens, lr: q.LearningRate, bs: q.Batch) -> q.Nats:
        x = jnp.log(lr) - jnp.log(self.a) + self.b * jnp.log(N) - self.c * jnp.log(D)
        y = jnp.log(bs) - jnp.log(self.e) - self.f * jnp.log(D)
        floor = self.E + self.A * power(N, -self.alpha) + self.B * power(D, -self.beta)
        return floor + self.u * x**2 + self.v * (y + self.tilt * x) ** 2

    def optimum(self, N: q.Params, D: q.Tokens) -> tuple[q.LearningRate, q.Batch]:
        """The peak learning rate and the tokens per step of least loss."""
        return self.a * power(N, -self.b) * power(D, self.c), self.e * power(D, self.f)

    cite: ClassVar[str] = "li2025predictable"
    reproduced_on: ClassVar[tuple[str, ...]] = ("steplaw_dense",)
    domain: ClassVar[Mapping[str, q.Range]] = {
        "N": (5e7, 1e10),
        "D": (1e9, 1e12),
        "lr": (1e-4, 3e-2),
        "bs": (3e4, 5e6),
    }
    cases: ClassVar[tuple[Case, ...]] = (
        # Logarithms of one vanish: at N = D = 1 the floor is E + A + B, x = log(lr / a) and y = log(bs / e).
        Case({"N": 1.0, "D": 1.0, "lr": 0.15, "bs": 0.5}, 1.49 + 97.0 + 500.0, 1e-14, "the bottom of the bowl"),
        Case(
            {"N": 1.0, "D": 1.0, "lr": 0.15 * 2.718281828459045, "bs": 0.5},
            1.49 + 97.0 + 500.0 + 0.034 + 0.02 * 0.35**2,
            1e-14,
            "an e-fold of the learning rate, by hand",
        ),
    )
    published: ClassVar[Mapping[str, Published]] = {
        "li2025": Published(
            {"a": 1.79, "b": 0.713, "c": 0.307, "e": 0.58, "f": 0.571},
            source="Li et al. 2025, the optimum alone",
            note="not what the released dense runs give: there the rise with D is about .2",
        ),
    }
