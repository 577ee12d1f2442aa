r"""Cherti et al. 2022 (arXiv 2212.07143): $E = \beta C^\alpha$ of zero-shot ImageNet error, on WIT and LAION.

The form is that of Hestness et al. 2017, `PowerLaw`, with compute in the place of samples (no file of its own).
Oracles: the published exponents (-0.16 on WIT, -0.11 on LAION; read through secondary notes, unverified) and NumPy's
straight line. On LAION the exponent comes out on the Pareto frontier, as in the paper, and is -0.101 over all 29
models, among them nine on 80 million samples, which saturate. Prefactors were not retrieved, so that `PowerLaw` has no
published set. The repository has no licence and the checksum of its source file is not recorded: the table is read
where it lies.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jaxscale import Study, fit
from jaxscale.laws.loss.hestness2017 import PowerLaw
from jaxscale.objectives.penalty import least_squares


def imagenet(data_dir: Path, corpus: str) -> Study:
    """Total GMAC and top-1 error of each model."""
    return Study.read(
        data_dir / "openclip_cherti" / "data.csv",
        {"m": "gmacs_total", "loss": "err1"},
        where=f"downstream_dataset == 'imagenet1k' and {corpus}",
    )


def frontier(study: Study) -> Study:
    compute, error = study.columns["m"], study.columns["loss"]
    cheaper = compute[:, None] >= compute[None, :]
    return study.select(error <= np.min(np.where(cheaper, error[None, :], np.inf), axis=1), "the Pareto frontier")


@pytest.mark.x64
@pytest.mark.parametrize(
    ("corpus", "on_frontier", "models", "exponent", "published"),
    [
        ("dataset == 'CLIP-WIT'", False, 3, -0.164, "-0.16"),
        ("dataset != 'CLIP-WIT'", True, 10, -0.111, "-0.11"),
        ("dataset != 'CLIP-WIT'", False, 29, -0.101, "-0.11"),
    ],
    ids=["wit", "laion_frontier", "laion_all"],
)
def test_exponents(
    data_dir: Path,
    corpus: str,
    on_frontier: bool,
    models: int,
    exponent: float,
    published: str,
    beside: Callable[[str, object, object], None],
) -> None:
    study = imagenet(data_dir, corpus)
    study = frontier(study) if on_frontier else study
    assert len(study) == models
    fitted = fit(PowerLaw(), study, least_squares())
    slope, intercept = np.polyfit(np.log(study.columns["m"]), np.log(study.columns["loss"]), 1)
    assert fitted.certificate.certified, fitted.remarks
    assert float(fitted.law.beta) == pytest.approx(-slope, rel=1e-8)
    assert float(fitted.law.alpha) == pytest.approx(np.exp(intercept), rel=1e-6)
    what = f"exponent of {'LAION' if '!=' in corpus else 'WIT'}, {models} models{' on the frontier' * on_frontier}"
    beside(what, f"{slope:.3f}", published)
    assert slope == pytest.approx(exponent, abs=5e-4)
