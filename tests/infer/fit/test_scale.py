"""Fits of losses that are multiplied, or moved under a law with a free floor: what the mathematics says they become.

Two fits that are one but for rounding lie apart, in whitened coordinates, by what their certificates allow each: its
tolerance times the square root of twice the value, in standard deviations. Coordinates are those of losses of the usual
size, so that they are the same whatever the unit.
"""

from collections.abc import Callable
from typing import Annotated

import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.errors import BadInput
from jaxscale.core.law import AbstractLaw
from jaxscale.core.numerics.powers import power
from jaxscale.core.parametric import param
from jaxscale.core.runs import Runs
from jaxscale.infer.fit.fit import Fit, fit
from jaxscale.laws.loss.hoffmann2022 import Chinchilla
from jaxscale.objectives import gaussian, log_huber, student_t
from jaxscale.objectives.objective import AbstractObjective
from jaxscale.objectives.penalty import least_squares, raw_huber, raw_least_squares
from jaxscale.objectives.residual import RawResidual

type Made = Callable[[float], AbstractObjective]  # from the unit of the loss

OBJECTIVES: dict[str, Made] = {
    "log-huber": lambda c: log_huber(),
    "log-squares": lambda c: least_squares(),
    "raw-squares": lambda c: raw_least_squares(),
    "raw-huber": lambda c: raw_huber(3e-3 * c),
    "gaussian": lambda c: gaussian(),
    "student-t": lambda c: student_t(),
    "raw-gaussian": lambda c: gaussian(residual=RawResidual()),
}
RELATIVE = Annotated[
    Float[Array, ""], q.Quantity("nats", "loss relative to that of another model", positive=False, size=3.0)
]


class Power(AbstractLaw):
    """A floor above zero and a power of N."""

    E: q.Nats = param(s.positive, init=1.7, prior=p.LogNormal(1.7, 0.5), doc="floor", linear=True)
    A: q.Nats = param(s.positive, init=400.0, prior=p.LogNormal(400.0, 2.0), doc="cost of finite size", linear=True)
    alpha: q.Pure = param(s.positive, init=0.3, prior=p.LogNormal(0.35, 0.5), doc="exponent")

    def __call__(self, N: q.Params) -> q.Nats:
        return self.E + self.A * power(N, -self.alpha)


class Free(AbstractLaw):
    """The same with a floor anywhere."""

    E: RELATIVE = param(s.real, init=1.0, prior=p.Normal(0.0, 3.0), doc="floor", linear=True)
    A: q.Nats = param(s.positive, init=400.0, prior=p.LogNormal(400.0, 2.0), doc="cost of finite size", linear=True)
    alpha: q.Pure = param(s.positive, init=0.3, prior=p.LogNormal(0.35, 0.5), doc="exponent")

    def __call__(self, N: q.Params) -> RELATIVE:
        return self.E + self.A * power(N, -self.alpha)


def units(dtype: np.dtype) -> list[float]:
    """Powers of ten that the precision allows: a float32 squares losses within 1e-38 and 1e38."""
    return [1e-8, 1e-5, 1e2, 1e8] if dtype == np.float64 else [1e-4, 1e2, 1e4]


def simulated(seed: int, floor: float = 1.8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    N = np.exp(rng.uniform(*np.log([5e7, 5e9]), 40))
    return N, (floor + 400 * N**-0.34) * np.exp(0.003 * rng.standard_normal(40))


def _allowed(found: Fit) -> float:
    return found.certificate.tolerance * float(np.sqrt(2 * abs(found.problem.value(found.problem.split.vector()))))


def same(one: Fit, other: Fit) -> None:
    """The same coordinates, certificate, flags and remarks."""
    a, b = one.certificate, other.certificate
    apart = one.chart.inverse(other.problem.split.vector())
    eps = float(jnp.finfo(one.runs.target.dtype).eps)
    allowed = max(_allowed(one) + _allowed(other), 64 * eps * one.identifiability.condition)
    assert np.linalg.norm(apart) < allowed
    assert (a.code, a.certified, a.on_edge) == (b.code, b.certified, b.on_edge)
    assert one.remarks == other.remarks
    assert one.identifiability.condition == pytest.approx(other.identifiability.condition, rel=0.05)


@pytest.mark.parametrize("name", ["log-huber", "raw-squares", "raw-huber", "student-t", "raw-gaussian"])
def test_multiplied_losses_multiply_floor_and_amplitude(name: str) -> None:
    for seed in (0, 1):
        N, loss = simulated(seed)
        whole = fit(Power(), Runs.of({"N": N}, loss), OBJECTIVES[name](1.0), starts=8)
        assert whole.certificate.certified
        for c in units(whole.runs.target.dtype):
            found = fit(Power(), Runs.of({"N": N}, c * loss), OBJECTIVES[name](c), starts=8)
            same(whole, found)
            # To first order in the coordinates, which `same` holds: what is left is the unit.
            rtol = 1e-5 if found.runs.target.dtype == np.float64 else 0.2
            for key, unit in (("E", c), ("A", c), ("alpha", 1.0)):
                assert float(found.params[key]) / unit == pytest.approx(float(whole.params[key]), rel=rtol), (key, c)


def test_a_floor_that_the_runs_know_is_on_no_edge_in_any_unit() -> None:
    """A raw Huber width that was left at 1e-3 is as good as squares where losses are small."""
    N, loss = simulated(2)
    for c in (1.0, *(c for c in units(Runs.of({"N": N}, loss).target.dtype) if c < 1)):
        found = fit(Power(), Runs.of({"N": N}, c * loss), raw_huber(), starts=8)
        assert found.certificate.certified, c
        assert found.certificate.on_edge == (), c


@pytest.mark.x64
def test_a_floor_that_is_not_there_is_on_the_edge_in_every_unit() -> None:
    N, loss = simulated(3, floor=-0.05)  # a term that is subtracted: the best floor is none
    flags = [
        fit(Power(), Runs.of({"N": N}, c * loss), raw_least_squares(), starts=8).certificate.on_edge
        for c in (1.0, 1e-8, 1e8)
    ]
    assert flags == [("E",)] * 3


@pytest.mark.parametrize("name", ["raw-squares", "raw-huber", "raw-gaussian"])
@pytest.mark.parametrize("seed", [4, 5])
def test_a_free_floor_follows_its_losses(name: str, seed: int) -> None:
    """Beside zero, about it, and far from it."""
    N, loss = simulated(seed)
    whole = fit(Free(), Runs.of({"N": N}, loss), OBJECTIVES[name](1.0), starts=8)
    assert whole.certificate.certified
    slack = 1e-4 if whole.runs.target.dtype == np.float64 else 0.2
    for shift in (-np.median(loss), -5.0, 20.0):
        found = fit(Free(), Runs.of({"N": N}, loss + shift), OBJECTIVES[name](1.0), starts=8)
        assert (found.certificate.certified, found.certificate.on_edge) == (True, ())
        assert found.remarks == whole.remarks
        assert float(found.params["E"]) == pytest.approx(float(whole.params["E"]) + shift, abs=slack)
        for key in ("A", "alpha"):
            assert float(found.params[key]) == pytest.approx(float(whole.params[key]), rel=slack), (key, shift)


def test_a_floor_above_zero_cannot_follow_and_says_so() -> None:
    N, loss = simulated(6)
    found = fit(Power(), Runs.of({"N": N}, loss - np.median(loss)), raw_least_squares(), starts=8)
    assert any("20 losses are below zero, and Power is above it" in remark for remark in found.remarks)
    with pytest.raises(BadInput, match=r"log-huber:0.001: expected losses above zero.*raw residuals"):
        fit(Power(), Runs.of({"N": N}, loss - np.median(loss)))


@pytest.mark.slow
@pytest.mark.x64
@pytest.mark.parametrize("name", OBJECTIVES)
def test_chinchilla_in_another_unit(name: str) -> None:
    """A law's own values, in nats, are a start in any unit too: all starts end alike."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        N = np.exp(rng.uniform(*np.log([5e7, 5e9]), 40))
        D = N * np.exp(rng.uniform(*np.log([5, 100]), 40))
        loss = (1.8 + 400 * N**-0.34 + 900 * D**-0.3) * np.exp(0.003 * rng.standard_normal(40))
        whole = fit(Chinchilla(), Runs.of({"N": N, "D": D}, loss), OBJECTIVES[name](1.0))
        for c in 10.0 ** rng.integers(-8, 9, 3):
            found = fit(Chinchilla(), Runs.of({"N": N, "D": D}, c * loss), OBJECTIVES[name](c))
            same(whole, found)
            assert found.certificate.share_best == pytest.approx(whole.certificate.share_best, abs=1.5 / 33)
