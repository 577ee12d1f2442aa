r"""Unified scaling laws for routed language models (Clark et al. 2022, arXiv 2202.01169).

$$ \log_{10} L = a \log_{10} N + b \log_{10} \hat E + c \log_{10} N \log_{10} \hat E + d $$
$$ \frac{1}{\hat E} = \frac{1}{E - 1 + (1/E_s - 1/E_m)^{-1}} + \frac{1}{E_m} $$

More experts multiply the loss by a power whose exponent $b + c \log_{10} N$ shrinks as the model grows, so routing
stops helping at $N = 10^{-b/c}$. The saturated count $\hat E$ runs from $E_s$ at one expert to $E_m$ at
infinitely many.

Logarithms are base 10, as printed. In natural logarithms a and b stay, c becomes $c / \ln 10$ and d becomes
$d \ln 10$; this only scales parameters, which the solver does anyway, so the printed ones are kept.

Traps. b and c nearly cancel, so that printed coefficients, of one or two digits in c, put the cut-off of RL-R at 3e10
where the paper states 8.5e10: use the refits. $E_s$ and $E_m$ are weakly determined. D is fixed at 130B tokens, and
with D free, Krajewski et al. 2024 find no cut-off.
"""

from collections.abc import Mapping
from math import log
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case, Published
from jaxscale.core.parametric import Change, param

_LN10 = log(10.0)
_TABLE = "Clark et al. 2022, table 3, read through secondary notes"
_ROUNDED = "rounded: do not take the cut-off from it"
_REFIT = "least squares of log L on the last checkpoints of the authors' released runs and five dense ones, by jaxscale"


class RoutedLM(AbstractLaw):
    """Validation loss of a language model with N parameters per token and E experts, after 130B tokens.

    N counts what one token passes through; E = 1 is the dense model. Every second block is routed, to one expert.
    The default is the refit of S-BASE.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: a, b, c, d; to a factor of 2: E_s, E_m.
    """

    a: q.Pure = param(
        s.real, init=-0.08302530, prior=p.Normal(-0.08, 0.02), doc="size exponent at one effective expert"
    )
    b: q.Pure = param(s.real, init=-0.11804370, prior=p.Normal(-0.12, 0.05), doc="expert exponent at one parameter")
    c: q.Pure = param(
        s.real, init=0.009924835, prior=p.Normal(0.01, 0.006), doc="loss of the expert exponent per decade"
    )
    d: q.Pure = param(
        s.real, init=1.11358000, prior=p.Normal(1.1, 0.2), doc="decimal logarithm of the scale of the loss"
    )
    E_s: q.Experts = param(
        s.Interval(0.0, 20.0), init=2.0745682, prior=p.LogNormal(2.0, 0.5), doc="effective experts of a dense model"
    )
    E_m: q.Experts = param(
        s.Interval(20.0, 1e5), init=238.67468, prior=p.LogNormal(400.0, 0.7), doc="effective experts of infinitely many"
    )

    def __call__(self, N: q.Params, E: q.Experts) -> q.Nats:
        n, e = jnp.log(N), self._log_experts(E)
        return jnp.exp(self.a * n + self.b * e + self.c / _LN10 * n * e + self.d * _LN10)

    def scaling(self, c: Float[Array, ""]) -> dict[str, Change]:
        return {"d": Change(1.0, jnp.log10(c))}

    def effective_experts(self, E: q.Experts) -> q.Experts:
        """The saturated count: E_s for a dense model, E_m at most."""
        return jnp.exp(self._log_experts(E))

    def effective_parameters(self, N: q.Params, E: q.Experts) -> q.Params:
        """Size of the dense model with the same loss (the paper's effective parameter count)."""
        e, dense = self._log_experts(E), jnp.log(self.E_s)
        # Both losses are linear in log N, with slopes a + c log10 of the effective experts.
        slope, dense_slope = (self.a + self.c / _LN10 * x for x in (e, dense))
        return jnp.exp((slope * jnp.log(N) + self.b * (e - dense)) / dense_slope)

    def cutoff(self) -> q.Params:
        """Size beyond which experts raise the loss, 10^(-b/c)."""
        return jnp.exp(-self.b / self.c * _LN10)

    def _log_experts(self, E: Float[Array, ""]) -> Float[Array, ""]:
        log_s, log_m = jnp.log(self.E_s), jnp.log(self.E_m)
        started = E - 1 + jnp.exp(log_s + log_m - jnp.log(self.E_m - self.E_s))
        return -jnp.logaddexp(-jnp.log(started), -log_m)

    cite: ClassVar[str] = "clark2022unified"
    reproduced_on: ClassVar[tuple[str, ...]] = ("routed_lm",)
    domain: ClassVar[Mapping[str, q.Range]] = {"N": (1.5e7, 1.3e9), "E": (1.0, 512.0)}
    cases: ClassVar[tuple[Case, ...]] = (
        # E = 1 leaves the effective count at E_s, and one parameter leaves 10^d E_s^b.
        Case({"N": 1.0, "E": 1.0}, 10**1.104 * 1.847**-0.108, 1e-13, "dense, closed form", "s_base"),
        Case(
            {"N": 1e8, "E": 1e30},
            10 ** (1.111 - 8 * 0.083) * 470.0 ** (8 * 0.012 - 0.126),
            1e-13,
            "infinitely many experts, closed form",
            "rl_r",
        ),
    )
    published: ClassVar[Mapping[str, Published]] = {
        "s_base": Published(
            {"a": -0.082, "b": -0.108, "c": 0.009, "d": 1.104, "E_s": 1.847, "E_m": 314.5}, _TABLE, _ROUNDED
        ),
        "rl_r": Published(
            {"a": -0.083, "b": -0.126, "c": 0.012, "d": 1.111, "E_s": 1.880, "E_m": 470.0}, _TABLE, _ROUNDED
        ),
        "hash": Published(
            {"a": -0.087, "b": -0.136, "c": 0.012, "d": 1.157, "E_s": 4.175, "E_m": 477.7}, _TABLE, _ROUNDED
        ),
        "s_base_refit": Published(
            {
                "a": -0.08302530,
                "b": -0.11804370,
                "c": 0.009924835,
                "d": 1.11358000,
                "E_s": 2.0745682,
                "E_m": 238.67468,
            },
            _REFIT,
            "58 runs; cut-off 7.8e11, against 9.4e11 in the paper",
        ),
        "rl_r_refit": Published(
            {
                "a": -0.08272954,
                "b": -0.12341670,
                "c": 0.011232567,
                "d": 1.10701264,
                "E_s": 1.7219250,
                "E_m": 470.05374,
            },
            _REFIT,
            "59 runs; cut-off 9.7e10, against 8.5e10 in the paper",
        ),
        "hash_refit": Published(
            {
                "a": -0.08735669,
                "b": -0.13836385,
                "c": 0.012635225,
                "d": 1.15953062,
                "E_s": 4.2687683,
                "E_m": 427.32324,
            },
            _REFIT,
            "56 runs; cut-off 8.9e10, against 8.3e10 in the paper",
        ),
    }
