"""The verdict reaches every answer; numbers are NumPy's of the draws; files keep both."""

import dataclasses
import io
import json

import jax
import numpy as np
import pytest
from rich.console import Console

from jaxscale.core.ensemble import ensemble_doubts
from jaxscale.infer.forecast.forecast import forecast
from jaxscale.infer.posterior import convergence
from jaxscale.report.figures.plots.corner import corner
from jaxscale.report.store.arviz import to_arviz
from jaxscale.report.store.store import load, save
from jaxscale.report.views import posterior as summary
from jaxscale.report.views.record import fit_record, forecast_record, warnings_of

DOUBT = "Posterior not converged: R-hat"


def test_every_answer_repeats_a_bad_verdict(bad_posterior):
    fit, ensemble = bad_posterior.fit, bad_posterior.ensemble
    found = forecast(fit, {"m": [1e4]}, ensemble)
    assert any(DOUBT in x for x in found.remarks())
    assert any(DOUBT in x for x in forecast_record(found, fit)["warnings"])
    assert any(DOUBT in x for x in warnings_of(fit, ensemble))
    assert any(DOUBT in x for x in fit_record(fit, ensemble)["warnings"])
    assert DOUBT in to_arviz(fit, ensemble)["posterior"].attrs["remarks"]


def test_a_good_verdict_needs_no_words(good_posterior):
    assert ensemble_doubts(good_posterior.ensemble) == ()
    assert forecast(good_posterior.fit, {"m": [1e4]}, good_posterior.ensemble).remarks() == ()


def test_draws_are_called_what_they_are(small_fit, small_ensemble, good_posterior):
    failed = dataclasses.replace(small_ensemble, method="bagged:psis")
    assert ensemble_doubts(small_ensemble) == (
        "1 of 16 bootstrap refits did not converge and are left out of the intervals.",
    )
    assert ensemble_doubts(failed)[0].startswith("1 of 16 posterior draws did not converge")
    assert "1200 posterior draws" in corner(good_posterior.fit, good_posterior.ensemble).get_suptitle()
    assert fit_record(small_fit, small_ensemble)["bootstrap"]["n"] == 16
    made = fit_record(good_posterior.fit, good_posterior.ensemble)
    assert made["bootstrap"] is None
    assert made["posterior"]["method"] == "nuts:curved"


def test_a_posterior_is_saved_and_loaded(bad_posterior, tmp_path):
    ensemble = bad_posterior.ensemble
    save(tmp_path / "a.nc", bad_posterior.fit, ensemble)
    found = load(tmp_path / "a.nc")
    assert found.fit.problem.prior
    assert found.ensemble is not None
    assert found.ensemble.remarks == ensemble.remarks != ()
    assert found.ensemble.method == "nuts:curved"
    for a, b in zip(jax.tree.leaves(ensemble), jax.tree.leaves(found.ensemble), strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_without_remarks_nothing_is_stored(good_posterior, small_fit, small_ensemble, tmp_path):
    """As in the files from before there were remarks."""
    for fit, ensemble in ((small_fit, small_ensemble), (good_posterior.fit, good_posterior.ensemble)):
        save(tmp_path / "a.nc", fit, ensemble)
        assert load(tmp_path / "a.nc").ensemble.remarks == ()


def test_the_record_holds_numbers_and_verdict(bad_posterior, eps):
    made = summary.posterior_record(bad_posterior)
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert made["verdict"]["passed"] is False
    assert made["verdict"]["gates"]["rhat"] == 1.01
    assert any(DOUBT in x for x in made["warnings"])
    x = np.asarray(bad_posterior.model.law.alpha, np.float64).reshape(bad_posterior.z.shape[:2])
    row = made["parameters"]["alpha"]
    assert row["mode"] == pytest.approx(11.9, rel=4 * eps)
    assert row["mean"] == pytest.approx(np.mean(x), rel=4 * eps)
    assert row["sd"] == pytest.approx(np.std(x, ddof=1), rel=100 * eps)
    assert row["quantiles"]["0.05"] == pytest.approx(np.quantile(x, 0.05), rel=4 * eps)
    # Of the same numbers: folding at the median makes ties, which another exponential's rounding breaks otherwise.
    same = np.asarray(bad_posterior.model.law.alpha, np.float64).reshape(x.shape)
    assert row["rhat"] == float(convergence.rhat(same))


def test_labels_are_by_data_set(joint_posterior):
    made = summary.posterior_record(joint_posterior)
    assert {"alpha[c4]", "gamma", "group.gamma[web/code]", "objective.noise.sigma"} <= set(made["parameters"])
    assert made["fixed"] == ["beta"]


def test_the_text_shows_the_verdict(good_posterior, bad_posterior):
    assert summary.posterior_sentence(good_posterior, "mine") == (
        "PowerLawWithFloor given mine, 12 runs, by gaussian: 4 chains of 300 draws by nuts:curved: converged."
    )
    assert summary.posterior_sentence(bad_posterior).endswith("NOT converged.")
    assert "(allowed 1.01)" in summary.verdict_line(bad_posterior)
    console = Console(width=200, file=io.StringIO())
    console.print(summary.posterior_table(bad_posterior))
    shown = console.file.getvalue()
    assert shown.startswith("NOT CONVERGED")
    assert "learning exponent" in shown
