r"""Towards neural scaling laws for time series foundation models (Yao et al. 2025, arXiv 2410.12360).

$$ L(N) = (N_0/N)^a, \quad L(C) = (C_0/C)^a, \quad L(D) = (D_0/D)^a $$

The exponents are so small that the scales lie up to forty decades outside the design: $N_0$ = 1.5e48 exceeds
float32. So each law is written as the loss at a reference inside the design, $L = L_r (x_r/x)^a$ with
$L_r = (x_0/x_r)^a$, and `log10_x0` gives the printed scale back.

Four traps. Half a unit of the last printed digit of a moves the loss by up to six percent, so the sets below are as
good as that. The loss is the negative log-likelihood of a mixture density, which a sharp density makes zero or
negative, where no power law holds: shift it first. L(D) was fitted to four points. And scales and exponents are
figure legends in the paper's repository, which does not hold the runs.
"""

from collections.abc import Mapping
from math import exp, log, log10
from typing import Annotated, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.flops import PETAFLOP_DAY
from jaxscale.core.law import AbstractLaw, Case, Published
from jaxscale.core.numerics.powers import power_ratio
from jaxscale.core.parametric import param

POINTS = q.Quantity("points", "time points trained on", domain=(1e6, 1e13), typical=(1e7, 1.6e10))
Points = Annotated[Float[Array, ""], POINTS]

type Scalar = Float[Array, ""]
type Printed = tuple[float, float]

_N_REF, _C_REF, _D_REF = 1e6, 1e-3 * PETAFLOP_DAY, 4e8


def _log10_scale(x_r: Scalar, L_r: Scalar, a: Scalar) -> Scalar:
    return (jnp.log(x_r) + jnp.log(L_r) / a) / log(10.0)


def _converted(reference: str, x_r: float, printed: Mapping[str, Printed], unit: float = 1.0) -> dict[str, Published]:
    """Published sets from printed pairs (x_0 in `unit`, a): the loss at the reference takes the place of x_0."""
    return {
        name: Published(
            {"L_r": exp(a * (log(x0) + log(unit) - log(x_r))), "a": a, reference: x_r},
            source=f"Yao et al. 2025, figure legend in the paper's repository, {name.replace('_', ', ')}",
            note=f"L_r converted from the printed scale {x0:g}; digits of a leave {0.05 * log(x0 * unit / x_r):.1f} %",
        )
        for name, (x0, a) in printed.items()
    }


class TimeSeriesN(AbstractLaw):
    """Least validation loss of a time-series transformer with N parameters, trained on all the data.

    Test sets: `id` in distribution; `lsf` (long-sequence forecasting) and `monash` out of it. The default is the
    encoder, in distribution.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: L_r, a.
    """

    L_r: q.Nats = param(
        s.positive,
        init=(3.7e16 / _N_REF) ** 0.029,
        prior=p.LogNormal(3.0, 0.7),
        doc="loss at the reference size",
        linear=True,
    )
    a: q.Pure = param(s.positive, init=0.029, prior=p.LogNormal(0.025, 0.8), doc="size exponent")
    N_r: q.Params = param(
        s.positive, init=_N_REF, prior=p.LogNormal(_N_REF, 2.0), doc="reference size, a choice", estimated=False
    )

    def __call__(self, N: q.Params) -> q.Nats:
        return self.L_r * power_ratio(self.N_r, N, self.a)

    def log10_x0(self) -> q.Pure:
        """Decimal logarithm of the printed scale: of the size at which the loss is 1."""
        return _log10_scale(self.N_r, self.L_r, self.a)

    cite: ClassVar[str] = "yao2025towards"
    domain: ClassVar[Mapping[str, q.Range]] = {"N": (872.0, 1e9)}
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"N": 1e7}, 10 ** (0.029 * (9 + log10(3.7))), 1e-14, "(3.7e16 / 1e7)^.029", "encoder_id"),
        Case({"N": 1e9}, 10 ** (0.017 * (39 + log10(1.5))), 1e-14, "(1.5e48 / 1e9)^.017", "decoder_monash"),
    )
    published: ClassVar[Mapping[str, Published]] = _converted(
        "N_r",
        _N_REF,
        {
            "encoder_id": (3.7e16, 0.029),
            "encoder_lsf": (1.4e31, 0.026),
            "encoder_monash": (6.7e36, 0.023),
            "decoder_id": (2.0e34, 0.015),
            "decoder_lsf": (2.9e47, 0.016),
            "decoder_monash": (1.5e48, 0.017),
        },
    )


class TimeSeriesC(AbstractLaw):
    """Least validation loss of a time-series transformer reached with C FLOP, over sizes: the lower envelope.

    The paper counts C as 6N FLOP for each of 128 x 512 positions of a step, in petaflop-days; here C is in FLOP. Its
    range of compute was not retrieved: the domain ends at 1e9 parameters and 1e5 steps. Sets as in `TimeSeriesN`.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: L_r, a.
    """

    L_r: q.Nats = param(
        s.positive,
        init=(1.5e7 * PETAFLOP_DAY / _C_REF) ** 0.024,
        prior=p.LogNormal(3.0, 0.7),
        doc="loss at the reference compute",
        linear=True,
    )
    a: q.Pure = param(s.positive, init=0.024, prior=p.LogNormal(0.02, 0.8), doc="compute exponent")
    C_r: q.Flops = param(
        s.positive, init=_C_REF, prior=p.LogNormal(_C_REF, 2.0), doc="reference compute, a choice", estimated=False
    )

    def __call__(self, C: q.Flops) -> q.Nats:
        return self.L_r * power_ratio(self.C_r, C, self.a)

    def log10_x0(self) -> q.Pure:
        """Decimal logarithm of the printed scale, in FLOP: of the compute at which the loss is 1."""
        return _log10_scale(self.C_r, self.L_r, self.a)

    cite: ClassVar[str] = "yao2025towards"
    domain: ClassVar[Mapping[str, q.Range]] = {"C": (1e12, 4e19)}
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"C": PETAFLOP_DAY}, 10 ** (0.024 * (7 + log10(1.5))), 1e-14, "1.5e7^.024 at 1 PFd", "encoder_id"),
        Case({"C": PETAFLOP_DAY}, 10 ** (0.013 * (47 + log10(1.4))), 1e-14, "1.4e47^.013", "decoder_monash"),
    )
    published: ClassVar[Mapping[str, Published]] = _converted(
        "C_r",
        _C_REF,
        {
            "encoder_id": (1.5e7, 0.024),
            "encoder_lsf": (3.9e26, 0.020),
            "encoder_monash": (2.8e29, 0.020),
            "decoder_id": (6.0e23, 0.014),
            "decoder_lsf": (1.9e33, 0.017),
            "decoder_monash": (1.4e47, 0.013),
        },
        PETAFLOP_DAY,
    )


class TimeSeriesD(AbstractLaw):
    """Least validation loss of a large time-series transformer trained on D time points. Sets as in `TimeSeriesN`.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: L_r, a.
    """

    L_r: q.Nats = param(
        s.positive,
        init=(5.3e12 / _D_REF) ** 0.094,
        prior=p.LogNormal(3.0, 0.7),
        doc="loss at the reference data",
        linear=True,
    )
    a: q.Pure = param(s.positive, init=0.094, prior=p.LogNormal(0.04, 0.8), doc="data exponent")
    D_r: Points = param(
        s.positive, init=_D_REF, prior=p.LogNormal(_D_REF, 2.0), doc="reference data, a choice", estimated=False
    )

    def __call__(self, D: Points) -> q.Nats:
        return self.L_r * power_ratio(self.D_r, D, self.a)

    def log10_x0(self) -> q.Pure:
        """Decimal logarithm of the printed scale: of the time points at which the loss is 1."""
        return _log10_scale(self.D_r, self.L_r, self.a)

    cite: ClassVar[str] = "yao2025towards"
    domain: ClassVar[Mapping[str, q.Range]] = {"D": (1e7, 1.57e10)}
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"D": 1e9}, 10 ** (0.094 * (3 + log10(5.3))), 1e-14, "(5.3e12 / 1e9)^.094", "encoder_id"),
        Case({"D": 1e10}, 10 ** (0.019 * (34 + log10(1.1))), 1e-14, "(1.1e44 / 1e10)^.019", "decoder_lsf"),
    )
    published: ClassVar[Mapping[str, Published]] = _converted(
        "D_r",
        _D_REF,
        {
            "encoder_id": (5.3e12, 0.094),
            "encoder_lsf": (9.6e30, 0.029),
            "encoder_monash": (1.0e39, 0.023),
            "decoder_id": (9.9e13, 0.090),
            "decoder_lsf": (1.1e44, 0.019),
            "decoder_monash": (4.4e31, 0.030),
        },
    )
