r"""Scaling laws for neural language models (Kaplan et al. 2020, arXiv 2001.08361): the critical batch.

$$ B_{crit}(L) = B_* L^{-1/\alpha_B}, \qquad (S/S_{min} - 1)(E/E_{min} - 1) = 1, \qquad B_{crit} = E_{min}/S_{min} $$

To reach loss L at batch B takes $S = S_{min}(1 + B_{crit}/B)$ steps and $E = BS = E_{min}(1 + B/B_{crit})$ tokens. The
critical batch depends on the loss alone, not on the size of the model. The laws `KaplanNS` and `KaplanC` are stated in
$S_{min}$ and $C_{min}$; what these adjustments imply for the cheapest run stands in `SuNSB`.
"""

from collections.abc import Mapping
from typing import ClassVar

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case, Published
from jaxscale.core.numerics.powers import power
from jaxscale.core.parametric import param


class KaplanCriticalBatch(AbstractLaw):
    """Critical batch in tokens at loss L: a run there takes twice the fewest steps and twice the fewest tokens.

    L is in nats per token of the study's vocabulary; the exponent is steep (near 5), so B_* of one vocabulary says
    little about another.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: Bstar, alpha_B.
    """

    Bstar: q.Batch = param(
        s.positive, init=2e8, prior=p.LogNormal(2e8, 2.0), doc="critical batch at a loss of 1", symbol="B_*"
    )
    alpha_B: q.Pure = param(
        s.positive, init=0.21, prior=p.LogNormal(0.21, 0.3), doc="batch exponent", symbol=r"\alpha_B"
    )

    def __call__(self, L: q.Nats) -> q.Batch:
        return self.Bstar * power(L, -1 / self.alpha_B)

    def adjusted_steps(self, S: q.Steps, B: q.Batch, L: q.Nats) -> q.Steps:
        """S_min: the steps an unlimited batch would have taken to loss L, where S steps of batch B led."""
        return S / (1 + self(L) / B)

    def adjusted_compute(self, C: q.Flops, B: q.Batch, L: q.Nats) -> q.Flops:
        """C_min: the compute a small batch would have taken to loss L, where C FLOP at batch B led."""
        return C / (1 + B / self(L))

    cite: ClassVar[str] = "kaplan2020scaling"
    cases: ClassVar[tuple[Case, ...]] = (
        # 2^(-1/0.21) = 0.036857 by hand.
        Case({"L": 2.0}, 7.3715e6, 1e-5, "2e8 tokens over 2^4.76", "kaplan2020"),
        Case({"L": 1.0}, 2e8, 1e-15, "the constant at one nat", "kaplan2020"),
    )
    published: ClassVar[Mapping[str, Published]] = {
        "kaplan2020": Published(
            {"Bstar": 2e8, "alpha_B": 0.21},
            source="Kaplan et al. 2020, eq. 1.4, read through secondary notes that agree",
            note="WebText2; B_* lies beyond every measured loss, by extrapolation",
        ),
        "su2024": Published(
            {"Bstar": 1.7e8, "alpha_B": 0.205},
            source="Su et al. 2024 (arXiv 2403.06563), C4 (recalled, unverified)",
            note="recalled, unverified: the figures could not be read at their source",
        ),
    }
    domain: ClassVar[Mapping[str, q.Range]] = {"L": (1.5, 10.0)}
