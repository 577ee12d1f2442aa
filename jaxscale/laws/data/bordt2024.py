r"""How much can we forget about data contamination? (Bordt et al. 2024, arXiv 2410.03249).

$$ \frac{y}{1 - y} = \frac{y_0}{1 - y_0}
   \left[ 1 + \left( \frac{r}{r_0} \right)^a \left( \frac{D}{2 \cdot 10^{10}} \right)^c e^{-(D/N - 20)/m} \right] $$

y is the accuracy on benchmark questions that stood r times among the D training tokens, $y_0$ that on questions which
did not. The paper prints tables and no law; this one is ours. A run learns what it meets, the more the longer it is
($D^c$), and forgets it by a share per step, as AdamW's decay does: exponentially in the tokens per parameter, a
fraction 1/e for every m of them. So a larger run of as many tokens per parameter is hurt more, and at given N the gain
falls beyond $D/N = c\,m$, which is 53. A power of D instead, the first guess, forgets ever more slowly: it asked for
28 times the tokens at which the paper's small model has all but forgotten what it met 12 times.

On the paper's 44 accuracies, fitted by least squares, the law is off by 2.0 points (root mean square), with powers of
N and D by 5.9, and by 6.9 without the 1, which lets a few repeats lower the accuracy; rows of the table that were left
out are predicted to 2.6 points and, by the powers, to 8.9. Sampling errors are about one point. The third split is
called 32 in the paper's figures and 36 in the names of its files; 32 is used here.

`retained` is the paper's theory of forgetting: what AdamW's decay leaves of an update made at step s is
$w_s = \prod_{t > s} (1 - \eta_t \lambda)$. Measured forgetting is faster, so $w_s$ bounds what is remembered.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case, Published
from jaxscale.core.numerics.roots import root
from jaxscale.core.parametric import param
from jaxscale.core.quantities import Range

_N0, _D0 = 1e9, 2e10

REPEATS = q.Quantity(
    "epochs",
    "times that a question stands among the training tokens",
    domain=(1.0, 1e3),
    typical=(1.0, 200.0),
    nothing=True,
)
Repeats = Annotated[Float[Array, ""], REPEATS]


class Contamination(AbstractLaw):
    """Accuracy on questions seen r times by a model of N parameters in D tokens; `holdout` is that on unseen ones.

    r is counted over the whole run and evenly spread; D counts all tokens. The default is our fit to the paper's
    tables: decoders of 124M to 1.6B parameters, 2.5 to 37.5 billion tokens, accuracy over several benchmarks.

    No repeats, r = 0, give the accuracy on unseen questions.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: r_0, a, c, m.
    """

    r_0: q.Epochs = param(
        s.positive,
        init=2.572,
        prior=p.LogNormal(3.0, 1.0),
        doc="repeats that double the odds at 1e9 params, 2e10 tokens",
    )
    a: q.Pure = param(s.positive, init=1.249, prior=p.LogNormal(1.0, 0.5), doc="exponent of repeats")
    c: q.Pure = param(s.positive, init=1.058, prior=p.LogNormal(1.0, 0.5), doc="exponent of learning with tokens")
    m: q.Ratio = param(
        s.positive, init=50.0, prior=p.LogNormal(50.0, 0.7), doc="tokens per parameter that leave 1/e of a gain"
    )

    def __call__(self, r: Repeats, N: q.Params, D: q.Tokens, holdout: q.Score) -> q.Score:
        met = jnp.where(r > 0, r, self.r_0)  # the logarithm of no repeats has no derivative
        gain = self.a * jnp.log(met / self.r_0) + self.c * jnp.log(D / _D0) - (D / N - _D0 / _N0) / self.m
        learnt = jnp.where(r > 0, jax.nn.softplus(gain), 0)
        return jax.nn.sigmoid(jnp.log(holdout) - jnp.log1p(-holdout) + learnt)

    def washed_out(self, r: q.Epochs, N: q.Params, holdout: q.Score, excess: q.Score) -> q.Tokens:
        """Training tokens after which r repeats raise the accuracy by no more than `excess`; 0 where none do.

        At D = c m N u tokens the gain is that where u - ln u is what the excess allows; the larger of its two roots
        is the one where the questions are forgotten, not yet to be learnt.
        """
        y = holdout + excess
        # log(odds ratio - 1): the odds ratio is 1 + excess / (holdout (1 - y)).
        allowed = jnp.log(excess) - jnp.log(holdout) - jnp.log1p(-y)
        most = self.c * self.m * N
        surplus = self.a * jnp.log(r / self.r_0) + self.c * jnp.log(most / _D0) + _D0 / _N0 / self.m - allowed
        level = surplus / self.c
        ever = level > 1
        high = jnp.where(ever, level, 2.0)
        # ln u is at most u / e, so that the root is at most 1.59 times the level.
        u = root(lambda u: u - jnp.log(u) - high, jnp.ones_like(high), 1.6 * high).at
        return jnp.where(ever, most * u, 0)

    cite: ClassVar[str] = "bordt2024how"
    domain: ClassVar[Mapping[str, Range]] = {
        "r": (2.0, 200.0),
        "N": (1e8, 2e9),
        "D": (2e9, 5e10),
        "holdout": (0.3, 0.7),
    }
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"r": 2.572, "N": 1e9, "D": 2e10, "holdout": 0.5}, 2 / 3, 1e-14, "r_0 repeats double the odds"),
        Case({"r": 0.0, "N": 1e9, "D": 2e10, "holdout": 0.45}, 0.45, 1e-14, "no repeats, no gain"),
    )
    published: ClassVar[Mapping[str, Published]] = {
        "refit": Published(
            {"r_0": 2.572, "a": 1.249, "c": 1.058, "m": 50.0},
            source="least squares of ours on the 44 accuracies of Bordt et al. 2024",
            note="the paper fits no law; root mean square error 2.0 points of accuracy",
        ),
    }


def retained(learning_rate: Float[Array, " steps"], weight_decay: Float[Array, ""]) -> Float[Array, " steps"]:
    """The share of each step's update that AdamW's decay leaves at the end of the run; 1 for the last step."""
    kept = jnp.log1p(-learning_rate * weight_decay)
    return jnp.exp(jax.lax.cumsum(kept, reverse=True) - kept)
