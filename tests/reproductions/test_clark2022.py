"""Clark et al. 2022 on their released runs: coefficients, cut-offs and the dense law of the three routers.

Oracles: `loss-laws.md` section 9, refits by independent code to the digits it states, and table 3 of the paper, read
through secondary notes. Which runs the paper fitted is not known: these are the last checkpoints at routing frequency
1/2, one expert per token, seed 42, with five dense models as E = 1. The refits reproduce the sheet's to its last digit,
but for E_s of S-BASE, 2.075 against 2.08.
The paper's coefficients describe the same runs worse and its cut-offs (937B, 85B, 83B) lie 8 to 20 % away.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jaxscale import Fit, Study, fit, load
from jaxscale.core.evaluate import predict
from jaxscale.core.law import class_signature, from_published
from jaxscale.laws.architecture.clark2022 import RoutedLM
from jaxscale.laws.loss.kaplan2020 import KaplanN
from jaxscale.objectives.penalty import least_squares

RUNS = "is_final == 1 and routing_frequency == 0.5 and top_k == 1 and seed == 42"
# Of the sheet: runs, a, b, c, d, E_s, E_m, root mean square of log10 L, cut-off in billions; the paper's cut-off.
SHEET = {
    "S-Base": (58, -0.0830, -0.1180, 0.0099, 1.1136, 2.08, 239.0, 0.00323, 783.0, 937.0),
    "RL-R": (59, -0.0827, -0.1234, 0.0112, 1.107, 1.72, 470.0, 0.00323, 97.0, 85.0),
    "Hash": (56, -0.0874, -0.1384, 0.0126, 1.1595, 4.27, 427.0, 0.00298, 89.0, 83.0),
}
SIGNATURE = class_signature(RoutedLM)
SETS = {"S-Base": "s_base", "RL-R": "rl_r", "Hash": "hash"}
# Half a unit in the last digit that the sheet gives; a whole one for the weakly determined E_s (S-BASE: 2.075).
HALF = {"a": 5e-5, "b": 5e-5, "c": 5e-5, "d": 5e-4, "E_s": 1e-2, "E_m": 0.5}


def runs_of(router: str) -> Study:
    return load("routed_lm", where=f"{RUNS} and (router_type == 'Dense' or router_type == '{router}')")


def spread(law: RoutedLM, study: Study) -> float:
    """Root mean square residual of log10 L."""
    residual = np.log10(np.asarray(predict(law, study.runs(SIGNATURE)))) - np.log10(study.columns["loss"])
    return float(np.sqrt(np.mean(residual**2)))


@pytest.fixture(scope="module", params=SHEET)
def fitted(request: pytest.FixtureRequest, data_dir: Path) -> tuple[str, Study, Fit]:
    study = runs_of(request.param)
    return request.param, study, fit(RoutedLM(), study, least_squares())


@pytest.mark.x64
def test_coefficients(fitted: tuple[str, Study, Fit], beside: Callable[[str, object, object], None]) -> None:
    router, _, found = fitted
    count, *sheet, rms, cutoff, published_cutoff = SHEET[router]
    assert found.certificate.certified
    assert found.count == count
    table = RoutedLM.published[SETS[router]].values
    for (name, half), expected in zip(HALF.items(), sheet, strict=True):
        ours = float(found.params[name])
        beside(f"{router}, {name}", f"{ours:.4g}", f"{table[name]:.4g} (sheet: {expected:.4g})")
        assert ours == pytest.approx(expected, abs=1.01 * half), name
        # The set shipped with the law is this fit, to the digits kept.
        assert RoutedLM.published[f"{SETS[router]}_refit"].values[name] == pytest.approx(ours, rel=1e-6)
    # The objective is half the sum of squares of natural logarithms.
    ours = np.sqrt(2 * found.value / count) / np.log(10)
    beside(f"{router}, rms of log10 L", f"{ours:.5f}", f"sheet: {rms:.5f}")
    assert ours == pytest.approx(rms, abs=5.1e-6)
    billions = float(found.law.cutoff()) / 1e9
    beside(f"{router}, cut-off", f"{billions:.1f}B", f"{published_cutoff:g}B (sheet: {cutoff:g}B)")
    assert billions == pytest.approx(cutoff, abs=0.5)


@pytest.mark.x64
def test_printed_coefficients_are_worse(
    fitted: tuple[str, Study, Fit], beside: Callable[[str, object, object], None]
) -> None:
    router, study, found = fitted
    ours, printed = (spread(law, study) for law in (found.law, from_published(RoutedLM, SETS[router])))
    beside(f"{router}, rms of log10 L at either set", f"{ours:.5f}", f"{printed:.5f}")
    assert ours < printed
    if router == "RL-R":
        assert printed == pytest.approx(0.0077, abs=5e-5)


@pytest.mark.x64
def test_dense_law(data_dir: Path, beside: Callable[[str, object, object], None]) -> None:
    """The paper's dense exponent is .078 and its N_c 3.568e13; N_c is the 13th power of the loss and moves easily."""
    found = fit(KaplanN(), load("routed_lm", where=f"{RUNS} and router_type == 'Dense'"), least_squares())
    alpha, Nc = (float(found.params[name]) for name in ("alpha_N", "Nc"))
    beside("dense exponent", f"{alpha:.4f}", "0.078 (sheet: .0785)")
    beside("dense N_c", f"{Nc:.3e}", "3.568e13 (sheet: 3.69e13)")
    assert found.count == 5
    assert alpha == pytest.approx(0.0785, abs=5e-5)
    assert Nc == pytest.approx(3.69e13, abs=0.005e13)
