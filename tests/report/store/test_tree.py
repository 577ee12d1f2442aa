"""Oracles: the draws the tree was made from, SciPy's densities, closed forms of predictions, and ArviZ as a reader."""

import importlib.util

import numpy as np
import pytest
import xarray as xr
from scipy import special, stats

from jaxscale.core.errors import BadInput
from jaxscale.core.evaluate import predict
from jaxscale.core.parametric import values
from jaxscale.infer.posterior import convergence
from jaxscale.report.store import tree as module
from jaxscale.report.store.tree import posterior_tree, write_tree

USED = [i for i in range(12) if i != 4]


@pytest.fixture(scope="module")
def tree(good_posterior) -> xr.DataTree:
    return posterior_tree(good_posterior, key=1)


@pytest.fixture(scope="module")
def joint(joint_posterior) -> xr.DataTree:
    return posterior_tree(joint_posterior)


def test_every_draw_has_its_place(tree, good_posterior, eps):
    p = good_posterior
    assert set(tree["posterior"].data_vars) == {"alpha", "beta", "gamma", "objective.noise.sigma"}
    # All four are positive: their unconstrained values are logarithms, of alpha and gamma for errors of the usual size.
    shift = {"alpha": np.log(float(p.fit.problem.split.size)), "gamma": np.log(float(p.fit.problem.split.size))}
    for i, name in enumerate(p.fit.problem.split.free):
        expected = p.z[..., i] + shift.get(name, 0.0)
        np.testing.assert_allclose(np.log(tree["posterior"][name]), expected, rtol=4 * eps, atol=8 * eps)
    assert tree["posterior"].attrs == {}
    assert tree["posterior/alpha"].attrs["units"] == "error"
    sampled = tree["sample_stats"]
    np.testing.assert_array_equal(sampled["lp"], -p.stats["potential"])
    np.testing.assert_array_equal(2.0 ** sampled["tree_depth"].values - 1, p.stats["steps"])
    np.testing.assert_array_equal(sampled["step_size"].isel(draw=-1), p.step_size)


def test_a_run_without_weight_is_no_data(tree, joint, good_posterior):
    for group in ("log_likelihood", "posterior_predictive", "prior_predictive", "observed_data", "constant_data"):
        assert tree[group]["run"].values.tolist() == USED
        assert "data_set" not in tree[group].coords
        assert joint[group]["data_set"].values.tolist() == [("web/code", "c4")[i % 2] for i in USED]
    np.testing.assert_array_equal(tree["observed_data/target"], np.asarray(good_posterior.fit.runs.target)[USED])


def _predictions(posterior) -> tuple[np.ndarray, np.ndarray]:
    """Medians and scales of the log targets at every draw, in NumPy."""
    p = {name: np.asarray(x, np.float64)[:, None] for name, x in values(posterior.model).items()}
    m, noise, target = (
        np.asarray(x, np.float64)[USED]
        for x in (posterior.fit.runs.inputs["m"], posterior.fit.runs.noise, posterior.fit.runs.target)
    )
    median = p["alpha"] * m ** -p["beta"] + p["gamma"]
    return median, np.hypot(p["objective.noise.sigma"], noise / target)


def test_log_likelihood_is_the_density_of_the_target(tree, good_posterior, eps):
    median, scale = _predictions(good_posterior)
    target = tree["observed_data/target"].values
    expected = stats.lognorm.logpdf(np.float64(target), scale, scale=median)
    found = tree["log_likelihood/target"].values.reshape(expected.shape)
    # (log target - log median) / scale loses what both logarithms have in common.
    t = np.abs(np.log(target / median) / scale)
    assert np.all(np.abs(found - expected) <= 100 * eps * (1 + t / scale) * (1 + t))


def test_new_targets_have_the_closed_form(tree, good_posterior):
    median, scale = _predictions(good_posterior)
    new = tree["posterior_predictive/target"].values.reshape(median.shape)
    t = np.log(new / median) / scale
    n = t.size
    assert abs(np.mean(t)) < 4 / np.sqrt(n)
    assert abs(np.var(t) - 1) < 4 * np.sqrt(2 / n)


def test_prior_draws_follow_the_priors(tree, good_posterior):
    assert tree["prior"].sizes == tree["posterior"].sizes
    # Stated for errors of .3, and taken for those of the runs.
    usual = float(np.median(np.asarray(good_posterior.fit.runs.target)[USED])) / 0.3
    for name, centre in {"alpha": 10.0 * usual, "beta": 0.3, "gamma": usual}.items():
        drawn = tree["prior"][name].values
        assert abs(np.mean(drawn < centre) - 0.5) < 4 * np.sqrt(0.25 / drawn.size)
    before, after = (np.log(tree[f"{when}_predictive/target"].values) for when in ("prior", "posterior"))
    assert np.std(before) > np.std(after)


def test_a_prior_without_a_sampler_is_left_out(good_posterior, monkeypatch):
    def refuse(*_: object) -> None:
        raise BadInput("prior: no")

    monkeypatch.setattr(module, "prior_draws", refuse)
    made = posterior_tree(good_posterior)
    assert "prior" not in made
    assert "prior_predictive" not in made
    assert made.attrs["prior_left_out"] == "prior: no"


def test_joint_parameters_are_by_data_set(joint, eps):
    posterior = joint["posterior"].to_dataset()
    assert posterior["group"].values.tolist() == ["web/code", "c4"]
    assert posterior["alpha"].dims == posterior["offset.gamma"].dims == ("chain", "draw", "group")
    # The non-centred form, with the logarithm as the unconstrained scale.
    expected = posterior["gamma"] * np.exp(posterior["spread.gamma"] * posterior["offset.gamma"])
    np.testing.assert_allclose(posterior["group.gamma"], expected, rtol=10 * eps)
    assert "beta" not in posterior
    assert joint.attrs["simulated"] == ""
    assert joint["fixed/beta"].item() == pytest.approx(0.3)


def test_the_header_carries_the_verdict(tree, bad_posterior):
    assert tree.attrs["verdict"] == "passed"
    assert tree.attrs["remarks"] == ""
    assert tree.attrs["seed"] == 7
    assert tree.attrs["engine"] == "nuts:curved"
    bad = posterior_tree(bad_posterior).attrs
    assert bad["verdict"] == "failed"
    assert "Posterior not converged: R-hat" in bad["remarks"]


def test_arviz_summarises_it(tree, eps):
    import arviz as az

    found = az.summary(tree, round_to="none")
    for name, variable in tree["posterior"].data_vars.items():
        x = variable.values.astype(np.float64)
        assert found.loc[name, "mean"] == pytest.approx(np.mean(x), rel=x.size * eps)
        assert found.loc[name, "r_hat"] == pytest.approx(float(convergence.rhat(x)), rel=1e-6)
        assert found.loc[name, "ess_bulk"] == pytest.approx(float(convergence.ess_bulk(x)), rel=1e-6)


def test_arviz_leaves_runs_out(tree, eps):
    import arviz as az

    found = az.loo(tree, pointwise=True)
    ll = tree["log_likelihood/target"].values.reshape(-1, len(USED)).astype(np.float64)
    lppd = np.sum(special.logsumexp(ll, axis=0) - np.log(len(ll)))
    assert found.n_data_points == len(USED)
    assert found.elpd == pytest.approx(lppd - found.p, rel=ll.size * eps)
    assert found.elpd < lppd


def test_a_file_returns_everything(joint, tmp_path):
    path = tmp_path / "posterior.nc"
    path.write_text("an older file")
    write_tree(path, joint)
    with xr.open_datatree(path, engine="h5netcdf") as opened:
        back = opened.load()
    assert set(back.groups) == set(joint.groups)
    for node in joint.subtree:
        xr.testing.assert_equal(back[node.path].to_dataset(), node.to_dataset())
    assert back.attrs["verdict"] == "passed"
    assert back["sample_stats/diverging"].dtype == bool
    assert [p.name for p in tmp_path.iterdir()] == ["posterior.nc"]


def test_a_zarr_folder_returns_everything(joint, tmp_path):
    pytest.importorskip("zarr", reason="zarr is no dependency")
    write_tree(tmp_path / "posterior.zarr", joint)
    with xr.open_datatree(tmp_path / "posterior.zarr", engine="zarr") as opened:
        for node in joint.subtree:
            xr.testing.assert_equal(opened[node.path].to_dataset(), node.to_dataset())
    assert [p.name for p in tmp_path.iterdir()] == ["posterior.zarr"]
    with pytest.raises(BadInput, match="got one that exists"):
        write_tree(tmp_path / "posterior.zarr", joint)


def test_a_failed_write_leaves_the_old_file(tree, tmp_path):
    path = tmp_path / "posterior.nc"
    path.write_text("an older file")
    broken = tree.copy()
    broken.attrs["bad"] = object()
    with pytest.raises(TypeError):
        write_tree(path, broken)
    assert path.read_text() == "an older file"
    assert [p.name for p in tmp_path.iterdir()] == ["posterior.nc"]


def test_what_cannot_be_written_is_said(tree, tmp_path):
    with pytest.raises(BadInput, match="expected a place to write"):
        write_tree(tmp_path / "none" / "posterior.nc", tree)
    if importlib.util.find_spec("zarr") is None:
        with pytest.raises(BadInput, match=r"write \.nc, or install zarr"):
            write_tree(tmp_path / "posterior.zarr", tree)
    assert list(tmp_path.iterdir()) == []


def test_predictions_are_the_laws_own(good_posterior, eps):
    """The oracle of these tests agrees with the law at the mode."""
    fit = good_posterior.fit
    expected = 11.9 * np.asarray(fit.runs.inputs["m"], np.float64) ** -0.3 + 1.0
    np.testing.assert_allclose(np.asarray(predict(fit.law, fit.runs)), expected, rtol=20 * eps)
