"""A law of a script, and of a file by itself, all the way: fitted, saved, loaded, forecast and put on a page."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from jaxscale import BadInput, bootstrap, fit, outlook
from jaxscale.core.evaluate import predict
from jaxscale.report.card.card import forecast_card
from jaxscale.report.page import page
from jaxscale.report.store.store import load, save
from jaxscale.testing.simulated import simulate

LAW = '''
import jax.numpy as jnp

from jaxscale.core import priors as p, quantities as q, supports as s
from jaxscale.core.law import AbstractLaw
from jaxscale.core.parametric import param


class Sum(AbstractLaw):
    """Size and data, one exponent <b>each</b>."""

    E: q.Nats = param(s.positive, init=1.7, prior=p.LogNormal(1.7, 0.5), doc="what remains")
    A: q.Pure = param(s.positive, init=400.0, prior=p.LogNormal(400.0, 2.0), doc="cost of size")
    B: q.Pure = param(s.positive, init=400.0, prior=p.LogNormal(400.0, 2.0), doc="cost of data")
    a: q.Pure = param(s.positive, init=0.33, prior=p.LogNormal(0.33, 0.5), doc="exponent of size")
    b: q.Pure = param(s.positive, init=0.3, prior=p.LogNormal(0.3, 0.5), doc="exponent of data")

    def __call__(self, N: q.Params, D: q.Tokens) -> q.Nats:
        return self.E + self.A * jnp.exp(-self.a * jnp.log(N)) + self.B * jnp.exp(-self.b * jnp.log(D))
'''


HOMES = ("law_of_my_own", "__main__")


@pytest.fixture
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A file on the import path, or the script that runs."""
    file = tmp_path / "law_of_my_own.py"
    file.write_text(LAW)
    spec = importlib.util.spec_from_file_location(request.param, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, request.param, module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("home", HOMES, indirect=True)
def test_it_is_fitted_saved_and_loaded(home: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = simulate().study
    found = fit(home.Sum(), study, starts=4)
    assert found.certificate.certified
    save(tmp_path / "fit.nc", found, bootstrap(found, 8))
    with pytest.raises(BadInput, match=rf"got {home.__name__}:Sum, a class from outside it, .* `trust=True`"):
        load(tmp_path / "fit.nc")
    back = load(tmp_path / "fit.nc", trust=True)
    assert type(back.fit.law) is home.Sum
    assert back.ensemble is not None
    np.testing.assert_array_equal(
        np.asarray(predict(back.fit.law, back.fit.runs)), np.asarray(predict(found.law, found.runs))
    )

    # In another process it is found by its file; what a script was is known to that script alone.
    monkeypatch.setitem(sys.modules, home.__name__, ModuleType(home.__name__))
    if home.__name__ == "__main__":
        with pytest.raises(BadInput, match="saved by a script: load it in that script, or move the law to a file"):
            load(tmp_path / "fit.nc", trust=True)
    else:
        monkeypatch.delitem(sys.modules, home.__name__)
        with pytest.raises(BadInput, match="put its file on the import path"):
            load(tmp_path / "fit.nc", trust=True)
        monkeypatch.syspath_prepend(tmp_path)
        assert type(load(tmp_path / "fit.nc", trust=True).fit.law).__name__ == "Sum"


@pytest.mark.parametrize("home", [pytest.param(HOMES[0], marks=pytest.mark.slow), HOMES[1]], indirect=True)
def test_it_is_put_on_a_page(home: ModuleType) -> None:
    study = simulate().study
    made = outlook({"Sum": home.Sum()}, study, cuts=3, starts=4, draws=16, resamples=4)
    subject = page.subject_of(made, study, flops=1e22)
    written = page.render(subject, forecast_card(made, study, seed=0))
    assert "For 1e22 FLOP train" in written
    assert "exponent of size" in written
    assert "one exponent <b>each</b>" not in written
