"""Oracle: ArviZ's own view of the tree against the draws and runs it was made from."""

import equinox as eqx
import numpy as np
import pytest

from jaxscale.core.errors import BadInput
from jaxscale.report.store.arviz import to_arviz


def test_the_tree_is_what_arviz_expects(small_fit, small_ensemble):
    from arviz_base import extract  # the part of ArviZ that all of it reads trees with

    tree = to_arviz(small_fit, small_ensemble)
    assert tree["posterior"].sizes == {"chain": 1, "draw": small_ensemble.size - small_ensemble.failed}
    assert tree["posterior"].attrs["failed"] == small_ensemble.failed == 1
    assert tree["posterior/alpha"].attrs["units"] == "error"
    np.testing.assert_array_equal(tree["observed_data/target"], np.asarray(small_fit.runs.target))
    np.testing.assert_array_equal(tree["constant_data/m"], np.asarray(small_fit.runs.inputs["m"]))
    samples = extract(tree)
    for name, draws in small_ensemble.ok().params().items():
        np.testing.assert_array_equal(samples[name], draws)


def test_no_converged_draw_is_refused(small_fit, small_ensemble):
    failed = eqx.tree_at(lambda e: e.code, small_ensemble, small_ensemble.code.at[:].set(1))
    with pytest.raises(BadInput, match="expected draws that converged, got none of 16"):
        to_arviz(small_fit, failed)
