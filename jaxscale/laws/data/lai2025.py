r"""Panda: a pretrained forecast model for chaotic dynamics (Lai, Bao, Gilpin 2025): the number of distinct systems.

$$ \epsilon(n, h) = c_0 + c_1 n^{-\alpha} + c_2 h^{-\beta} $$

The budget of training points is held and spread over n distinct systems, with proportionally fewer initial conditions
of each: what falls is the error of new systems. h is the length of the forecast. The notebook of the paper's
repository fits this sum and bounds all five numbers below by zero; but longer forecasts are worse, and a term that
falls with h cannot say so. Here beta may be negative, and no fitted numbers are stored there.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case
from jaxscale.core.numerics.powers import power
from jaxscale.core.parametric import param
from jaxscale.core.quantities import Range

SYSTEMS = q.Quantity("systems", "distinct dynamical systems in the training set", domain=(1.0, 1e7))
HORIZON = q.Quantity("steps", "steps that are forecast", domain=(1.0, 1e5))
SMAPE = q.Quantity("%", "symmetric mean absolute percentage error, from 0 to 200")

Systems = Annotated[Float[Array, ""], SYSTEMS]
Horizon = Annotated[Float[Array, ""], HORIZON]
Smape = Annotated[Float[Array, ""], SMAPE]


class DistinctSystems(AbstractLaw):
    """Error of forecasts of h steps on unseen systems after training on n systems, at a fixed number of points.

    The design: 164 systems of 128 initial conditions to 20979 systems of one, forecasts of 128 to 512 steps. No
    coefficients were retrieved; the defaults are plausible.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: c0, c1, alpha, beta; to a factor of 2: c2.
    """

    c0: Smape = param(
        s.positive, init=20.0, prior=p.LogNormal(20.0, 0.8), doc="error that stays", symbol="c_0", linear=True
    )
    c1: Smape = param(
        s.positive, init=300.0, prior=p.LogNormal(200.0, 1.5), doc="cost of few systems", symbol="c_1", linear=True
    )
    alpha: q.Pure = param(
        s.positive, init=0.4, prior=p.LogNormal(0.4, 0.6), doc="exponent of systems", symbol=r"\alpha"
    )
    c2: Smape = param(
        s.positive, init=2.0, prior=p.LogNormal(2.0, 1.5), doc="cost of long forecasts", symbol="c_2", linear=True
    )
    beta: q.Pure = param(
        s.real, init=-0.5, prior=p.Normal(-0.3, 0.3), doc="exponent of length, negative: it grows", symbol=r"\beta"
    )

    def __call__(self, n: Systems, h: Horizon) -> Smape:
        return self.c0 + self.c1 * power(n, -self.alpha) + self.c2 * power(h, -self.beta)

    cite: ClassVar[str] = "lai2025panda"
    domain: ClassVar[Mapping[str, Range]] = {"n": (164.0, 20979.0), "h": (128.0, 512.0)}
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"n": 1024.0, "h": 256.0}, 20 + 300 / 16 + 2 * 16, 1e-14, "1024^0.4 = 16 and 256^0.5 = 16"),
    )
