r"""Scaling retrieval-based language models with a trillion-token datastore (Shao et al. 2024, arXiv 2407.12854).

$$ L(N, D, R) = \left( E + A N^{-\alpha} + B D^{-\beta} \right) (1 + R/R_0)^{-\gamma} $$

Derived here, not published: the paper shows that losses fall steadily with the datastore, up to 1.4e12 tokens, and
states no law. This is the plainest one with what it shows: without a datastore the law of Hoffmann et al. 2022, from
$R_0$ on a straight line of $\ln L$ in $\ln R$. It has no floor in R, so it holds within the datastores that were
fitted only. Compute counts $6ND$ for training and $2 N_r R$ for one pass of the retriever over the datastore.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.flops import FLOP_PER_PARAM_TOKEN
from jaxscale.core.law import AbstractLaw, Case
from jaxscale.core.numerics.powers import power
from jaxscale.core.parametric import param

_ENCODE = 2.0
"""FLOP per parameter and token of a forward pass."""
DATASTORE = q.Quantity("tokens", "tokens of a datastore", domain=(1e8, 1e14), typical=(1e9, 1.4e12), nothing=True)
Datastore = Annotated[Float[Array, ""], DATASTORE]


class RetrievalDatastore(AbstractLaw):
    """Loss of a transformer with N parameters after D tokens that retrieves from a datastore of R tokens.

    R = 0 is the paper's baseline, the model alone.

    Not published, and no coefficients were: the defaults are plausible. N_r, the size of the retriever, is not
    fitted; its default is a recollection of the order of the paper's, unverified.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: E, A, B, alpha, beta, gamma; to a factor of 2:
    R_0.
    """

    E: q.Nats = param(s.positive, init=1.69, prior=p.LogNormal(1.7, 0.5), doc="entropy of text", linear=True)
    A: q.Nats = param(s.positive, init=406.4, prior=p.LogNormal(400.0, 2.0), doc="cost of finite size", linear=True)
    B: q.Nats = param(s.positive, init=410.7, prior=p.LogNormal(1000.0, 2.5), doc="cost of finite data", linear=True)
    alpha: q.Pure = param(s.positive, init=0.34, prior=p.LogNormal(0.35, 0.5), doc="size exponent", symbol=r"\alpha")
    beta: q.Pure = param(s.positive, init=0.28, prior=p.LogNormal(0.35, 0.5), doc="data exponent", symbol=r"\beta")
    R_0: q.Tokens = param(
        s.positive, init=3e9, prior=p.LogNormal(3e9, 2.0), doc="datastore from which on retrieval helps", within="R"
    )
    gamma: q.Pure = param(
        s.positive, init=0.02, prior=p.LogNormal(0.02, 1.0), doc="retrieval exponent", symbol=r"\gamma"
    )
    N_r: q.Params = param(
        s.positive, init=1.77e8, prior=p.LogNormal(1.77e8, 1.0), doc="size of the retriever", estimated=False
    )

    def __call__(self, N: q.Params, D: q.Tokens, R: Datastore) -> q.Nats:
        return self._alone(N, D) * jnp.exp(-self.gamma * jnp.log1p(R / self.R_0))

    def _alone(self, N: q.Params, D: q.Tokens) -> q.Nats:
        return self.E + self.A * power(N, -self.alpha) + self.B * power(D, -self.beta)

    def compute(self, N: q.Params, D: q.Tokens, R: Datastore) -> q.Flops:
        """FLOP to train the model and to encode the datastore once."""
        return FLOP_PER_PARAM_TOKEN * N * D + _ENCODE * self.N_r * R

    def worth_in_tokens(self, N: q.Params, D: q.Tokens, R: Datastore) -> q.Tokens:
        """Training tokens that would do as well without a datastore; infinite where none would."""
        data = self(N, D, R) - self.E - self.A * power(N, -self.alpha)
        return jnp.where(data > 0, jnp.exp((jnp.log(self.B) - jnp.log(jnp.maximum(data, 0))) / self.beta), jnp.inf)

    def balanced_datastore(self, N: q.Params, D: q.Tokens) -> Datastore:
        r"""R at which the next FLOP lowers the loss as much in the datastore as in training; 0 where it never does.

        The slopes of ln L by compute agree there:
        $\gamma / ((R_0 + R)\,2 N_r) = \beta B D^{-\beta-1} / (L_0\,6N)$, with $L_0$ the loss without a datastore.
        """
        log_gain = jnp.log(self.beta) + jnp.log(self.B) - (self.beta + 1) * jnp.log(D) - jnp.log(self._alone(N, D))
        log_price = jnp.log(FLOP_PER_PARAM_TOKEN * N) - jnp.log(_ENCODE * self.N_r)
        return jnp.maximum(jnp.exp(jnp.log(self.gamma) + log_price - log_gain) - self.R_0, 0)

    cite: ClassVar[str] = "shao2024scaling"
    domain: ClassVar[Mapping[str, q.Range]] = {"R": (1e8, 1.4e12)}
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"N": 1.0, "D": 1.0, "R": 0.0}, 1.69 + 406.4 + 410.7, 1e-14, "without a datastore, E + A + B"),
        Case({"N": 1.0, "D": 1.0, "R": 3e9}, (1.69 + 406.4 + 410.7) * 2**-0.02, 1e-14, "1 + R/R_0 is 2 at R_0"),
    )
