r"""From loss to the error of tasks (Gadre et al. 2024, arXiv 2403.08540).

$$ Err(L) = \epsilon - k e^{-\gamma L} $$

The mean top-1 error of a set of tasks falls exponentially as the loss does, from $\epsilon$, the error of a model
that knows nothing. Two traps. L is the loss on C4 validation text, whatever the corpus of training, and each corpus
has constants of its own. And the law is bounded by $\epsilon$ only: below the loss at which it reaches zero, `floor`,
it is negative and means nothing.
"""

from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case, Published
from jaxscale.core.parametric import param

_SOURCE = "Gadre et al. 2024, downstream fits; digits from a refit that agrees with the print"
_17 = "the 17 tasks that the paper selects out of 46; three parameters from six runs"
_46 = "all 46 tasks; three parameters from six runs"


class GadreError(AbstractLaw):
    """Mean top-1 error of a set of tasks, as a share of one, for a language model of C4 validation loss L.

    The default and the published sets hold for the tasks and the corpus that they name.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: epsilon, k, gamma.
    """

    epsilon: q.Fraction = param(
        s.unit_interval,
        init=0.857,
        prior=p.Beta(16.0, 4.0),
        doc="error of a model that knows nothing",
        symbol=r"\epsilon",
    )
    k: q.Pure = param(s.positive, init=2.206, prior=p.LogNormal(2.0, 0.7), doc="size of the gain")
    gamma: q.Pure = param(
        s.positive, init=0.715, prior=p.LogNormal(0.8, 0.4), doc="rate of the gain per nat", symbol=r"\gamma"
    )

    def __call__(self, L: q.Nats) -> q.Fraction:
        return self.epsilon - jnp.exp(jnp.log(self.k) - self.gamma * L)

    def loss_for(self, error: q.Fraction) -> q.Nats:
        """The loss at which the mean error is `error`; NaN from `epsilon` upwards, which no loss exceeds."""
        return (jnp.log(self.k) - jnp.log(self.epsilon - error)) / self.gamma

    def floor(self) -> q.Nats:
        """The loss at which the law reaches an error of zero: nothing can be predicted below it."""
        return self.loss_for(jnp.zeros_like(self.epsilon))

    cite: ClassVar[str] = "gadre2024language"
    reproduced_on: ClassVar[tuple[str, ...]] = ("gadre_overtraining",)
    domain: ClassVar[Mapping[str, q.Range]] = {"L": (2.0, 6.0)}
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"L": 0.0}, 0.8570 - 2.206, 1e-15, "epsilon - k, by hand", "redpajama_17"),
        Case({"L": 0.0}, 0.7589 - 1.289, 1e-15, "epsilon - k, by hand", "c4_46"),
    )
    published: ClassVar[Mapping[str, Published]] = {
        "c4_17": Published({"k": 2.079, "gamma": 0.756, "epsilon": 0.8497}, source=_SOURCE, note=_17),
        "redpajama_17": Published({"k": 2.206, "gamma": 0.715, "epsilon": 0.8570}, source=_SOURCE, note=_17),
        "refinedweb_17": Published({"k": 2.215, "gamma": 0.707, "epsilon": 0.8653}, source=_SOURCE, note=_17),
        "c4_46": Published({"k": 1.289, "gamma": 0.972, "epsilon": 0.7589}, source=_SOURCE, note=_46),
        "redpajama_46": Published({"k": 1.323, "gamma": 0.891, "epsilon": 0.7608}, source=_SOURCE, note=_46),
        "refinedweb_46": Published({"k": 1.128, "gamma": 0.822, "epsilon": 0.7677}, source=_SOURCE, note=_46),
    }
