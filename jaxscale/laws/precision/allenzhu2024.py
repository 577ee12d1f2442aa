r"""Physics of language models 3.3, knowledge capacity (Allen-Zhu and Li 2024, arXiv 2404.05405).

$$ I(N, e) = N \frac{R_\infty}{1 + (e_0/e)^s} $$

I is the bits of knowledge that a transformer of N parameters can hold of facts it met e times in training: 2 per
parameter after 1,000 exposures, 1 after 100. The paper states the two figures; the smooth curve between them is
ours, and s has no published value. Two of its findings depend on exposures, and so move $e_0$ and s rather than
$R_\infty$: 7/8 of junk in the data cost a factor of 20 at 100 exposures, but 3, 1.5 and 1.3 at 300, 600 and 1,000
(nothing where documents name their source), and gated MLPs hold 1.3 times less at 100. Others scale the capacity: 32
experts hold 1.3 times less, 8 bits per weight nothing less, 4 bits about .7 bits per parameter (recalled, unverified).
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case, Published
from jaxscale.core.parametric import param

EXPOSURES = q.Quantity("exposures", "times that each fact is met in training", domain=(1.0, 1e5), typical=(10.0, 3e3))
KNOWLEDGE = q.Quantity("bits of knowledge", "information on facts that a model holds", domain=(1e3, 1e14))
FACTS = q.Quantity("facts", "records to be known, such as persons", domain=(1.0, 1e13))

Exposures = Annotated[Float[Array, ""], EXPOSURES]
Knowledge = Annotated[Float[Array, ""], KNOWLEDGE]
Facts = Annotated[Float[Array, ""], FACTS]

BITS_PER_PERSON = 47.6
"""Bits of one record (six attributes of a person) of the paper's bioS data; recalled, unverified."""


class KnowledgeCapacity(AbstractLaw):
    """Bits of knowledge that a model of N parameters can hold of facts that it met e times.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: R_inf, e_0, s.
    """

    R_inf: q.Pure = param(
        s.positive, init=2.0, prior=p.LogNormal(2.0, 0.3), doc="bits per parameter", symbol=r"R_\infty", linear=True
    )
    e_0: Exposures = param(
        s.positive, init=100.0, prior=p.LogNormal(100.0, 0.7), doc="exposures to half of it", within="e"
    )
    s: q.Pure = param(s.positive, init=1.5, prior=p.LogNormal(1.5, 0.4), doc="steepness; no value was published")

    def __call__(self, N: q.Params, e: Exposures) -> Knowledge:
        return N * self.bits_per_param(e)

    def bits_per_param(self, e: Exposures) -> q.Pure:
        return self.R_inf / (1 + jnp.exp(self.s * (jnp.log(self.e_0) - jnp.log(e))))

    def least_params(self, facts: Facts, bits_per_fact: Knowledge, e: Exposures) -> q.Params:
        """The smallest model that can hold all facts."""
        return facts * bits_per_fact / self.bits_per_param(e)

    def least_exposures(self, facts: Facts, bits_per_fact: Knowledge, N: q.Params) -> Exposures:
        """The fewest exposures after which N parameters can hold all facts; infinite where they never can."""
        spare = self.R_inf * N / (facts * bits_per_fact) - 1
        return jnp.where(spare > 0, self.e_0 * jnp.exp(-jnp.log(jnp.maximum(spare, 0)) / self.s), jnp.inf)

    cite: ClassVar[str] = "allenzhu2024physics"
    domain: ClassVar[Mapping[str, q.Range]] = {"e": (10.0, 3e3)}
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"N": 7e9, "e": 100.0}, 7e9, 1e-15, "1 bit per parameter after 100 exposures, whatever s"),
        # "About 2 bits" is one digit.
        Case({"N": 7e9, "e": 1000.0}, 14e9, 0.05, "2 bits per parameter after 1000 exposures"),
    )
    published: ClassVar[Mapping[str, Published]] = {
        "gpt2": Published(
            {"R_inf": 2.0, "e_0": 100.0},
            source="Allen-Zhu and Li 2024: 2 bits per parameter after 1000 exposures, 1 after 100",
            note="no s was published: any above 1.3 agrees with the two figures within 5 %",
        ),
    }
