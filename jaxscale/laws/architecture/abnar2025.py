r"""Parameters versus FLOPs: optimal sparsity of mixtures of experts (Abnar et al. 2025, arXiv 2501.12370).

$$ L(N, D, S) = \frac{a}{N^{\alpha}} + \frac{b}{D^{\beta}} + \frac{c}{(1-S)^{\lambda}}
   + \frac{d}{(1-S)^{\delta} N^{\gamma}} + e $$

S is the share of experts that a token does not use, so that about $(1-S) N$ parameters are active. $\lambda < 0$: for
a fixed N the third term falls with S, the fourth rises, and there is a best sparsity, which grows with N.

Traps. N counts all parameters, and compute is 6 (1-S) N D. At $S \to 1$ the fourth term diverges; the paper's
models stop at S = 0.98. c and e differ by $(1-S)^{-\lambda}$ only, a factor of 2 over the whole range.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case, Published
from jaxscale.core.numerics.powers import power
from jaxscale.core.parametric import param

SPARSITY = q.Quantity("", "share of experts that a token does not use", positive=False, domain=(0.0, 0.98))

Sparsity = Annotated[Float[Array, ""], SPARSITY]


class SparseMoE(AbstractLaw):
    """Loss of a mixture of experts with N parameters in total and sparsity S, after D tokens.

    The coefficients are recalled, unverified: the text read here has the form but not the table.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: b, beta; to a factor of 2: alpha, delta, gamma;
    open: a, c, d, e, lambda_.
    """

    a: q.Nats = param(s.positive, init=16612.50, prior=p.LogNormal(1e4, 1.5), doc="cost of finite size", linear=True)
    b: q.Nats = param(s.positive, init=5455.67, prior=p.LogNormal(4e3, 1.5), doc="cost of finite data", linear=True)
    c: q.Nats = param(s.positive, init=0.4598, prior=p.LogNormal(0.5, 0.6), doc="what sparsity saves", linear=True)
    d: q.Nats = param(s.positive, init=17.26, prior=p.LogNormal(15.0, 0.8), doc="cost of few active", linear=True)
    e: q.Nats = param(s.positive, init=0.94, prior=p.LogNormal(1.0, 0.5), doc="entropy of text", linear=True)
    alpha: q.Pure = param(s.positive, init=0.5962, prior=p.LogNormal(0.6, 0.2), doc="size exponent", symbol=r"\alpha")
    beta: q.Pure = param(s.positive, init=0.3954, prior=p.LogNormal(0.4, 0.2), doc="data exponent", symbol=r"\beta")
    lambda_: q.Pure = param(
        s.real, init=-0.1666, prior=p.Normal(-0.2, 0.15), doc="exponent of the active share", symbol=r"\lambda"
    )
    delta: q.Pure = param(
        s.positive, init=0.1603, prior=p.LogNormal(0.17, 0.4), doc="exponent of it with size", symbol=r"\delta"
    )
    gamma: q.Pure = param(
        s.positive, init=0.1595, prior=p.LogNormal(0.17, 0.4), doc="size exponent with it", symbol=r"\gamma"
    )

    def __call__(self, N: q.Params, D: q.Tokens, S: Sparsity) -> q.Nats:
        active = jnp.log1p(-S)
        dense = self.a * power(N, -self.alpha) + self.b * power(D, -self.beta) + self.e
        few = self.d * jnp.exp(-self.delta * active - self.gamma * jnp.log(N))
        return dense + self.c * jnp.exp(-self.lambda_ * active) + few

    def best_sparsity(self, N: q.Params) -> Sparsity:
        """Sparsity of least loss at N and any D (so not at fixed compute); 0 where a dense model is best."""
        rises = jnp.log(self.d) + jnp.log(self.delta) - self.gamma * jnp.log(N)
        falls = jnp.log(self.c) + jnp.log(-self.lambda_)
        return -jnp.expm1(jnp.minimum((rises - falls) / (self.delta - self.lambda_), 0))

    cite: ClassVar[str] = "abnar2025parameters"
    domain: ClassVar[Mapping[str, q.Range]] = {"N": (1e8, 3e10), "D": (1e9, 1e12)}
    cases: ClassVar[tuple[Case, ...]] = (
        Case(
            {"N": 1.0, "D": 1.0, "S": 0.0},
            16612.50 + 5455.67 + 0.4598 + 17.26 + 0.94,
            1e-13,
            "every power is one",
            "abnar2025",
        ),
    )
    published: ClassVar[Mapping[str, Published]] = {
        "abnar2025": Published(
            {
                "a": 16612.50,
                "b": 5455.67,
                "c": 0.4598,
                "d": 17.26,
                "e": 0.94,
                "alpha": 0.5962,
                "beta": 0.3954,
                "lambda_": -0.1666,
                "delta": 0.1603,
                "gamma": 0.1595,
            },
            source="Abnar et al. 2025, table 3: recalled, unverified",
            note="recalled, unverified; the sign of lambda is stated in the paper's text",
        ),
    }
