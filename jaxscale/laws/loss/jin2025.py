r"""The journey matters: average parameter count (Jin et al. 2025, arXiv 2501.12486).

$$ L = E + A \bar N^{-\alpha} + B D^{-\beta}, \qquad \bar N = \frac{1}{D} \int_0^D N(t)\,dt, \qquad C = 6 \bar N D $$

The law of Hoffmann et al. 2022 in the size a model had on average while it was pruned. Dense to the share $t_0$ of the
tokens, then pruned gradually to sparsity s at $t_1$, then held:

$$ \bar N / N = 1 - s\,[\mu (t_1 - t_0) + 1 - t_1] $$

with $\mu$ the mean of the ramp: 1/2 if linear, 3/4 for the cubic $1 - (1-u)^3$ usual in pruning.

Trap: $t_0$ and $t_1$ are shares of tokens. The paper's best schedule of 80, 25 % to 75 %, is in shares of compute, of
which early tokens cost more; `token_shares` converts, in closed form.
"""

from collections.abc import Mapping
from math import exp
from typing import ClassVar

import jax.numpy as jnp

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case
from jaxscale.core.numerics.powers import power, split_between_powers
from jaxscale.core.parametric import param

LINEAR, CUBIC = 0.5, 0.75
"""Means of the two usual pruning ramps, for `ramp`."""


class AverageSize(AbstractLaw):
    """Loss after D tokens of a model of N parameters when dense, pruned to a share 1 - s of them.

    Pruning starts after the share t0 of the tokens and ends at t1 >= t0. s = 0 is dense training. No coefficients
    were retrieved; the default is the fit of Hoffmann et al. 2022 at full precision. The paper trained models of 58M
    to 468M parameters on up to 20 times the tokens of Chinchilla; beyond them the law extrapolates.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: E, A, B, alpha, beta.
    """

    E: q.Nats = param(s.positive, init=exp(0.5267228), prior=p.LogNormal(1.7, 0.5), doc="entropy of text", linear=True)
    A: q.Nats = param(
        s.positive, init=exp(6.0073404), prior=p.LogNormal(400.0, 2.0), doc="cost of finite size", linear=True
    )
    B: q.Nats = param(
        s.positive, init=exp(6.0179186), prior=p.LogNormal(1000.0, 2.5), doc="cost of finite data", linear=True
    )
    alpha: q.Pure = param(
        s.positive, init=0.33917084, prior=p.LogNormal(0.35, 0.5), doc="size exponent", symbol=r"\alpha"
    )
    beta: q.Pure = param(s.positive, init=0.2849083, prior=p.LogNormal(0.35, 0.5), doc="data exponent", symbol=r"\beta")
    ramp: q.Fraction = param(
        s.unit_interval,
        init=CUBIC,
        prior=p.Beta(6.0, 2.0),
        doc="mean sparsity during the ramp, as a share of s",
        symbol=r"\mu",
        estimated=False,
    )

    def __call__(self, N: q.Params, D: q.Tokens, s: q.Fraction, t0: q.Fraction, t1: q.Fraction) -> q.Nats:
        average = N * self.average_share(s, t0, t1)
        return self.E + self.A * power(average, -self.alpha) + self.B * power(D, -self.beta)

    def average_share(self, s: q.Fraction, t0: q.Fraction, t1: q.Fraction) -> q.Fraction:
        """Average size over dense size, and compute over that of dense training on the same tokens."""
        return 1 - s * (self.ramp * (t1 - t0) + 1 - t1)

    def token_shares(self, s: q.Fraction, c0: q.Fraction, c1: q.Fraction) -> tuple[q.Fraction, q.Fraction]:
        """(t0, t1) of a schedule that prunes between the shares c0 and c1 of its compute.

        Dense tokens cost 1 and pruned ones 1 - s, so with R the average share t0 = R c0 and (1 - t1)(1 - s) =
        R (1 - c1); both in the average share make it linear in R.
        """
        kept = 1 - s
        average = (1 - s * self.ramp) / (1 - s * self.ramp * c0 + s * (1 - self.ramp) * (1 - c1) / kept)
        return average * c0, 1 - average * (1 - c1) / kept

    def compute_optimal(self, C: q.Flops) -> tuple[q.Params, q.Tokens]:
        """Average size and tokens of least loss at C = 6 x average size x tokens, in closed form, for any schedule."""
        return split_between_powers(jnp.log(self.A), self.alpha, jnp.log(self.B), self.beta, C)

    def dense_and_final(
        self, average: q.Params, s: q.Fraction, t0: q.Fraction, t1: q.Fraction
    ) -> tuple[q.Params, q.Params]:
        """The size to start from and the size that is left, for an average size under a schedule.

        The same average means the same loss and training compute, and a final model smaller by the factor
        (1 - s) / average_share than the dense one of that loss.
        """
        dense = average / self.average_share(s, t0, t1)
        return dense, dense * (1 - s)

    cite: ClassVar[str] = "jin2025journey"
    cases: ClassVar[tuple[Case, ...]] = (
        # s = 0 is dense training: the value of Chinchilla's own law there, which it prints as 1.936 rounded.
        Case(
            {"N": 70e9, "D": 1.4e12, "s": 0.0, "t0": 0.25, "t1": 0.75},
            exp(0.5267228) + exp(6.0073404) * 70e9**-0.33917084 + exp(6.0179186) * 1.4e12**-0.2849083,
            1e-14,
            "without pruning the law of Hoffmann et al. 2022",
        ),
        # Half pruned on a cubic ramp from 0.2 to 0.6: 1 - 0.5 (0.75 x 0.4 + 0.4) = 0.65 of the dense size.
        Case(
            {"N": 70e9 / 0.65, "D": 1.4e12, "s": 0.5, "t0": 0.2, "t1": 0.6},
            exp(0.5267228) + exp(6.0073404) * 70e9**-0.33917084 + exp(6.0179186) * 1.4e12**-0.2849083,
            1e-14,
            "the same average size, the same loss",
        ),
    )
    domain: ClassVar[Mapping[str, q.Range]] = {
        "N": (1e7, 1e12),
        "D": (1e9, 1e13),
        "s": (0.0, 0.9),
        "t0": (0.0, 0.45),
        "t1": (0.55, 1.0),
    }
