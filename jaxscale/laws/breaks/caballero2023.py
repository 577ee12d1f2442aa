r"""Broken neural scaling laws (Caballero et al. 2022, arXiv 2210.14891).

$$ y(x) = a + b x^{-c_0} \prod_{i=1}^{n} \left( 1 + (x/d_i)^{1/f_i} \right)^{-c_i f_i} $$

A power law with exponent $c_0$ whose exponent grows by $c_i$ as x passes $d_i$; small $f_i$ makes the passage
sharp. Negative exponents let the curve rise, as in double descent. Evaluated as
$a + \exp(\ln b - c_0 \ln x - \sum_i c_i f_i \, \mathrm{softplus}((\ln x - \ln d_i)/f_i))$, which neither overflows
nor loses the sharp breaks in float32.
"""

from collections.abc import Mapping
from math import log
from typing import Annotated, ClassVar, Self

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case, Published
from jaxscale.core.parametric import param

SCALE = q.Quantity(
    "", "the quantity that is scaled: compute, size, data or steps, in the unit of the data", typical=(1e3, 1e9)
)
METRIC = q.Quantity("", "the metric on the y axis, lower or higher is better, in the unit of the task")

Scale = Annotated[Float[Array, ""], SCALE]
Scales = Annotated[Float[Array, " breaks"], SCALE]
Metric = Annotated[Float[Array, ""], METRIC]
PerBreak = Annotated[Float[Array, " breaks"], q.PURE]


class BrokenPowerLaw(AbstractLaw):
    """Metric y as a function of one scaled quantity x > 0, with n breaks (one by default, see `with_breaks`).

    c, d and f are vectors of length n. a, b and y share a unit; d has the unit of x; b is y - a at x = 1 before
    any break.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: a, b, c0, c, d, f.
    """

    a: Metric = param(s.positive, init=0.5, prior=p.LogNormal(0.5, 1.5), doc="limit of the metric", linear=True)
    b: Metric = param(s.positive, init=2.0, prior=p.LogNormal(3.0, 2.0), doc="offset of the first segment", linear=True)
    c0: q.Pure = param(s.real, init=0.1, prior=p.Normal(0.15, 0.2), doc="exponent of the first segment", symbol="c_0")
    c: PerBreak = param(s.real, init=(0.2,), prior=p.Normal(0.0, 0.7), doc="change of exponent at each break")
    d: Scales = param(
        s.positive_ordered, init=(1e6,), prior=p.LogNormal(1e6, 4.0), doc="where the breaks lie", within="x"
    )
    f: PerBreak = param(s.positive, init=(0.5,), prior=p.LogNormal(0.5, 0.8), doc="width of each break")

    def __call__(self, x: Scale) -> Metric:
        # A sharp break divides by a small f: near it the logarithm of the quotient is exact where a difference of
        # logarithms is not.
        passed = self.f * jax.nn.softplus(jnp.log(x / self.d) / self.f)
        return self.a + jnp.exp(jnp.log(self.b) - self.c0 * jnp.log(x) - jnp.sum(self.c * passed))

    @classmethod
    def with_breaks(cls, n: int, low: float = 1e3, high: float = 1e9) -> Self:
        """The default law with n breaks spread evenly in log x between `low` and `high` (in the unit of x).

        Raises `ValueError` unless n >= 1 and 0 < low < high.
        """
        if n < 1:
            raise ValueError(
                f"with_breaks: expected at least one break, got n = {n}; without breaks use PowerLawWithFloor"
            )
        if not 0 < low < high:
            raise ValueError(f"with_breaks: expected 0 < low < high, got low = {low:g}, high = {high:g}")
        step = (log(high) - log(low)) / (n + 1)
        d = jnp.exp(log(low) + step * jnp.arange(1, n + 1, dtype=float))
        return cls(c=jnp.full_like(d, 0.2), d=d, f=jnp.full_like(d, 0.5))

    cite: ClassVar[str] = "caballero2023broken"
    cases: ClassVar[tuple[Case, ...]] = (
        # The break is 600 times away and sharp, so that it leaves a factor 1 - 1e-47.
        Case(
            {"x": 1.0}, 0.41388453071629455 + 2.2772722897737556, 1e-15, "a + b far below the break", "addition_4_digit"
        ),
        Case(
            {"x": 3e6},
            1e-3 + 4.66e3 * (3e6) ** -0.05 * 2 ** (-0.49 * 1.1) * (1 + 3e-8 ** (1 / 1.425)) ** (0.811 * 1.425),
            1e-14,
            "at the first break, where its factor is 2^(-c1 f1) and the third break is out of reach",
            "figure_1",
        ),
    )
    published: ClassVar[Mapping[str, Published]] = {
        "addition_4_digit": Published(
            {
                "a": 0.41388453071629455,
                "b": 2.2772722897737556,
                "c0": 0.055077348404973955,
                "c": (5.662903816010331,),
                "d": (612.5836172918001,),
                "f": (0.059193036393742314,),
            },
            source="Caballero et al. 2022, noiseless simulation of 4-digit addition, from the paper's repository",
            note="x counts training examples, y is test cross-entropy",
        ),
        "figure_1": Published(
            {
                "a": 1e-3,
                "b": 4.66e3,
                "c0": 0.05,
                "c": (0.49, -0.811, 2.1),
                "d": (3e6, 1e14, 2e20),
                "f": (1.1, 1.425, 0.05),
            },
            source="Caballero et al. 2022, figure 1, from the paper's repository",
            note="an illustration with three breaks, no data",
        ),
    }
