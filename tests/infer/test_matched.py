"""Resamples of a comparison: matched runs together, every stratum as large as it was."""

import jax
import numpy as np
import pytest

from jaxscale import Runs
from jaxscale.core.runs import padded_size
from jaxscale.infer import Matched, matched

N = np.array([1e7, 2e7, 4e7, 4e7])
RECIPE = np.array([0] * 5 + [1] * 6)
# Recipe 0: the four sizes and 9e7, which only it has; recipe 1: the four in another order, and two that only it has.
SIZES = np.concatenate([N, [9e7], N[[3, 0, 2, 1]], [1e6, 3e6]])
SAME = [(0, 6), (1, 8), (2, 5), (3, 7)]  # of two runs of 4e7 the first matches the first


def counts(scheme: Matched, rows: np.ndarray, key: int) -> np.ndarray:
    """How often a resample draws each run of a fit of some of the rows."""
    runs = Runs.of({"N": SIZES[rows], "D": SIZES[rows] * 20}, np.ones(rows.sum())).padded()
    made = scheme.of_rows(rows)(jax.random.key(key), runs, None, None, None)  # type: ignore[arg-type]
    assert made.weight is not None
    assert made.weight.shape == (padded_size(int(rows.sum())),)
    np.testing.assert_array_equal(made.weight[int(rows.sum()) :], 0)
    return np.asarray(made.weight)[: int(rows.sum())]


@pytest.fixture(scope="module")
def drawn():
    runs = Runs.of({"N": SIZES, "D": SIZES * 20}, np.ones(11), group=RECIPE)
    return matched(runs)


def test_runs_in_common_are_drawn_together(drawn):
    scheme, shared = drawn
    assert shared == 4
    seen = []
    for key in range(8):
        first, second = (counts(scheme, recipe == RECIPE, key) for recipe in (0, 1))
        for a, b in SAME:
            assert first[a] == second[b - 5]
        assert first[:4].sum() == 4
        assert first[4] == 1  # a stratum of one
        assert second[4:].sum() == 2
        np.testing.assert_array_equal(np.concatenate([first, second]), counts(scheme, RECIPE >= 0, key))
        seen.append(tuple(first))
    assert len(set(seen)) > 1


def test_clusters_match_as_a_whole():
    """Checkpoints of a run match those of a run with the same checkpoints only."""
    D = np.array([1e8, 2e8, 1e8, 2e8, 1e8, 3e8])
    runs = Runs.of(
        {"N": np.full(6, 1e7), "D": D}, np.ones(6), group=np.array([0, 0, 1, 1, 1, 1]), cluster=[0, 0, 1, 1, 2, 2]
    )
    scheme, shared = matched(runs)
    assert shared == 1
    np.testing.assert_array_equal(scheme.drawn.of_row, [0, 0, 0, 0, 1, 1])
    np.testing.assert_array_equal(scheme.drawn.size, [1, 1])


def test_runs_without_weight_belong_to_no_unit():
    weight = np.ones(11)
    weight[[0, 10]] = 0
    scheme, shared = matched(Runs.of({"N": SIZES, "D": SIZES * 20}, np.ones(11), weight=weight, group=RECIPE))
    assert shared == 3
    assert len(scheme.drawn.first) == 3 + 1 + 2  # in common; of recipe 0; of recipe 1, which lost one partner and a run
