r"""Runs that are left out may make the law overflow: they must not spoil the fit of the others.

$$ y(x) = a e^{b x} $$
"""

import jax.numpy as jnp
import numpy as np

from jaxscale import AbstractLaw, Runs, bootstrap, covariance, fit, param
from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.results import RESULTS

X = np.linspace(1.0, 3.0, 12)


class Explodes(AbstractLaw):
    """Grows without bound: beyond x = 400 it overflows either precision for the b of these runs."""

    a: q.Pure = param(s.positive, init=1.0, prior=p.LogNormal(1.0, 0.5), doc="scale")
    b: q.Pure = param(s.positive, init=2.0, prior=p.LogNormal(2.0, 0.3), doc="rate")

    def __call__(self, x: q.Samples) -> q.Error:
        return self.a * jnp.exp(self.b * x)


def test_a_left_out_run_that_overflows_changes_nothing(eps: float) -> None:
    y = 1.3 * np.exp(1.7 * X)
    alone = fit(Explodes(), Runs.of({"x": X}, y))
    far = Runs.of({"x": np.append(X, 1e4)}, np.append(y, 1.0), weight=np.append(np.ones(12), 0.0))
    with_far = fit(Explodes(), far)
    assert with_far.certificate.certified, with_far.remarks
    bound = 64 * eps * alone.identifiability.condition
    for name in ("a", "b"):
        np.testing.assert_allclose(with_far.params[name], alone.params[name], rtol=bound)
    assert float(with_far.runs.inputs["x"][-1]) == 1e4
    # Noise-free runs leave nothing but rounding to be uncertain about; the left-out run adds nothing to it.
    spread = np.diag(covariance(with_far).matrix)
    assert np.all(np.isfinite(spread))
    assert np.all(np.sqrt(spread) <= 1e3 * bound)


def test_runs_on_which_every_start_overflows_are_refused_a_certificate() -> None:
    runs = Runs.of({"x": np.linspace(1e4, 2e4, 12)}, np.ones(12))
    with np.errstate(all="ignore"):
        found = fit(Explodes(), runs)
    assert not found.certificate.certified
    assert found.certificate.code in (RESULTS.non_finite, RESULTS.singular, RESULTS.max_steps)
    # Its refits must be able to begin, and say that they failed.
    assert bootstrap(found, 4).failed == 4
