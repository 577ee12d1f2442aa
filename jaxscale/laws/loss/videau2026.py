r"""The q-family: one exponent around the two costs (Videau et al. 2026, arXiv 2608.07222).

$$ L(N, D) = E + (A N^{-\alpha} + B D^{-\beta})^{k} $$

k = 1 is the law of Hoffmann et al. 2022; E = 0, k = $\alpha_D$, $\alpha = \alpha_N/\alpha_D$, $\beta = 1$ is L(N, D)
of Kaplan et al. 2020. The sign of k - 1 is the sign of the interaction $\partial^2 L/\partial N \partial D$. Refits
of public runs put k between 0.2 and 0.8.
"""

from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case
from jaxscale.core.numerics.powers import split_between_powers
from jaxscale.core.parametric import Change, param


class Nested(AbstractLaw):
    r"""Loss of a dense transformer with N parameters after D tokens, with interacting costs.

    N as the data count it; the paper that introduced the law follows Hoffmann et al. 2022 (embeddings included).
    k and E trade against each other, so E is not to be read as an entropy; $k\alpha$ and $k\beta$ are the exponents
    that data determine. Without a published set, the default is the one of Hoffmann et al. 2022 at k = 1.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: E, A, alpha, beta, k; to a factor of 2: B.
    """

    E: q.Nats = param(
        s.positive, init=1.69, prior=p.LogNormal(1.2, 0.8), doc="loss at infinite size and data", linear=True
    )
    A: q.Pure = param(
        s.positive, init=406.4, prior=p.LogNormal(1e4, 3.0), doc="cost of finite size, before the power k"
    )
    B: q.Pure = param(
        s.positive, init=410.7, prior=p.LogNormal(1e4, 3.0), doc="cost of finite data, before the power k"
    )
    alpha: q.Pure = param(
        s.positive, init=0.34, prior=p.LogNormal(0.5, 0.5), doc="inner size exponent", symbol=r"\alpha"
    )
    beta: q.Pure = param(s.positive, init=0.28, prior=p.LogNormal(0.5, 0.5), doc="inner data exponent", symbol=r"\beta")
    k: q.Pure = param(s.positive, init=1.0, prior=p.LogNormal(0.6, 0.5), doc="interaction of size and data")

    def __call__(self, N: q.Params, D: q.Tokens) -> q.Nats:
        size = jnp.log(self.A) - self.alpha * jnp.log(N)
        data = jnp.log(self.B) - self.beta * jnp.log(D)
        return self.E + jnp.exp(self.k * jnp.logaddexp(size, data))

    def scaling(self, c: Float[Array, ""]) -> dict[str, Change]:
        return {**super().scaling(c), "A": Change(c ** (1 / self.k)), "B": Change(c ** (1 / self.k))}

    def compute_optimal(self, C: q.Flops) -> tuple[q.Params, q.Tokens]:
        """N and D of least loss at C = 6ND, in closed form; k does not move them."""
        return split_between_powers(jnp.log(self.A), self.alpha, jnp.log(self.B), self.beta, C)

    cite: ClassVar[str] = "videau2026skaling"
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"N": 70e9, "D": 1.4e12}, 1.936, 0.001 / 1.936, "k = 1 and eq. 10 of Hoffmann et al. 2022, Chinchilla"),
        Case({"N": 280e9, "D": 300e9}, 1.993, 0.001 / 1.993, "k = 1 and eq. 10 of Hoffmann et al. 2022, Gopher"),
    )
