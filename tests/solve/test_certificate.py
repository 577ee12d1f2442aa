"""What a certificate accepts and what it says of each failure."""

from dataclasses import replace

import numpy as np
import pytest

from jaxscale.core.results import RESULTS
from jaxscale.solve.certificate import Certificate, count_optima

GOOD = Certificate(
    code=RESULTS.converged,
    starts=33,
    finished=33,
    share_best=1.0,
    distinct=1,
    second_gap=None,
    gradient_norm=1e-14,
    tolerance=1e-6,
    smallest_eigenvalue=1e-4,
    condition=1e4,
    on_edge=(),
)


def test_a_good_fit_is_certified_without_remarks() -> None:
    assert GOOD.certified
    assert GOOD.remarks() == ()


@pytest.mark.parametrize(
    ("change", "local", "said"),
    [
        ({"code": RESULTS.max_steps}, False, "used all its steps"),
        ({"code": RESULTS.singular}, False, "curvature is singular"),
        ({"code": RESULTS.non_finite}, False, "not finite"),
        ({"code": RESULTS.ambiguous}, False, "same value at parameters far apart"),
        ({"gradient_norm": 1e-3}, False, "the whitened gradient is 1.0e-03, expected at most 1.0e-06"),
        ({"smallest_eigenvalue": 0.0}, False, "smallest scaled eigenvalue is 0.0e+00"),
        ({"smallest_eigenvalue": float("nan")}, False, "not positive"),
        ({"share_best": 1 / 33}, True, "only one of 33 starts"),
        ({"starts": 1}, True, "from a single start"),
    ],
)
def test_each_failure_is_one_sentence(change: dict[str, object], local: bool, said: str) -> None:
    found = replace(GOOD, **change)  # pyright: ignore[reportArgumentType]
    assert not found.certified
    assert found.is_local_optimum is local
    (remark,) = found.remarks()
    assert remark.startswith("Not certified: ")
    assert said in remark


def test_two_starts_suffice_and_an_edge_is_said() -> None:
    assert replace(GOOD, share_best=2 / 33).certified
    (remark,) = replace(GOOD, on_edge=("E", "A")).remarks()
    assert remark.startswith("On the edge of the support: E, A.")


def test_counting_optima() -> None:
    ok, bad = int(RESULTS.converged), int(RESULTS.max_steps)
    values = np.array([1.0, 1.0 + 1e-9, 1.5, 0.5, 1.5, np.nan])
    codes = np.array([ok, ok, ok, bad, ok, ok])
    share, distinct, gap = count_optima(values, codes, 1e-12)
    assert share == pytest.approx(2 / 6)
    assert distinct == 2
    assert gap == pytest.approx(0.5)
    assert count_optima(values, np.full(6, bad), 1e-12) == (0.0, 0, None)
    # Near zero the resolution decides, not a share of the value.
    assert count_optima(np.array([1e-30, 3e-30]), np.array([ok, ok]), 1e-20)[:2] == (1.0, 1)
