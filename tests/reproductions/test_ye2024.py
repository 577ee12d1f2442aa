"""The mixing law on two domains of the Pile (Ye et al. 2024) and on seven of SlimPajama (another repository).

Of two domains it is stated that the law fits within about .005; a plain SciPy fit was off by .0026 to .0044 (the data
folder's SOURCE.md). Of seven domains nothing was published of this law; two others were off by 1.5 and 2.2 %, over
sizes and amounts of data too. Ours is of mixtures left out, at one size.
"""

from collections.abc import Callable
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.evaluate import predict
from jaxscale.core.law import signature
from jaxscale.infer.fit.fit import fit
from jaxscale.laws.mixture.ye2024 import DataMixing
from jaxscale.objectives.penalty import raw_least_squares
from jaxscale.studies import Study, load

pytestmark = pytest.mark.slow
DOMAINS = ("arxiv", "book", "c4", "github", "commoncrawl", "stackexchange", "wikipedia")
TWO = {"h.github": "h_github", "h.cc": "h_pile_cc", "loss": "loss[nats]"}


def test_two_domains(data_dir: Path, beside: Callable[[str, object, object], None]) -> None:
    worst = []
    for size in ("70M", "160M"):
        for domain in ("Github", "Pile-CC"):
            rows = f"model_size == '{size}' and step == 30000 and val_domain == '{domain}'"
            study = Study.read(data_dir / "mixing_laws_ye" / "2mix.csv", TWO, where=rows)
            found = fit(DataMixing(t=jnp.zeros(2)), study, raw_least_squares())
            assert found.certificate.certified
            worst.append(float(np.max(np.abs(predict(found.law, found.runs) - found.runs.target))))
    beside("largest error, four fits of 5 mixtures", f"{min(worst):.4f} to {max(worst):.4f}", ".0026 to .0044")
    assert 0.00255 < min(worst) <= max(worst) < 0.00445


# A quarter of the mixtures left out; without the law, the mean of the others.
@pytest.mark.parametrize(("N", "most"), [(122_000_000, 0.005), (310_000_000, 0.0045), (680_000_000, 0.0045)])
def test_mixtures_left_out_of_seven_domains(
    N: int, most: float, data_dir: Path, beside: Callable[[str, object, object], None]
) -> None:
    last = {122_000_000: 20e9, 310_000_000: 20e9, 680_000_000: 25.92e9}[N]
    errors, plain = [], []
    for domain in DOMAINS:
        mapping = {"loss": f"loss_{domain}[nats]", **{f"h.{name}": f"h_{name}" for name in DOMAINS}}
        rows = f"params == {N} and tokens == {last:.0f}"
        study = load("mixture_slimpajama_dmsl", where=rows, mapping=mapping, data_dir=data_dir)
        out = np.arange(len(study)) % 4 == 0
        found = fit(DataMixing(t=jnp.zeros(7)), study.select(~out, "every fourth mixture left out"))
        assert found.certificate.certified
        held = study.select(out, "every fourth mixture").runs(signature(found.law))
        errors.append(np.abs(predict(found.law, held) / held.target - 1).mean())
        plain.append(np.abs(jnp.mean(found.runs.target) / held.target - 1).mean())
    beside(f"mean error of mixtures left out, {N / 1e6:.0f}M", f"{np.mean(errors):.3%}", "none")
    assert np.mean(errors) < most < np.mean(plain) / 8
