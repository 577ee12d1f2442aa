r"""Scaling inference-efficient language models (Bian et al. 2025, arXiv 2501.18107).

$$ L(N, D, R) = \left( E + A N^{-\alpha} + B D^{-\alpha} \right) \left( 1 + \epsilon R^{\alpha} \right),
\qquad R = d_{model} / n_{layers} $$

A wide, shallow model is faster at the same size, and a little worse: the law prices the shape, so that a planner
can rank shapes by loss among those that meet a limit of latency.

One exponent serves size, data and shape, as in the fits of the paper. With an exponent of its own the shape factor
is not identified: $\epsilon \to -1$ with an exponent near zero fits as well and sends E to 144. Runs at one number of
tokens per parameter are not enough either; the paper adds three at another.
"""

from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case
from jaxscale.core.numerics.powers import power, split_between_powers
from jaxscale.core.parametric import param


class Bian(AbstractLaw):
    """Training loss of a dense transformer with N parameters (embeddings included) after D tokens, of shape R.

    R is the width over the number of layers. No coefficients were published; the default is our fit to the 27 runs
    that the paper's repository fits, and holds for their recipe and text.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: E, A, alpha, epsilon; to a factor of 2: B.
    """

    E: q.Nats = param(s.positive, init=2.44751063, prior=p.LogNormal(1.9, 0.5), doc="entropy of text", linear=True)
    A: q.Nats = param(
        s.positive, init=54754.288, prior=p.LogNormal(5000.0, 2.5), doc="cost of finite size", linear=True
    )
    B: q.Nats = param(s.positive, init=778342.99, prior=p.LogNormal(3e4, 3.0), doc="cost of finite data", linear=True)
    alpha: q.Pure = param(
        s.positive,
        init=0.614573565,
        prior=p.LogNormal(0.45, 0.4),
        doc="exponent of size, data and shape",
        symbol=r"\alpha",
    )
    epsilon: q.Pure = param(
        s.positive, init=0.00114620866, prior=p.LogNormal(0.002, 1.0), doc="cost of a wide shape", symbol=r"\epsilon"
    )

    def __call__(self, N: q.Params, D: q.Tokens, R: q.Aspect) -> q.Nats:
        loss = self.E + self.A * power(N, -self.alpha) + self.B * power(D, -self.alpha)
        return loss * (1 + self.shape_cost(R))

    def shape_cost(self, R: q.Aspect) -> q.Fraction:
        r"""By which share the shape raises the loss: $\epsilon R^\alpha$, the same at every size."""
        return self.epsilon * power(R, self.alpha)

    def compute_optimal(self, C: q.Flops) -> tuple[q.Params, q.Tokens]:
        """N and D of least loss at C = 6ND, in closed form; the same for every shape."""
        return split_between_powers(jnp.log(self.A), self.alpha, jnp.log(self.B), self.alpha, C)

    cite: ClassVar[str] = "bian2025scaling"
    reproduced_on: ClassVar[tuple[str, ...]] = ("shape_morph",)
    domain: ClassVar[Mapping[str, q.Range]] = {"N": (7e7, 7e9), "D": (1.5e9, 1.5e11), "R": (15.0, 400.0)}
    cases: ClassVar[tuple[Case, ...]] = (
        Case(
            {"N": 1.0, "D": 1.0, "R": 1.0},
            (2.44751063 + 54754.288 + 778342.99) * 1.00114620866,
            1e-15,
            "every power is 1: (E + A + B)(1 + epsilon), by hand",
        ),
    )
