"""Wang et al. 2025: nine printed accuracies at single-pixel patches; one exponent for three models.

The figures are ImageNet top-1 in the paper's repository at p = 1, three models at three resolutions: here the tokens
grow with the resolution, since accuracies at larger patches were not retrieved. No law was published, so the oracle is
SciPy on the same sum. What comes out: E and g shared by the models leave half a point of accuracy, and E itself is
open: without any the fit is worse by less than a hundredth of a point.
"""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import least_squares

from jaxscale import Pooled, Study, fit
from jaxscale.laws.architecture.wang2025 import PatchSize
from jaxscale.objectives.penalty import raw_least_squares

SIDES = (224, 128, 64)
TOP1 = {"base": (84.6, 82.4, 80.5), "small": (83.8, 81.4, 80.9), "tiny": (81.9, 80.7, 77.4)}
ROWS = [(model, H, 1 - top1 / 100) for model, row in TOP1.items() for H, top1 in zip(SIDES, row, strict=True)]


def left(z: np.ndarray) -> np.ndarray:
    E, g, *K = z
    by_model = dict(zip(TOP1, np.exp(K), strict=True))
    return np.array([E + by_model[model] * H ** (-2 * g) - error for model, H, error in ROWS])


def points(cost: float) -> float:
    return 100 * np.sqrt(2 * cost / len(ROWS))


@pytest.mark.x64
@pytest.mark.slow
def test_one_exponent_for_three_models(beside: Callable[[str, object, object], None]) -> None:
    model, side, error = zip(*ROWS, strict=True)
    study = Study.read(
        {"model": list(model), "p": [1.0] * 9, "H": list(side), "error": list(error)},
        {"p": "p", "H": "H", "loss": "error"},
        group=("model",),
    )
    fitted = fit(Pooled(PatchSize(), split=("K",), groups=study.groups), study, raw_least_squares())
    found = least_squares(left, [0.05, 0.2, -1.0, -1.0, -1.0], xtol=1e-14, ftol=1e-14, gtol=1e-14)
    assert fitted.certificate.certified, fitted.remarks
    assert float(fitted.law.law.E) == pytest.approx(found.x[0], rel=1e-4)
    assert float(fitted.law.law.g) == pytest.approx(found.x[1], rel=1e-4)
    np.testing.assert_allclose(np.asarray(fitted.law.law.K), np.exp(found.x[2:]), rtol=1e-4)
    rms = points(found.cost)
    without_floor = least_squares(lambda z: left(np.concatenate([[0.0], z])), [0.1, -1.0, -1.0, -1.0])
    beside("exponent of tokens, ImageNet top-1 error at p = 1", f"{float(fitted.law.law.g):.3f}", "not stated")
    beside("points of accuracy left, with E and without", f"{rms:.2f}, {points(without_floor.cost):.2f}", "not stated")
    assert rms < 0.5
    assert points(without_floor.cost) < rms + 0.01
