"""Yao: printed scales come back, digits of the exponents as the bound on the presets, no floor."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.flops import PETAFLOP_DAY
from jaxscale.core.law import from_published
from jaxscale.laws.loss.yao2025 import TimeSeriesC, TimeSeriesD, TimeSeriesN

type Axis = type[TimeSeriesN] | type[TimeSeriesC] | type[TimeSeriesD]

# The legends again, typed apart from the law file: decimal exponent and mantissa of the scale.
SCALES: dict[Axis, dict[str, tuple[int, float]]] = {
    TimeSeriesN: {"encoder_lsf": (31, 1.4), "decoder_lsf": (47, 2.9), "decoder_monash": (48, 1.5)},
    TimeSeriesC: {"encoder_id": (7, 1.5), "decoder_id": (23, 6.0), "decoder_monash": (47, 1.4)},
    TimeSeriesD: {"encoder_id": (12, 5.3), "encoder_monash": (39, 1.0), "decoder_monash": (31, 4.4)},
}
SETS = [(axis, name) for axis, sets in SCALES.items() for name in sets]


@pytest.mark.parametrize(("axis", "name"), SETS)
def test_printed_scale_comes_back(axis: Axis, name: str, eps: float) -> None:
    law = from_published(axis, name)
    decade, mantissa = SCALES[axis][name]
    unit = PETAFLOP_DAY if axis is TimeSeriesC else 1.0
    # The rounding of ln L_r, of order eps, is divided by the small exponent.
    slack = 4 * eps * (60 + 1 / float(law.a))
    assert float(law.log10_x0()) == pytest.approx(decade + np.log10(mantissa) + np.log10(unit), abs=slack)


@pytest.mark.x64
@pytest.mark.parametrize(("axis", "name"), SETS)
def test_loss_is_one_at_the_scale(axis: Axis, name: str) -> None:
    law = from_published(axis, name)
    assert float(law(10 ** law.log10_x0())) == pytest.approx(1, abs=1e-13)


def test_digits_of_the_exponent_bound_every_preset() -> None:
    """Half a unit of the third decimal of a, at the reference: the bound that the notes and the docstring state."""
    spans = []
    for axis in SCALES:
        for name, published in axis.published.items():
            law = from_published(axis, name)
            log_ratio = float(jnp.log(law.L_r) / law.a)
            spans.append(100 * 0.0005 * log_ratio)
            assert published.note.endswith(f"digits of a leave {spans[-1]:.1f} %")
    assert len(spans) == 18
    assert 5.5 < max(spans) < 6


def test_the_reference_is_a_choice(eps: float) -> None:
    """Moving the reference along the curve leaves every prediction and the printed scale alone."""
    law = from_published(TimeSeriesN, "encoder_lsf")
    moved = TimeSeriesN(L_r=law(jnp.asarray(1e8)), a=law.a, N_r=1e8)
    N = jnp.asarray(3e4)
    np.testing.assert_allclose(float(moved(N)), float(law(N)), rtol=16 * eps)
    np.testing.assert_allclose(float(moved.log10_x0()), float(law.log10_x0()), rtol=16 * eps / float(law.a))


def test_slope_in_logarithms_is_the_exponent(eps: float) -> None:
    law = from_published(TimeSeriesD, "decoder_id")
    slope = jax.grad(lambda log_D: jnp.log(law(jnp.exp(log_D))))(jnp.asarray(20.0))
    np.testing.assert_allclose(float(slope), -0.090, rtol=32 * eps)
