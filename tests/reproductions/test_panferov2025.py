"""Panferov et al. 2025 (QuEST, and the unified law built on it) on QuEST's 104 runs.

Oracles: QuEST's efficiencies of .16, .43 and .69 at 2, 3 and 4 bits (read off a figure, unverified), and the data
folder's own fit of its 48 main runs, .156, .428, .688 and 1.00 at 8 bits, whose objective is not on record: ours are
.157, .425, .686, 1.000 by the Huber sum, and move by .009 between objectives. The unified law (its A and B were
not retrieved) is then tried on the same losses: two parameters, and the Gaussian errors of the formats computed, give
what four free capacities give; and the published F and C_r, fitted elsewhere, predict them.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

from jaxscale import AbstractLaw, Runs, Study, fit, from_published, load, log_huber, param
from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.evaluate import predict
from jaxscale.laws.precision.gaussian_mse import best_scale, integer_levels
from jaxscale.laws.precision.panferov2025 import CompressedTraining

Beside = Callable[[str, object, object], None]
BITS = (2, 3, 4, 8)
MAIN = ("HadamardTrustQuantizer", "HalfHadamardTrustQuantizer", "NoQuantizer")
FULL = 0.0  # the error of bf16, which counts as none


class PerFormat(AbstractLaw):
    r"""$$ L = E + A (N \rho_i)^{-\alpha} + B D^{-\beta} $$ with a free capacity for each format i but the last."""

    E: q.Nats = param(s.positive, init=1.4, prior=p.LogNormal(1.5, 0.5), doc="entropy of text", linear=True)
    A: q.Nats = param(s.positive, init=30.0, prior=p.LogNormal(100.0, 2.0), doc="cost of finite size", linear=True)
    B: q.Nats = param(s.positive, init=300.0, prior=p.LogNormal(300.0, 2.0), doc="cost of finite data", linear=True)
    alpha: q.Pure = param(s.positive, init=0.3, prior=p.LogNormal(0.3, 0.4), doc="size exponent")
    beta: q.Pure = param(s.positive, init=0.3, prior=p.LogNormal(0.3, 0.4), doc="data exponent")
    rho: Annotated[Float[Array, " formats"], q.PURE] = param(
        s.positive, init=(0.1, 0.4, 0.7, 1.0), prior=p.LogNormal(0.5, 0.7), doc="capacities"
    )
    cite: ClassVar[str] = "panferov2025quest"

    def __call__(self, N: q.Params, D: q.Tokens, i: q.Pure) -> q.Nats:
        rho = jnp.concatenate([self.rho, jnp.ones(1, self.rho.dtype)])[i.astype(int)]
        return self.E + self.A * (N * rho) ** -self.alpha + self.B * D**-self.beta


class TwoErrors(AbstractLaw):
    r"""$$ L = E + A (N \rho_w \rho_a)^{-\alpha} + B D^{-\beta} $$ for weights and activations of unlike formats."""

    E: q.Nats = param(s.positive, init=1.4, prior=p.LogNormal(1.0, 0.5), doc="entropy of text", linear=True)
    A: q.Nats = param(s.positive, init=30.0, prior=p.LogNormal(20.0, 2.0), doc="cost of finite size", linear=True)
    B: q.Nats = param(s.positive, init=300.0, prior=p.LogNormal(100.0, 2.0), doc="cost of finite data", linear=True)
    alpha: q.Pure = param(s.positive, init=0.3, prior=p.LogNormal(0.2, 0.4), doc="size exponent")
    beta: q.Pure = param(s.positive, init=0.3, prior=p.LogNormal(0.2, 0.4), doc="data exponent")
    F: q.Pure = param(s.positive, init=0.4, prior=p.LogNormal(0.4, 0.4), doc="as in CompressedTraining")
    C_r: q.Pure = param(s.positive, init=1.3, prior=p.LogNormal(1.3, 0.4), doc="as in CompressedTraining")
    cite: ClassVar[str] = "panferov2025unified"

    def __call__(self, N: q.Params, D: q.Tokens, weights: q.Pure, activations: q.Pure) -> q.Nats:
        law = CompressedTraining(self.A, self.alpha, self.B, self.beta, self.E, self.F, self.C_r)
        return law(N * law.capacity(activations), D, weights)


@pytest.fixture(scope="module")
def study(data_dir: Path) -> Study:
    kinds = " or ".join(f"w_quantizer == '{kind}'" for kind in MAIN)
    study = load("quest_precision", where=f"({kinds}) and w_format != 'fp4'")
    return study.select(np.isin(study.table["a_quantizer"], MAIN), "activations in the same formats, or none")


@pytest.fixture(scope="module")
def errors() -> dict[int, float]:
    """Of uniform integers at optimal clipping, which is what QuEST rounds to after a Hadamard rotation."""
    return {bits: float(best_scale(jnp.asarray(integer_levels(bits)))[1]) for bits in BITS} | {16: FULL}


@pytest.mark.x64
def test_effective_parameters(study: Study, beside: Beside) -> None:
    same = study.select(study.columns["P_w"] == study.columns["P_a"], "weights and activations alike")
    assert len(same) == 48
    inputs = {"N": same.columns["N"], "D": same.columns["D"], "i": np.searchsorted((*BITS, 16), same.columns["P_w"])}
    fitted = fit(PerFormat(), Runs.of(inputs, same.columns["loss"]), log_huber(1e-3))
    assert fitted.certificate.certified
    for bits, got, folder in zip(BITS, fitted.law.rho, (0.156, 0.428, 0.688, 1.00), strict=True):
        beside(f"effective parameters at {bits} bits", f"{float(got):.3f}", folder)
        # Half of the spread between objectives.
        assert float(got) == pytest.approx(folder, abs=0.0045)


@pytest.mark.x64
@pytest.mark.slow
def test_one_error_describes_all_formats(study: Study, errors: dict[int, float], beside: Beside) -> None:
    """60 runs, 12 of them with rounded weights alone: capacities multiply."""
    weights, activations = (np.array([errors[int(b)] for b in study.columns[P]]) for P in ("P_w", "P_a"))
    inputs = {"N": study.columns["N"], "D": study.columns["D"], "weights": weights, "activations": activations}
    runs = Runs.of(inputs, study.columns["loss"])
    fitted = fit(TwoErrors(), runs, log_huber(1e-3))
    assert fitted.certificate.certified
    off = np.log(np.asarray(jax.jit(predict)(fitted.law, runs)) / study.columns["loss"])
    beside("60 QuEST runs by their Gaussian errors: rms of ln L, %", f"{100 * off.std():.2f}", "none")
    assert off.std() < 0.004  # 2 bits raise the loss by 18 %
    ours = CompressedTraining(F=fitted.law.F, C_r=fitted.law.C_r)
    for bits, free in zip(BITS, (0.156, 0.428, 0.688, 1.00), strict=True):
        got = float(ours.capacity(jnp.asarray(errors[bits]))) ** 2
        beside(f"capacity squared at {bits} bits, by Gaussian error", f"{got:.3f}", f"{free} (free)")
        assert got == pytest.approx(free, abs=0.02)


@pytest.mark.x64
@pytest.mark.parametrize("name", CompressedTraining.published)
def test_published_capacities_predict_quest(name: str, errors: dict[int, float], beside: Beside) -> None:
    """Squared, for weights and activations; over L_r, for bf16 to have 1. F and C_r are known to 5 and 6 % at best."""
    law = from_published(CompressedTraining, name)
    got = [float(law.capacity(jnp.asarray(errors[bits])) / law.L_r) ** 2 for bits in (2, 3, 4)]
    beside(f"published capacities ({name}), squared, 2 3 4 bits", " ".join(f"{x:.3f}" for x in got), ".156 .428 .688")
    assert got == pytest.approx([0.156, 0.428, 0.688], abs=0.06)
