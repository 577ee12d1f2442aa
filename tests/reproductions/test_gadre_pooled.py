"""Three corpora of Gadre et al. 2024 together: the exponent shared, E, a and b separate.

Oracle: a least-squares fit with one shared exponent minimises the sum of three profiles over it, so the
shared exponent lies between the separate ones and the sum of squares above the separate sums.
"""

from pathlib import Path

import pytest

from jaxscale.compose.pooled import Pooled
from jaxscale.infer.fit.fit import Fit, fit
from jaxscale.laws.loss.gadre2024 import Gadre
from jaxscale.objectives.penalty import raw_least_squares
from jaxscale.studies.registry import load
from jaxscale.studies.study import Study


@pytest.fixture(scope="module")
def study(data_dir: Path) -> Study:
    return load("gadre_overtraining")


@pytest.fixture(scope="module")
def separate(study: Study) -> dict[str, Fit]:
    return {g: fit(Gadre(), study.where(f"dataset == '{g}'"), raw_least_squares()) for g in study.groups}


@pytest.fixture(scope="module")
def pooled(study: Study) -> Fit:
    return fit(Pooled(Gadre(), split=("E", "a", "b"), groups=study.groups), study, raw_least_squares())


@pytest.mark.x64
def test_shared_exponent_lies_between(pooled: Fit, separate: dict[str, Fit]) -> None:
    for label, one in {**separate, "pooled": pooled}.items():
        print(label, one.law, one.value, one.certificate, sep="\n  ")
        assert one.certificate.certified, label
    exponents = [float(one.params["eta"]) for one in separate.values()]
    assert min(exponents) < float(pooled.params["eta"]) < max(exponents)
    assert pooled.value > sum(one.value for one in separate.values())


@pytest.mark.x64
def test_members_are_fits_at_the_shared_exponent(pooled: Fit, study: Study, separate: dict[str, Fit]) -> None:
    total = 0.0
    for index, label in enumerate(study.groups):
        one = study.where(f"dataset == '{label}'")
        held = fit(Gadre(), one, raw_least_squares(), fixed={"eta": pooled.params["eta"]})
        total += held.value
        for name in ("E", "a", "b"):
            # Least squares of three linear parameters: condition of the normal equations times rounding.
            assert float(held.params[name]) == pytest.approx(float(pooled.params[name][index]), rel=1e-7)
    assert total == pytest.approx(pooled.value, rel=1e-12)
