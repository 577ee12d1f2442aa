r"""Fast and accurate model scaling (Dollar, Singh and Girshick 2021, arXiv 2103.06877).

$$ d = s^{e_d/Z}, \quad w = s^{e_w/(2Z)}, \quad r = s^{e_r/(2Z)}, \quad Z = e_d + e_w + e_r $$
$$ a(s) = a_1\, d\, w\, r^2 = a_1\, s^{(e_d + e_w/2 + e_r)/Z} $$

How depth, width and resolution of a convolutional network grow when its FLOP $d w^2 r^2$ become s times as many. The
weights are a rule, not an estimate; only the activations $a_1$ of the network that is scaled are its own. Activations
(outputs of all convolutions) rather than FLOP tell the runtime on accelerators, and of all shares width adds the
fewest: the square root of s, against s itself for depth or resolution. The fast rule gives width eight tenths, and
depth and resolution a tenth each.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case, Published
from jaxscale.core.numerics.powers import power
from jaxscale.core.parametric import param

GROWTH = q.Quantity("", "FLOP over those of the network that is scaled", domain=(1e-3, 1e4), typical=(1.0, 100.0))
ACTIVATIONS = q.Quantity("activations", "outputs of all layers for one input")

Growth = Annotated[Float[Array, ""], GROWTH]
Activations = Annotated[Float[Array, ""], ACTIVATIONS]


class CompoundScaling(AbstractLaw):
    """Activations, to which runtime is proportional, of a network scaled to s times its FLOP.

    The weights say how FLOP are shared, are not negative, and are not fitted. The default is the fast rule on a
    network of ten million activations. The published sets are rules: give them the a_1 of your network.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: a_1.
    """

    # Linear, and not declared so: a law linear in all that is fitted would have one start, which certifies nothing.
    a_1: Activations = param(s.positive, init=1e7, prior=p.LogNormal(1e7, 1.5), doc="activations before scaling")
    e_d: q.Pure = param(s.real, init=1.0, prior=p.Normal(1.0, 3.0), doc="weight of depth", estimated=False)
    e_w: q.Pure = param(s.real, init=8.0, prior=p.Normal(1.0, 3.0), doc="weight of width", estimated=False)
    e_r: q.Pure = param(s.real, init=1.0, prior=p.Normal(1.0, 3.0), doc="weight of resolution", estimated=False)

    def __call__(self, s: Growth) -> Activations:
        depth, width, resolution = self.exponents()
        return self.a_1 * power(s, depth + width + 2 * resolution)

    def exponents(self) -> tuple[q.Pure, q.Pure, q.Pure]:
        """Powers of s by which depth, width and resolution grow."""
        total = self.e_d + self.e_w + self.e_r
        return self.e_d / total, self.e_w / (2 * total), self.e_r / (2 * total)

    def factors(self, s: Growth) -> tuple[q.Pure, q.Pure, q.Pure]:
        """What depth, width and resolution are multiplied with."""
        depth, width, resolution = (power(s, exponent) for exponent in self.exponents())
        return depth, width, resolution

    cite: ClassVar[str] = "dollar2021fast"
    cases: ClassVar[tuple[Case, ...]] = (Case({"s": 32.0}, 8e7, 1e-14, "32^0.6 = 8: fast scaling"),)
    published: ClassVar[Mapping[str, Published]] = {
        "fast": Published(
            {"e_d": 1.0, "e_w": 8.0, "e_r": 1.0}, "Dollar et al. 2021, dWr with alpha = .8, d1_w8_g8_r1 in pycls"
        ),
        "uniform": Published({"e_d": 1.0, "e_w": 1.0, "e_r": 1.0}, "Dollar et al. 2021, uniform compound scaling, dwr"),
        "depth": Published({"e_d": 1.0, "e_w": 0.0, "e_r": 0.0}, "Dollar et al. 2021, depth alone, d"),
        "width": Published({"e_d": 0.0, "e_w": 1.0, "e_r": 0.0}, "Dollar et al. 2021, width alone, w"),
    }
