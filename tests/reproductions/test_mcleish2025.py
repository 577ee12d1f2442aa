"""McLeish et al. 2025 (Gemstones): both forms on their checkpoints, objectives at least as low, slopes of approach 3.

Oracles: the fits in the paper's repository, at Huber widths 1e-4 (objective .00069233 on all 770 checkpoints at
constant learning rate, .00020760 on the 220 up to 100B tokens; slopes beta/(alpha + beta) as in the paper's table 1)
and 1e-3; for the width-depth form its coefficients, whose root mean square error is .0216 nats beside .0478 without
width and depth.

What comes out otherwise: at 1e-4 the printed fits stop short of the optimum, by little in the objective and much in
the slope: .7134 for .6986 up to 100B tokens, .6609 for .6992 after cooldown, .6625 for .6740 at half the learning
rate. The repository's own fits at 1e-3 are converged, and ours agree with them. The width-depth form comes out
.0217 nats off with the coefficients as printed. Approach 1 is in test_mcleish_frontier.
"""

import functools
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxscale import AbstractLaw, Fit, Study, fit, load, log_huber
from jaxscale.core.evaluate import predict
from jaxscale.core.law import from_published, signature
from jaxscale.laws.architecture.mcleish2025 import WidthDepth, WidthDepthSize
from jaxscale.laws.loss.hoffmann2022 import Chinchilla

type Beside = Callable[[str, object, object], None]

FILTER = {
    "all": "subset == 'hot_100b+'",
    "up to 100B": "subset == 'hot'",
    "beyond 120B": "subset == 'hot_100b+' and tokens > 120e9",
    "cooldown": "subset == 'cool_end'",
    "half the learning rate": "subset == 'lr_ablation_hot'",
}
# Width 1e-4: alpha, beta, ln A, ln B, ln E of the repository, slope of the paper's table, slope of the optimum.
PRINTED = {
    "all": (0.2576, 0.5909, 4.876, 12.698, 0.6655, 0.6965, 0.6958),
    "up to 100B": (0.2989, 0.6928, 5.457, 14.972, 0.7663, 0.6986, 0.7134),
    "beyond 120B": (0.2407, 0.7280, 4.636, 16.150, 0.6285, 0.7515, 0.7524),
    "cooldown": (0.2970, 0.6904, 5.363, 14.972, 0.7459, 0.6992, 0.6609),
    "half the learning rate": (0.3278, 0.6777, 5.875, 14.909, 0.7967, 0.6740, 0.6625),
}
OBJECTIVE = {"all": 0.00069233, "up to 100B": 0.00020760}
# Width 1e-3: alpha and beta.
CONVERGED = {
    "all": (0.25911, 0.59727),
    "up to 100B": (0.29287, 0.71287),
    "cooldown": (0.30027, 0.58024),
    "half the learning rate": (0.32547, 0.65126),
}
FORM = {"all": "all", "up to 100B": "hot"}  # published sets of the width-depth form


@functools.cache
def study(name: str) -> Study:
    return load("gemstones", where=FILTER[name])


@functools.cache
def fitted(name: str, delta: float) -> Fit:
    return fit(Chinchilla(), study(name), log_huber(delta), starts=8)


def predicted(law: AbstractLaw, study: Study) -> np.ndarray:
    return np.asarray(jax.jit(predict)(law, study.runs(signature(law))), np.float64)


def objective(law: AbstractLaw, study: Study, delta: float = 1e-4) -> float:
    r = np.abs(np.log(predicted(law, study)) - np.log(study.columns["loss"]))
    return float(np.where(r <= delta, 0.5 * r**2, delta * (r - 0.5 * delta)).sum())


def error(law: AbstractLaw, study: Study) -> float:
    """Root mean square, in nats."""
    return float(np.sqrt(np.mean((predicted(law, study) - study.columns["loss"]) ** 2)))


def printed(name: str) -> Chinchilla:
    alpha, beta, log_A, log_B, log_E = PRINTED[name][:5]
    return Chinchilla(np.exp(log_E), np.exp(log_A), np.exp(log_B), alpha, beta)


def slope(law: Chinchilla) -> float:
    """Exponent of C in the optimal N, by approach 3."""
    return float(law.beta / (law.alpha + law.beta))


@pytest.mark.x64
@pytest.mark.parametrize("name", PRINTED)
def test_printed_fits(name: str, data_dir: Path) -> None:
    """Their slopes are those of the paper's table; their objectives those of the repository, up to the rounding."""
    assert slope(printed(name)) == pytest.approx(PRINTED[name][5], abs=1e-4)
    if name in OBJECTIVE:
        assert len(study(name)) == {"all": 770, "up to 100B": 220}[name]
        # Four digits of each coefficient cost 6e-7 at most.
        assert 0 < objective(printed(name), study(name)) - OBJECTIVE[name] < 6e-7


@pytest.mark.x64
@pytest.mark.parametrize("name", FORM)
def test_width_and_depth_halve_the_error(name: str, data_dir: Path, beside: Beside) -> None:
    published = error(from_published(WidthDepthSize, FORM[name]), study(name))
    plain = error(printed(name), study(name))
    beside(
        f"{name}, error of the printed width-depth form, nats", f"{published:.4f}", {"all": 0.0216}.get(name, "none")
    )
    assert published < 0.6 * plain
    if name == "all":
        assert published == pytest.approx(0.0216, abs=1e-4)


@pytest.mark.x64
@pytest.mark.slow
@pytest.mark.parametrize("name", PRINTED)
def test_optimum_and_slope(name: str, data_dir: Path, beside: Beside) -> None:
    found = fitted(name, 1e-4)
    theirs = objective(printed(name), study(name))
    assert found.certificate.certified
    assert found.value == pytest.approx(objective(found.law, study(name)), rel=1e-9)
    assert found.value < theirs
    assert slope(found.law) == pytest.approx(PRINTED[name][6], abs=1e-4)
    beside(f"{name}, objective", f"{found.value:.8f}", f"{OBJECTIVE.get(name, theirs):.8f}")
    beside(f"{name}, slope of approach 3", f"{slope(found.law):.4f}", f"{PRINTED[name][5]:.4f}")
    if name in OBJECTIVE:
        assert found.value < OBJECTIVE[name] + 5e-9
    if name == "all":
        beside(f"{name}, error of Chinchilla's form, nats", f"{error(found.law, study(name)):.4f}", 0.0478)
        assert error(found.law, study(name)) == pytest.approx(0.0478, abs=5e-5)
    if name == "up to 100B":
        assert found.value == pytest.approx(0.00020751, abs=5e-9)
        assert [float(found.law.alpha), float(found.law.beta)] == pytest.approx([0.2928, 0.7289], abs=1e-4)


@pytest.mark.x64
@pytest.mark.slow
@pytest.mark.parametrize("name", CONVERGED)
def test_converged_fits_agree(name: str, data_dir: Path, beside: Beside) -> None:
    found = fitted(name, 1e-3)
    ours = [float(found.law.alpha), float(found.law.beta)]
    beside(
        f"{name}, width 1e-3: alpha, beta", "{:.5f}, {:.5f}".format(*ours), "{:.5f}, {:.5f}".format(*CONVERGED[name])
    )
    # Their optimiser ends within a ten-thousandth of each exponent; the bottom is flat.
    assert ours == pytest.approx(CONVERGED[name], abs=2e-4)
    if name == "up to 100B":
        assert found.value == pytest.approx(0.0019816, abs=5e-8)


@pytest.mark.x64
@pytest.mark.slow
@pytest.mark.parametrize("name", FORM)
def test_width_depth_fits(name: str, data_dir: Path, beside: Beside) -> None:
    """Objectives below those of the printed coefficients, along a ridge that the fit reports."""
    published = from_published(WidthDepthSize, FORM[name])
    found = fit(WidthDepthSize(), study(name), log_huber(1e-4), starts=8)
    theirs = objective(published, study(name))
    beside(f"{name}, objective of the width-depth form", f"{found.value:.8f}", f"{theirs:.8f}")
    beside(f"{name}, error of the fitted width-depth form, nats", f"{error(found.law, study(name)):.4f}", "none")
    assert found.certificate.is_local_optimum
    assert found.value < theirs
    assert error(found.law, study(name)) == pytest.approx(error(published, study(name)), abs=5e-4)
    assert any(remark.startswith("Ridge") for remark in found.remarks)


@pytest.mark.x64
@pytest.mark.slow
def test_without_the_size_the_floor_is_lost(data_dir: Path, beside: Beside) -> None:
    found = fit(WidthDepth(), study("all"), log_huber(1e-4), starts=8)
    beside("all, floor of the form without size, nats", f"{float(found.law.E):.2g}", "exp(-155), exp(-4555)")
    assert "E" in found.certificate.on_edge
    held = fit(WidthDepth(), study("all"), log_huber(1e-4), fixed=("E",), starts=8)
    assert held.certificate.certified
    for name, value in held.params.items():
        # The defaults are this fit, to six digits.
        assert float(value) == pytest.approx(float(getattr(WidthDepth(), name)), rel=1e-4), name
