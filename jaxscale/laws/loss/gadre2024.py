r"""Language models scale reliably with over-training (Gadre et al. 2024, arXiv 2403.08540).

$$ L(C, M) = E + (a M^{\eta} + b M^{-\eta}) C^{-\eta}, \qquad M = D / N, \quad C = 6ND $$

The law of Hoffmann et al. 2022 with equal exponents $\alpha = \beta = 2\eta$, seen along compute C at a fixed
number M of tokens per parameter: $a = 6^\eta A$, $b = 6^\eta B$. Lines of constant M are parallel in the logarithm
of the reducible loss. The paper's code puts $6^\eta$ on the second term only; its a and b are not these.
"""

from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.flops import FLOP_PER_PARAM_TOKEN
from jaxscale.core.law import AbstractLaw, Case, Published
from jaxscale.core.numerics.powers import power
from jaxscale.core.parametric import param

_SOURCE = "Gadre et al. 2024, scaling-law fits on C4 validation loss; digits from a refit that agrees with the print"
_NOTE = "four parameters from five runs: M at the optimum is not identified"


class Gadre(AbstractLaw):
    """Loss of a dense transformer trained with C = 6ND FLOP at M = D/N tokens per parameter.

    N counts all parameters, embeddings included.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: E, a, b, eta.
    """

    E: q.Nats = param(s.positive, init=1.837, prior=p.LogNormal(1.7, 0.5), doc="entropy of text", linear=True)
    a: q.Pure = param(
        s.positive, init=212.2, prior=p.LogNormal(200.0, 2.0), doc="cost of finite size, over-training", linear=True
    )
    b: q.Pure = param(
        s.positive, init=366.7, prior=p.LogNormal(300.0, 2.0), doc="cost of finite data, under-training", linear=True
    )
    eta: q.Pure = param(s.positive, init=0.13645, prior=p.LogNormal(0.14, 0.5), doc="compute exponent", symbol=r"\eta")

    def __call__(self, C: q.Flops, M: q.Ratio) -> q.Nats:
        return self.E + (self.a * power(M, self.eta) + self.b * power(M, -self.eta)) * power(C, -self.eta)

    def compute_optimal(self, C: q.Flops) -> tuple[q.Params, q.Tokens]:
        r"""N and D of least loss at C = 6ND: the same $M = (b/a)^{1/2\eta}$ at every C."""
        log_M = self._log_optimal_ratio()
        log_ND = jnp.log(C) - jnp.log(jnp.asarray(FLOP_PER_PARAM_TOKEN, log_M.dtype))
        return jnp.exp((log_ND - log_M) / 2), jnp.exp((log_ND + log_M) / 2)

    def overtraining_cost(self, M: q.Ratio) -> q.Pure:
        """Reducible loss at M over that at the optimal M, for the same compute: the same factor at every C."""
        return jnp.cosh(self.eta * (jnp.log(M) - self._log_optimal_ratio()))

    def _log_optimal_ratio(self) -> q.Pure:
        return (jnp.log(self.b) - jnp.log(self.a)) / (2 * self.eta)

    cite: ClassVar[str] = "gadre2024language"
    reproduced_on: ClassVar[tuple[str, ...]] = ("gadre_overtraining",)
    cases: ClassVar[tuple[Case, ...]] = (
        # M^eta and M^-eta are 1 at M = 1, C^-eta at C = 1: the sum of the printed constants.
        Case({"C": 1.0, "M": 1.0}, 1.837 + 212.2 + 366.7, 1e-15, "E + a + b", "redpajama"),
        Case({"C": 1.0, "M": 1.0}, 1.508 + 141.3 + 189.5, 1e-15, "E + a + b", "c4"),
    )
    published: ClassVar[Mapping[str, Published]] = {
        "c4": Published({"E": 1.508, "a": 141.3, "b": 189.5, "eta": 0.2425 / 2}, source=_SOURCE, note=_NOTE),
        "redpajama": Published({"E": 1.837, "a": 212.2, "b": 366.7, "eta": 0.2729 / 2}, source=_SOURCE, note=_NOTE),
        "refinedweb": Published({"E": 1.735, "a": 157.1, "b": 246.2, "eta": 0.2544 / 2}, source=_SOURCE, note=_NOTE),
    }
