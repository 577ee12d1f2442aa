"""Posteriors against a closed form, and what must be refused: a second mode, a ridge, bad settings."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.infer import MCMC
from numpyro.infer import NUTS as PlainNUTS

from jaxscale import load
from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.errors import BadInput
from jaxscale.core.law import AbstractLaw
from jaxscale.core.parametric import param
from jaxscale.core.runs import Runs
from jaxscale.infer.fit.fit import Fit, fit
from jaxscale.infer.posterior import convergence
from jaxscale.infer.posterior.diagnosis import Gates
from jaxscale.infer.posterior.numpyro_model import numpyro_model
from jaxscale.infer.posterior.nuts import NUTS
from jaxscale.infer.posterior.posterior import Posterior
from jaxscale.infer.posterior.sample import sample, sample_from
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.objectives.likelihood import gaussian, student_t
from jaxscale.objectives.noise import ConstantNoise
from jaxscale.objectives.penalty import log_huber
from jaxscale.objectives.residual import RawResidual

MCSE = 4
KNOWN = ("objective.noise.sigma",)


def test_conjugate_moments(conjugate: Any, conjugate_posterior: Posterior) -> None:
    posterior, covariance = conjugate_posterior, conjugate.covariance
    assert posterior.diagnosis.passed
    assert posterior.engine == "nuts:curved"  # a Gaussian needs no dense mass matrix
    assert posterior.remarks == posterior.ensemble.remarks == ()
    away = posterior.z.astype(np.float64) - conjugate.mean
    sd = np.sqrt(np.diag(covariance))
    error = sd / np.sqrt(convergence.ess_bulk(away))
    assert np.all(np.abs(away.mean(axis=(0, 1))) < MCSE * error)
    for i, j in ((0, 0), (0, 1), (1, 1)):
        product = away[..., i] * away[..., j]
        error = np.sqrt((covariance[i, i] * covariance[j, j] + covariance[i, j] ** 2) / convergence.ess_bulk(product))
        assert abs(product.mean() - covariance[i, j]) < MCSE * error


def test_conjugate_quantiles(conjugate: Any, conjugate_posterior: Posterior) -> None:
    """The share of draws below a quantile of the closed form: also the tails are there."""
    from scipy.stats import norm

    t = (conjugate_posterior.z.astype(np.float64) - conjugate.mean) / np.sqrt(np.diag(conjugate.covariance))
    for level in (0.025, 0.25, 0.5, 0.75, 0.975):
        below = (t < norm.ppf(level)).astype(float)
        error = np.sqrt(level * (1 - level) / convergence.ess(below))
        assert np.all(np.abs(below.mean(axis=(0, 1)) - level) < MCSE * error)


def test_what_a_posterior_holds(conjugate: Any, conjugate_posterior: Posterior, eps: float) -> None:
    posterior = conjugate_posterior
    assert (posterior.chains, posterior.draws, posterior.seed) == (4, 1000, 0)
    assert posterior.starts == (0, 0, 0, 0)
    assert all(x.shape == (4, 1000) for x in posterior.stats.values())
    np.testing.assert_array_equal(posterior.model.law.c, posterior.z[..., 0].reshape(-1))
    assert np.all(np.asarray(posterior.model.objective.noise.sigma) == np.asarray(conjugate.mode.objective.noise.sigma))
    assert posterior.ensemble.size == 4000
    assert posterior.ensemble.failed == 0
    # `potential` is minus the log density at the draw: the closed form, up to its value at the mode.
    away = posterior.z[::, ::50].astype(np.float64) - conjugate.mean
    rise = 0.5 * np.einsum("cdi,ij,cdj->cd", away, conjugate.precision, away)
    mode = conjugate.mode.problem
    lowest = float(mode.value(mode.split.vector()))
    atol = 60 * 64 * eps * (1 + abs(lowest))
    np.testing.assert_allclose(posterior.stats["potential"][:, ::50] - lowest, rise, rtol=0, atol=atol)
    assert 0.7 < float(np.mean(posterior.stats["accept"])) < 0.97  # NUTS overshoots a target of .8 on easy targets
    assert posterior.diagnosis.leapfrogs <= 10


def test_the_key_decides(conjugate: Any, conjugate_posterior: Posterior) -> None:
    again, typed = (sample_from(conjugate.mode, key=key, draws=60, settings=NUTS()) for key in (0, jax.random.key(0)))
    np.testing.assert_array_equal(again.z, typed.z)
    np.testing.assert_array_equal(again.z, conjugate_posterior.z[:, :60])
    assert typed.seed is None
    other = sample_from(conjugate.mode, key=1, draws=60, settings=NUTS())
    assert not np.any(other.z[:, -1] == again.z[:, -1])
    # Chains are independent streams.
    assert len(np.unique(again.z[:, -1, 0])) == 4


def test_progress(conjugate: Any) -> None:
    seen: list[tuple[str, int, int, int]] = []
    found = sample_from(conjugate.mode, draws=130, gates=Gates(ess=1.0), progress=lambda *x: seen.append(x))
    assert [x[1:3] for x in seen] == [(100, 280), (200, 280), (280, 280)]
    assert {x[0] for x in seen} == {"nuts:curved"}
    assert seen[-1][3] == found.diagnosis.divergences


def test_gates_decide_and_settings_are_final(conjugate: Any) -> None:
    """With settings of one's own there is no second attempt; the verdict is a sentence and travels along."""
    found = sample_from(conjugate.mode, draws=100, settings=NUTS(), gates=Gates(ess=1e6))
    assert found.engine == "nuts:curved"
    assert not found.diagnosis.passed
    assert any("not converged: The bulk effective sample size is" in remark for remark in found.ensemble.remarks)


@pytest.mark.parametrize(("chains", "draws"), [(1, 100), (4, 7)])
def test_too_few(conjugate: Any, chains: int, draws: int) -> None:
    with pytest.raises(
        BadInput, match=rf"sample_from: (chains: .* at least 2, got {chains}|draws: .* at least 8, got {draws})"
    ):
        sample_from(conjugate.mode, chains=chains, draws=draws)


def test_needs_a_prior_and_a_density(conjugate: Any) -> None:
    runs = conjugate.mode.runs
    plain = fit(conjugate.mode.law, runs, conjugate.mode.objective, fixed=KNOWN, starts=0)
    with pytest.raises(BadInput, match="expected a fit made with prior=True"):
        sample_from(plain)
    with pytest.raises(BadInput, match="a posterior needs a likelihood, got the penalty"):
        sample(conjugate.mode.law, runs, log_huber())  # type: ignore[arg-type]


class Square(AbstractLaw):
    """Even in m but for the prior: two modes, far apart."""

    m: q.Pure = param(s.real, init=0.5, prior=p.Normal(0.1, 1.0), doc="root of the slope")

    def __call__(self, x: q.Pure) -> q.Pure:
        return 5 + self.m**2 * x


class Even(AbstractLaw):
    """Exactly even in m: two modes of one density."""

    m: q.Pure = param(s.real, init=0.5, prior=p.Normal(0.0, 1.0), doc="root of the slope")

    def __call__(self, x: q.Pure) -> q.Pure:
        return 5 + self.m**2 * x


def squared_runs() -> Runs:
    rng = np.random.default_rng(5)
    x = rng.uniform(0.5, 2, 24)
    return Runs.of({"x": x}, 5 + 0.49 * x + 0.1 * rng.standard_normal(24))


@pytest.fixture(scope="module", params=[Square, Even])
def two_modes(request: pytest.FixtureRequest) -> Posterior:
    likelihood = gaussian(ConstantNoise(0.1), RawResidual())
    return sample(request.param(), squared_runs(), likelihood, fixed=KNOWN, starts=8, draws=200)


@pytest.mark.slow
def test_a_second_mode_is_seen(two_modes: Posterior) -> None:
    assert set(two_modes.starts) == {0, 1}
    signs = np.sign(two_modes.z[..., 0])
    assert {float(x) for x in signs[:, -1]} == {-1.0, 1.0}
    # Each chain stays where it began: between the modes the density is e^-100 of theirs.
    assert np.all(signs == signs[:, :1])


@pytest.mark.slow
def test_a_second_mode_is_refused(two_modes: Posterior) -> None:
    found = two_modes
    assert found.engine == "nuts:dense"  # tried, and of no avail
    assert found.diagnosis.rhat[0] > 1.5
    assert any("R-hat" in remark and "second mode" in remark for remark in found.ensemble.remarks)


class Ridge(AbstractLaw):
    """Runs that determine u exp(v) and nothing else: a hyperbola between two priors, with a funnel's neck."""

    u: q.Pure = param(s.real, init=0.5, prior=p.Normal(0.0, 1.0), doc="factor")
    v: q.Pure = param(s.real, init=0.0, prior=p.Normal(0.0, 1.5), doc="log of the other factor")

    def __call__(self, x: q.Pure) -> q.Pure:
        return 5 + self.u * jnp.exp(self.v) + 0 * x


@pytest.mark.slow
def test_a_funnel_takes_the_dense_engine() -> None:
    runs = squared_runs()
    found = sample(Ridge(), runs, gaussian(ConstantNoise(0.1), RawResidual()), fixed=KNOWN, starts=8)
    assert found.engine == "nuts:dense"


@pytest.mark.x64
@pytest.mark.slow
def test_a_constant_near_nothing_is_explored() -> None:
    """Small runs of text leave E anywhere below the loss: a long tail, where the bend of the mode misleads.

    The oracle is NumPyro's own NUTS on the same model without any chart, to five Monte-Carlo errors of both.
    """
    study = load("pocket_grid", where="corpus == 'stdlib' and flops <= 3.2e11")
    found = sample(Chinchilla(), study, student_t())
    assert found.engine == "nuts:dense"
    assert found.diagnosis.passed, found.remarks
    plain = MCMC(
        PlainNUTS(numpyro_model(Chinchilla(), study, student_t()), target_accept_prob=0.9),
        num_warmup=1000,
        num_samples=1000,
        num_chains=4,
        chain_method="sequential",
        progress_bar=False,
    )
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        plain.run(jax.random.key(0))
    theirs = plain.get_samples(group_by_chain=True)
    for name, ours in found.ensemble.params().items():
        # Ranks, not moments: A's tail has hardly a variance.
        one, other = np.log(np.asarray(ours)).reshape(found.z.shape[:2]), np.log(np.asarray(theirs[name]))
        for level in (0.1, 0.5, 0.9):
            cut = np.quantile(np.concatenate([one.ravel(), other.ravel()]), level)
            shares, errors = [], []
            for x in (one, other):
                below = (x < cut).astype(float)
                shares.append(below.mean())
                errors.append(np.sqrt(below.var() / convergence.ess_bulk(below[..., None])[0]))
            assert abs(shares[0] - shares[1]) < 5 * np.hypot(*errors), (name, level, shares)


@pytest.mark.x64
@pytest.mark.slow
def test_two_devices_give_the_same_draws(conjugate: Any) -> None:
    """Three chains on two devices: one device holds a copy that is not run."""
    code = (
        f"import runpy; case = runpy.run_path({str(Path(__file__).parents[1] / 'conftest.py')!r})\n"
        "import jax, numpy as np; jax.config.update('jax_enable_x64', True)\n"
        "from jaxscale.infer.posterior.nuts import NUTS\n"
        "assert jax.device_count() == 2\n"
        "x, y = case['line_data']()\n"
        "known = case['gaussian'](case['ConstantNoise'](case['SIGMA']), case['RawResidual']())\n"
        "runs = case['Runs'].of({'x': x}, y)\n"
        "mode = case['fit'](case['Line'](), runs, known, fixed=('objective.noise.sigma',), prior=True, starts=2)\n"
        "found = case['sample_from'](mode, chains=3, draws=60, settings=NUTS())\n"
        "print(np.asarray(found.z).tobytes().hex())"
    )
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=2"
    environment = {**os.environ, "XLA_FLAGS": flags}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    here = sample_from(conjugate.mode, chains=3, draws=60, settings=NUTS())
    assert bytes.fromhex(done.stdout.strip()) == np.asarray(here.z).tobytes()


@pytest.fixture(scope="module")
def besiroglu(data_dir: Path) -> Fit:
    study = load("chinchilla_besiroglu", where="excluded_in_paper == 0")
    return fit(Chinchilla(), study, student_t(), prior=True)


@pytest.mark.slow
@pytest.mark.x64
def test_float32_agrees_with_float64(besiroglu: Fit) -> None:
    code = (
        "import numpy as np, jax\n"
        "from jaxscale import load\n"
        "from jaxscale.infer.posterior.sample import sample\n"
        "from jaxscale.laws.loss.hoffmann2022 import Chinchilla\n"
        "study = load('chinchilla_besiroglu', where='excluded_in_paper == 0')\n"
        "found = sample(Chinchilla(), study, draws=4000, key=7)\n"
        "assert found.z.dtype == np.float32 and found.diagnosis.passed, found.diagnosis\n"
        "print(found.z.tobytes().hex())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    single = np.frombuffer(bytes.fromhex(done.stdout.strip()), np.float32).reshape(4, 4000, -1).astype(np.float64)
    double = sample_from(besiroglu, draws=4000).z
    for moment in (lambda z: z, lambda z: (z - double.mean(axis=(0, 1))) ** 2):
        one, other = moment(single), moment(double)
        error = np.hypot(*(x.std(axis=(0, 1)) / np.sqrt(convergence.ess_bulk(x)) for x in (one, other)))
        assert np.all(np.abs(one.mean(axis=(0, 1)) - other.mean(axis=(0, 1))) < MCSE * error)
