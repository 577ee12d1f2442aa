r"""Scaling law with learning rate annealing (Tissue, Wang & Wang 2024, arXiv 2408.11029).

$$ L(s) = L_0 + A\,S_1(s)^{-\alpha} - C\,S_2(s) $$
$$ S_1(s) = \sum_{i \le s} \eta_i, \quad S_2(s) = \sum_{i \le s} \sum_{k \le i} (\eta_{k-1} - \eta_k)\,\lambda^{i-k} $$

$S_1$ is the area under the learning rate, warm-up included; $S_2$ is what annealing adds to it, counted after the
warm-up. Both are sums in closed form: see `core.schedule`.

What the form gets wrong: nothing keeps the loss above zero; steps at a rate of zero still lower it, as $S_2$ goes on
growing; a schedule at c > 1 times the rate is always better. So a planner needs a peak, a length and a floor of the
rate that are given.
"""

from collections.abc import Mapping
from typing import ClassVar

from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case, Published
from jaxscale.core.numerics.powers import power
from jaxscale.core.parametric import param
from jaxscale.core.schedule import constant, linear, progress

_REFIT = "our refit of the loss curves of Luo et al. 2025 (arXiv 2503.12811), from three of nine schedules"
_NOTE = "cosine and constant over 24,000 steps and wsdcon_9; warm-up of 2,160 steps in S1 only; not the paper's runs"


class AnnealingS1S2(AbstractLaw):
    """Loss after S steps of a run on a learning-rate schedule, for one model, one batch size and one data set.

    C depends on lambda, which few curves tell: compare `drop` between fits.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: L0, A, alpha, C.
    """

    L0: q.Nats = param(
        s.positive, init=2.8, prior=p.LogNormal(2.5, 0.4), doc="loss at infinite area", symbol="L_0", linear=True
    )
    A: q.Nats = param(s.positive, init=0.6, prior=p.LogNormal(0.5, 0.8), doc="cost of area one", linear=True)
    alpha: q.Pure = param(
        s.positive, init=0.45, prior=p.LogNormal(0.5, 0.4), doc="exponent of the area", symbol=r"\alpha"
    )
    C: q.Nats = param(s.positive, init=0.45, prior=p.LogNormal(0.5, 1.0), doc="drop by annealing area one", linear=True)
    decay: q.Pure = param(
        s.unit_interval,
        init=0.999,
        prior=p.Beta(999.0, 1.0),
        doc="memory of a fall of the rate, per step",
        symbol=r"\lambda",
        estimated=False,
    )

    def __call__(self, schedule: q.Schedule, S: q.CurveSteps) -> q.LossCurve:
        run = progress(schedule, S, self.decay)
        return self.L0 + self.A * power(run.area, -self.alpha) - self.C * run.annealed(self.decay)

    @property
    def drop(self) -> Float[Array, ""]:
        r"""$C/(1-\lambda)$: how far the loss falls in the end for every unit that the rate falls by."""
        return self.C / (1 - self.decay)

    cite: ClassVar[str] = "tissue2024scaling"
    reproduced_on: ClassVar[tuple[str, ...]] = ("mpl_loss_curves",)
    domain: ClassVar[Mapping[str, q.Range]] = {"S": (1e3, 1e6)}
    cases: ClassVar[tuple[Case, ...]] = (
        # No annealing at a constant rate: 1,000 steps at 1e-3 are an area of one.
        Case({"schedule": (constant(1000, 1e-3),), "S": (1000.0,)}, 2.8 + 0.6, 1e-14, "S1 = 1 and S2 = 0"),
        # Two steps from 2 to 1 to 0 of a thousandth: S1 = 1e-3, S2 = 1e-3 (1 + (1 + lambda)).
        Case(
            {"schedule": (linear(2, 2e-3, 0.0),), "S": (2.0,)},
            2.8 + 0.6 * 1000**0.45 - 0.45 * 1e-3 * 2.999,
            1e-13,
            "S1 = 0.001 and S2 = 0.002999, by hand",
        ),
    )
    published: ClassVar[Mapping[str, Published]] = {
        "tissue2024_figure": Published(
            {"L0": 2.628, "A": 0.429, "alpha": 0.550, "C": 0.411, "decay": 0.999},
            source="Tissue et al. 2024, one figure's fit",
            note="recalled, not verified at its source",
        ),
        "luo2025_25M": Published(
            {"L0": 3.158, "A": 0.514, "alpha": 0.513, "C": 0.402, "decay": 0.999}, source=f"{_REFIT}, 25M", note=_NOTE
        ),
        "luo2025_100M": Published(
            {"L0": 2.789, "A": 0.593, "alpha": 0.455, "C": 0.481, "decay": 0.999}, source=f"{_REFIT}, 100M", note=_NOTE
        ),
        "luo2025_400M": Published(
            {"L0": 2.525, "A": 0.654, "alpha": 0.420, "C": 0.570, "decay": 0.999}, source=f"{_REFIT}, 400M", note=_NOTE
        ),
    }
