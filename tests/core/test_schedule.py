"""Schedules by segments. Oracle: the definitions, summed step by step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.core.errors import BadInput
from jaxscale.core.schedule import (
    Segment,
    constant,
    cosine,
    exponential,
    linear,
    progress,
    schedule,
    schedules,
    segments_of,
    text_of,
    warmup,
)

# Every kind, a jump, and a rate that stays after the end.
SEGMENTS = (
    warmup(20, 4e-3),
    constant(50, 4e-3),
    linear(40, 4e-3, 1e-3),
    cosine(70, 2e-3, 3e-4),
    exponential(60, 3e-4, 1e-5),
)
STEPS = np.arange(0, 300)


def step_by_step(segments: tuple[Segment, ...], decay: float, last: int) -> np.ndarray:
    """Rate, area, fall, recent fall and annealing after 0, ..., `last` steps, as rows."""
    rate, area, fallen, recent, annealed = [segments[0][1]], 0.0, 0.0, 0.0, 0.0
    found = [(rate[0], 0.0, 0.0, 0.0, 0.0)]
    for steps, a, b, kind in (*segments, (last, segments[-1][2], segments[-1][2], 1)):
        for j in range(1, int(steps) + 1):
            u = j / steps
            shape = {0: a + (b - a) * u, 1: a + (b - a) * u, 2: b + (a - b) * (1 + np.cos(np.pi * u)) / 2}
            rate.append(a * (b / a) ** u if kind == 3 else shape[int(kind)])
            drop = 0.0 if kind == 0 else rate[-2] - rate[-1]
            area, fallen, recent = area + rate[-1], fallen + drop, decay * recent + drop
            annealed += recent
            found.append((rate[-1], area, fallen, recent, annealed))
    return np.array(found[: last + 1])


@pytest.mark.parametrize("decay", [0.9, 0.99, 0.9995])
def test_closed_forms_are_the_sums(decay: float, eps: float) -> None:
    decay = float(jnp.asarray(decay))
    expected = step_by_step(SEGMENTS, decay, len(STEPS) - 1)
    # Empty segments at the end, as of the shorter of two schedules, change nothing.
    for length in (None, 8):
        run = progress(jnp.asarray(schedule(*SEGMENTS, length=length)), jnp.asarray(STEPS, float), jnp.asarray(decay))
        got = np.stack([*run, run.annealed(jnp.asarray(decay))], axis=1)
        # What is left of a fall when most of it is forgotten is divided by 1 - decay.
        off = np.abs(got - expected).max(axis=0) / np.abs(expected).max(axis=0)
        assert np.all(off <= 100 * eps / (1 - decay))


@pytest.mark.x64
def test_derivatives_by_a_schedule_are_finite_differences() -> None:
    @jax.jit
    def annealed(array: jax.Array, decay: jax.Array) -> jax.Array:
        return jnp.sum(progress(array, jnp.asarray(STEPS, float), decay).annealed(decay))

    at, decay = jnp.asarray(schedule(*SEGMENTS)), jnp.asarray(0.99)
    by_array, by_decay = jax.grad(annealed, argnums=(0, 1))(at, decay)
    for segment in range(1, len(SEGMENTS)):
        for rate in (1, 2):
            h = 1e-5 * at[segment, rate]
            moved = [annealed(at.at[segment, rate].add(s * h), decay) for s in (-1, 1)]
            assert float(by_array[segment, rate]) == pytest.approx(float(moved[1] - moved[0]) / float(2 * h), rel=1e-5)
    h = 1e-7
    moved = [annealed(at, decay + s * h) for s in (-1, 1)]
    assert float(by_decay) == pytest.approx(float(moved[1] - moved[0]) / (2 * h), rel=1e-5)


def test_the_cost_is_linear_in_steps() -> None:
    """Oracle: the compiler's own count of operations, for ten thousand steps and for ten times as many."""

    def operations(m: int) -> float:
        array, steps = jnp.asarray(schedule(*SEGMENTS)), jnp.ones(m)
        found = jax.jit(progress).lower(array, steps, jnp.asarray(0.999)).compile().cost_analysis()
        return float(found["flops"])  # pyright: ignore

    assert operations(100_000) < 10.01 * operations(10_000)


def test_segments_are_read_from_text() -> None:
    text = "warmup 20 4e-3; constant 50 4e-3; linear 40 4e-3 1e-3; cosine 70 2e-3 3e-4; exponential 60 3e-4 1e-5"
    assert segments_of(text) == SEGMENTS
    assert segments_of(text_of(schedule(*SEGMENTS, length=8))) == SEGMENTS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cosine 10 1", r"got 'cosine 10 1' in 'cosine 10 1'"),
        ("step 10 1", "of the kinds warmup, constant, linear, cosine, exponential, got 'step 10 1'"),
        ("constant ten 1", "got 'constant ten 1'"),
        ("constant 10 1;", "got ''"),
        ("constant -10 1", "expected segments of steps and rates of zero or more"),
        ("exponential 10 1 0", "expected an exponential segment between rates above zero"),
    ],
)
def test_what_is_no_schedule_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        segments_of(text)


def test_shorter_schedules_are_filled_up() -> None:
    found = schedules([[constant(5, 1.0)], [constant(5, 1.0), linear(5, 1.0, 0.5)]])
    assert found.shape == (2, 2, 4)
    np.testing.assert_array_equal(found[0, 1], [0, 1, 1, 1])
