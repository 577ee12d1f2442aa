"""Muennighoff et al. 2023, the second stage as a posterior: R_D*, R_N* and the noise's scale, on 182 C4 runs.

Is R_D* bounded above? Two optima of the authors' objective are known: (15.4, 5.3) as published, and the better
(95, 1.7) of `test_muennighoff2023.py`. What each instrument says:

- R-hat says nothing of it: it is below 1.01, since every chain crosses both optima. They lie on one ridge.
- The likelihood does not vanish as R_D* grows: without decay of data the deviance is 2.71 under the density of the
  authors' Huber loss, so that an interval of more than 90.05 % has no upper end. Under Student-t noise it is 5.00 (open
  above 97.5 %: 634 at 90 %, 1,680 at 95 %). A prior flat in log R_D* would give no posterior at all.
- The posterior is proper because of its prior. Its upper end is the prior's: with twice the width in logarithms the
  95 % quantile rises from 155 to 470 under Student-t noise, while the lower end stays near 16 to 19.

Oracles: the optima of the paper and of an independent fit; the chi-square distribution; and, for the two priors, Bayes'
rule: draws under one, weighted by the ratio of the priors, are draws under the other.
"""

from pathlib import Path
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2, norm

from jaxscale import AbstractLaw, Fit, Posterior, Study, fit, huber_density, load, param, profile, sample, student_t
from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.laws.data.muennighoff2023 import DataConstrained
from jaxscale.objectives.likelihood import Likelihood

# The optima differ by digits that float32 does not resolve.
pytestmark = [pytest.mark.slow, pytest.mark.x64]

STAGE_ONE = ("E", "A", "B", "alpha", "beta")
PUBLISHED, BETTER = 15.37, 95.4  # R_D*
HUBER = huber_density(0.1)  # sigma is .009: the width is the authors' 1e-3
NARROW, WIDE = 1.5, 3.0  # prior standard deviations of log R_D*


class WidePrior(AbstractLaw):
    """`DataConstrained`, its first stage as published, with twice the prior width of R_D*."""

    R_D: q.Pure = param(s.positive, init=15.387756, prior=p.LogNormal(10.0, WIDE), doc="as there")
    R_N: q.Pure = param(s.positive, init=5.309743, prior=p.LogNormal(10.0, 1.5), doc="as there")
    cite: ClassVar[str] = "muennighoff2023scaling"

    def __call__(self, N: q.Params, D: q.Tokens, U: q.UniqueTokens) -> q.Nats:
        return DataConstrained(R_D=self.R_D, R_N=self.R_N)(N, D, U)


@pytest.fixture(scope="module")
def study(data_dir: Path) -> Study:
    return load("datablations_c4")


@pytest.fixture(scope="module")
def huber(study: Study) -> Posterior:
    return sample(DataConstrained(), study, HUBER, fixed=STAGE_ONE)


@pytest.fixture(scope="module")
def narrow(study: Study) -> Posterior:
    return sample(DataConstrained(), study, student_t(), fixed=STAGE_ONE)


@pytest.fixture(scope="module")
def wide(study: Study) -> Posterior:
    return sample(WidePrior(), study, student_t())


def R_D(posterior: Posterior) -> np.ndarray:
    """Draws of R_D* by chain."""
    return np.exp(posterior.z[..., posterior.fit.problem.split.names().index("R_D")].astype(np.float64))


def shown(posterior: Posterior) -> np.ndarray:
    """The 5, 50 and 95 % quantiles of R_D*."""
    found = np.quantile(R_D(posterior), [0.05, 0.5, 0.95])
    d = posterior.diagnosis
    print(posterior.engine, posterior.starts, found, d.rhat.max(), d.ess_bulk.min(), d.ess_tail.min(), d.leapfrogs)
    return found


def test_every_chain_visits_both_optima(huber: Posterior) -> None:
    shown(huber)
    assert huber.diagnosis.passed, huber.remarks
    assert len(set(huber.starts)) >= 2
    for draws in R_D(huber):
        low, high = draws < PUBLISHED, draws > BETTER
        crossings = np.count_nonzero(np.diff(np.where(low, -1, high.astype(int))[low | high]))
        print(low.mean(), high.mean(), crossings)
        assert crossings >= 2


@pytest.mark.parametrize("which", ["huber", "narrow", "wide"])
def test_the_upper_tail_is_the_long_one(which: str, request: pytest.FixtureRequest) -> None:
    posterior = request.getfixturevalue(which)
    low, middle, high = shown(posterior)
    assert posterior.diagnosis.passed, posterior.remarks
    assert high / middle > 3
    assert high / middle > middle / low


def without_decay(likelihood: Likelihood, study: Study) -> tuple[Fit, float]:
    """The fit without prior, and the deviance of an R_D* so large that repeated tokens are worth fresh ones."""
    free = fit(DataConstrained(), study, likelihood, fixed=STAGE_ONE)
    law = DataConstrained(R_D=jnp.asarray(1e12))
    limit = fit(law, study, likelihood, fixed=(*STAGE_ONE, "R_D"))
    return free, 2 * (limit.value - free.value)


@pytest.mark.parametrize(("likelihood", "closed_at"), [(HUBER, 0.85), (student_t(), 0.9)], ids=["huber", "student"])
def test_the_likelihood_bounds_weak_levels_only(likelihood: Likelihood, closed_at: float, study: Study) -> None:
    """The profile's interval is closed below the level of its limit and open above; the lower end always exists."""
    free, deviance = without_decay(likelihood, study)
    level = float(chi2.cdf(deviance, 1))
    print(free.law, deviance, level)
    assert closed_at < level < 0.99
    weak, strong = (profile(free, "R_D", level=one) for one in (closed_at, 0.99))
    print(weak.interval, strong.interval)
    assert weak.closed == (True, True)
    assert strong.closed == (True, False)
    assert any("not bounded above" in remark for remark in strong.remarks())


def test_the_prior_holds_the_upper_end(narrow: Posterior, wide: Posterior) -> None:
    before, after = shown(narrow), shown(wide)
    assert after[2] > 2 * before[2]
    assert after[0] < 2 * before[0]


def test_the_priors_agree_by_bayes_rule(narrow: Posterior, wide: Posterior) -> None:
    """Shares of the wide posterior's draws below the narrow one's quantiles, weighted by the ratio of the priors."""
    draws = R_D(wide)
    logs = np.log(draws / 10.0)
    weight = norm.pdf(logs, scale=NARROW) / norm.pdf(logs, scale=WIDE)
    weight /= weight.sum()
    kept = 1 / np.sum(weight**2) / weight.size
    sizes = [min(x.diagnosis.ess_bulk.min(), x.diagnosis.ess_tail.min()) for x in (narrow, wide)]
    for level in (0.05, 0.5, 0.95):
        share = float(weight[draws < np.quantile(R_D(narrow), level)].sum())
        error = np.sqrt(level * (1 - level) * (1 / sizes[0] + 1 / (kept * sizes[1])))
        print(level, share, error)
        assert share == pytest.approx(level, abs=4 * error)
