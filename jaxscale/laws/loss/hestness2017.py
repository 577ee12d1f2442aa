r"""Deep learning scaling is predictable, empirically (Hestness et al. 2017, arXiv 1712.00409).

$$ \varepsilon(m) = \alpha m^{-\beta} + \gamma, \qquad s(m) = k m^{\beta_p} $$

The learning curve of the best model found for each training-set size m, and the size s of that model. The paper writes
a negative exponent $\beta_g = -\beta$, and drops the floor $\gamma$ where the curve is still a straight line in
logarithms. Exponents read through secondary notes (prefactors were not retrieved but for words):

- $\beta$: word language models .066; character language models .0936 and .0954; translation .128 composed, .36 and .30
  for single models with a floor; ImageNet top-1 .309, top-5 .488, cross-entropy .35; speech .299.
- $\beta_p$: word language models .69 (LSTM, RHN) and .78 (four layers, as some character models), character language
  models .92, ImageNet .573.

Traps. The best model over sizes is an envelope, in which the law of data and that of size mix; curves of a single model
have other exponents, and a floor. And by the paper architectures shift $\alpha$, not $\beta$: over several of them
share $\beta$ and leave each its own $\alpha$.
"""

from collections.abc import Mapping
from typing import ClassVar

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.law import AbstractLaw, Case, Published
from jaxscale.core.numerics.powers import power
from jaxscale.core.parametric import param


class PowerLaw(AbstractLaw):
    """Generalisation error after training on m samples, in the region where only data limit it.

    m counts what the data set counts (words, characters, images, hours of speech); the error has the task's
    own unit (cross-entropy in nats per token for language models).

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: alpha, beta.
    """

    alpha: q.Error = param(
        s.positive, init=11.9, prior=p.LogNormal(10.0, 2.5), doc="error after one sample", symbol=r"\alpha", linear=True
    )
    beta: q.Pure = param(s.positive, init=0.066, prior=p.LogNormal(0.15, 0.8), doc="learning exponent", symbol=r"\beta")

    def __call__(self, m: q.Samples) -> q.Error:
        return self.alpha * power(m, -self.beta)

    def samples_for(self, error: q.Error) -> q.Samples:
        """Samples after which the error has come down to `error`."""
        return power(self.alpha / error, 1 / self.beta)

    cite: ClassVar[str] = "hestness2017deep"
    reproduced_on: ClassVar[tuple[str, ...]] = ("openclip_cherti",)
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"m": 1e6}, 4.78131, 1e-6, "11.9 x 10^(-0.396) by hand from the printed curve", "hestness2017_word_lm"),
    )
    published: ClassVar[Mapping[str, Published]] = {
        "hestness2017_word_lm": Published(
            {"alpha": 11.9, "beta": 0.066},
            source="Hestness et al. 2017, word language models (LSTM), read through secondary notes",
            note="m in words; for the other domains exponents only were retrieved",
        ),
    }


class PowerLawWithFloor(AbstractLaw):
    """Generalisation error after training on m samples, down to the error that no data remove.

    Units as in `PowerLaw`. No complete parameter set was retrieved for this form.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: alpha, beta, gamma.
    """

    alpha: q.Error = param(
        s.positive, init=11.9, prior=p.LogNormal(10.0, 2.5), doc="error after one sample", symbol=r"\alpha", linear=True
    )
    beta: q.Pure = param(s.positive, init=0.3, prior=p.LogNormal(0.3, 0.8), doc="learning exponent", symbol=r"\beta")
    gamma: q.Error = param(
        s.positive, init=1.0, prior=p.LogNormal(1.0, 1.5), doc="irreducible error", symbol=r"\gamma", linear=True
    )

    def __call__(self, m: q.Samples) -> q.Error:
        return self.alpha * power(m, -self.beta) + self.gamma

    def samples_for(self, error: q.Error) -> q.Samples:
        """Samples after which the error has come down to `error`; infinite at gamma, NaN below it."""
        return power(self.alpha / (error - self.gamma), 1 / self.beta)

    cite: ClassVar[str] = "hestness2017deep"
    cases: ClassVar[tuple[Case, ...]] = (
        Case({"m": 1.0}, 12.9, 1e-15, "alpha + gamma of the default: the power of one is one"),
        Case({"m": 1e10}, 1.0119, 1e-15, "11.9 x 10^-3 + 1 of the default"),
    )


class ModelSizeCurve(AbstractLaw):
    """Parameters of the smallest model that fits m samples best: they grow more slowly than the data.

    m counts what the data set counts. k was not retrieved: its default is plausible; beta_p is that of word language
    models.

    Identifiability (60 runs over the domain, 0.3 % noise): to 10 %: k, beta_p.
    """

    k: q.Params = param(s.positive, init=30.0, prior=p.LogNormal(30.0, 3.0), doc="size for one sample")
    beta_p: q.Pure = param(s.unit_interval, init=0.69, prior=p.Beta(8.0, 4.0), doc="size exponent", symbol=r"\beta_p")

    def __call__(self, m: q.Samples) -> q.Params:
        return self.k * power(m, self.beta_p)

    cite: ClassVar[str] = "hestness2017deep"
    domain: ClassVar[Mapping[str, q.Range]] = {"m": (1e4, 1e10)}
    cases: ClassVar[tuple[Case, ...]] = (
        # 10^4.14 = 13803.84 by hand.
        Case({"m": 1e6}, 30 * 13803.84, 1e-6, "the default at a million samples"),
    )
