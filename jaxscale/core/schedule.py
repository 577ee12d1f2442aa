r"""Learning-rate schedules by segments, and what a run has gone through after any number of steps, in closed form.

A schedule is an array of shape (segments, 4): steps, learning rate at the start, learning rate at the end, kind. With
a segment's steps counted by j = 0, ..., n, its rate is $\eta_j = a + (b - a)\,g(j/n)$, and the j-th step is made at
$\eta_j$; a segment that starts elsewhere than the last one ended jumps there with its first step. Past its end a
schedule stays where it is. Nothing here counts steps one by one: the cost is that of the steps that are asked for.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxscale.core.errors import BadInput

FIELDS = ("steps", "start", "end", "kind")
WARMUP, LINEAR, COSINE, EXPONENTIAL = range(4)

_EXAMPLE = "warmup 2000 3e-4; cosine 20000 3e-4 3e-5"

type Segment = tuple[float, float, float, float]


def warmup(steps: float, end: float, start: float = 0.0) -> Segment:
    """A linear rise at the beginning, which no law counts as annealing backwards."""
    return steps, start, end, WARMUP


def constant(steps: float, rate: float) -> Segment:
    """One learning rate."""
    return steps, rate, rate, LINEAR


def linear(steps: float, start: float, end: float) -> Segment:
    """On a straight line."""
    return steps, start, end, LINEAR


def cosine(steps: float, start: float, end: float) -> Segment:
    """Half a period of a cosine."""
    return steps, start, end, COSINE


def exponential(steps: float, start: float, end: float) -> Segment:
    """By the same factor in every step; both ends above zero."""
    return steps, start, end, EXPONENTIAL


def schedule(*segments: Segment, length: int | None = None) -> Float[np.ndarray, "segment field"]:
    """The array of `segments`, filled up to `length` of them by empty ones. Raises `BadInput` on what is no segment."""
    found = np.asarray(segments, np.float64).reshape(-1, len(FIELDS))
    steps, start, end, kind = found.T
    if not len(found) or not np.all(np.isfinite(found)) or np.any(steps < 0) or np.any(found[:, 1:3] < 0):
        raise BadInput(f"schedule: expected segments of steps and rates of zero or more, got {segments}; correct it")
    if np.any((kind == EXPONENTIAL) & (np.minimum(start, end) <= 0)):
        raise BadInput(
            f"schedule: expected an exponential segment between rates above zero, got {segments}; end it above zero, "
            "or make it linear"
        )
    rest = [(0.0, end[-1], end[-1], LINEAR)] * ((length or 0) - len(found))
    return np.concatenate([found, np.reshape(rest, (-1, len(FIELDS)))])


def schedules(many: Sequence[Sequence[Segment]]) -> Float[np.ndarray, "n segment field"]:
    """The schedules of several runs, filled up to the longest."""
    return np.stack([schedule(*one, length=max(map(len, many))) for one in many])


def segments_of(text: str) -> tuple[Segment, ...]:
    """`"warmup 2160 3e-4; constant 20000 3e-4; linear 4000 3e-4 3e-5"`: kind, steps and rates of every segment.

    Raises `BadInput` on anything else.
    """
    makers = {f.__name__: f for f in (warmup, constant, linear, cosine, exponential)}
    found = []
    for part in text.split(";"):
        kind, *numbers = part.split() or [""]
        try:
            found.append(makers[kind](*map(float, numbers)))
        except (KeyError, TypeError, ValueError):
            raise BadInput(
                f"schedule: expected segments such as {_EXAMPLE!r}, of the kinds {', '.join(makers)}, got "
                f"{part.strip()!r} in {text!r}; correct it"
            ) from None
    schedule(*found)
    return tuple(found)


def text_of(array: Float[ArrayLike, "segment field"]) -> str:
    """The inverse of `segments_of`; empty segments are left out."""
    names = ("warmup", "linear", "cosine", "exponential")
    parts = []
    for steps, start, end, kind in np.asarray(array, np.float64):
        if kind == WARMUP:
            parts.append((steps, f"warmup {steps:.10g} {end:.6g}" + (f" {start:.6g}" if start else "")))
        elif start == end:
            parts.append((steps, f"constant {steps:.10g} {end:.6g}"))
        else:
            parts.append((steps, f"{names[int(kind)]} {steps:.10g} {start:.6g} {end:.6g}"))
    return "; ".join(part for steps, part in parts if steps > 0)


class Progress(NamedTuple):
    r"""After s steps.

    - `rate`: the learning rate $\eta_s$.
    - `area`: $\sum_{i \le s} \eta_i$.
    - `fallen`: $\sum_{i \le s} (\eta_{i-1} - \eta_i)$, warm-up left out.
    - `recent`: the same sum with weights $\lambda^{s-i}$, which forget old decrements.
    """

    rate: Array
    area: Array
    fallen: Array
    recent: Array

    def annealed(self, decay: Float[Array, ""]) -> Array:
        r"""The sum of `recent` over all steps so far: $\sum_{i \le s} \sum_{k \le i} (\eta_{k-1}-\eta_k)\lambda^{i-k}$.

        A decrement made k steps ago counts $(1 - \lambda^{k+1}) / (1 - \lambda)$ times.
        """
        return (self.fallen - decay * self.recent) / (1 - decay)


def progress(schedule: Float[Array, "segment field"], step: Float[Array, " m"], decay: Float[Array, ""]) -> Progress:
    """What a run on `schedule` has gone through after each of `step` steps; `decay` is the lambda of `recent`."""
    steps, start, end, kind = schedule.T
    counted = (kind != WARMUP).astype(schedule.dtype)
    ends = jnp.cumsum(steps)
    begins = ends - steps
    # A jump is made with the first step of a segment.
    jump = counted * (jnp.concatenate([start[:1], end[:-1]]) - start)

    # Whole segments, and of every step the part of its own segment; past the end a rate that stays for ever.
    stays = jnp.stack([jnp.full_like(end[-1], 1e30), end[-1], end[-1], jnp.full_like(end[-1], LINEAR)])
    rows, begins = jnp.concatenate([schedule, stays[None]]), jnp.append(begins, ends[-1])
    own = jnp.sum((step[:, None] > ends[None, :]).astype(jnp.int32), axis=1)
    j = step - begins[own]
    each = jax.vmap(lambda row, j: _within(row, j, decay))
    whole, part = each(schedule, steps), each(rows[own], j)

    # What has been gathered when a segment begins: of those before it, forgotten since they ended.
    before = np.tri(len(rows), len(schedule), -1, dtype=bool)
    jumped = np.tri(len(rows), len(schedule), dtype=bool)

    def remembered(since: Array, which: np.ndarray) -> Array:
        return jnp.where(which, jnp.power(decay, jnp.where(which, since, 0)), 0)

    since_end = remembered(begins[:, None] - ends[None, :], before)
    since_jump = remembered(begins[:, None] - begins[None, :-1] - 1, jumped)
    area = _sums(before, whole.area)
    fallen = _sums(before, whole.fallen) + _sums(jumped, jump)
    recent = since_end @ whole.recent + since_jump @ jump
    return Progress(
        part.rate,
        area[own] + part.area,
        fallen[own] + part.fallen,
        jnp.power(decay, j) * recent[own] + part.recent,
    )


def _sums(which: np.ndarray, x: Float[Array, " k"]) -> Float[Array, " i"]:
    return jnp.sum(jnp.where(which, x[None, :], 0), axis=1)


def _within(row: Float[Array, " field"], j: Float[Array, ""], decay: Float[Array, ""]) -> Progress:
    """After j steps of a segment, of these steps alone."""
    steps, a, b, kind = row
    n, is_cosine, is_power = jnp.maximum(steps, 1), kind == COSINE, kind == EXPONENTIAL
    log_decay = jnp.log(decay)
    # On a line: equal decrements.
    fall = (a - b) / n
    rate, area = a - fall * j, a * j - fall * j * (j + 1) / 2
    recent = fall * _geometric(log_decay, j)
    # On a cosine of angle w per step; sums of cosines are ratios of sines.
    w = jnp.pi / n
    half = jnp.sin(w / 2)
    bend, swing = 2 * half**2, jnp.cos(w * j)
    rate = jnp.where(is_cosine, b + (a - b) / 2 * (1 + swing), rate)
    summed = b * j + (a - b) / 2 * (j + jnp.sin(w * j / 2) * jnp.cos(w * (j + 1) / 2) / half)
    area = jnp.where(is_cosine, summed, area)
    settled = (1 - decay) * jnp.sin(w) * jnp.sin(w * j) - (1 + decay) * bend * (swing - jnp.power(decay, j))
    recent = jnp.where(is_cosine, (a - b) / 2 * settled / ((1 - decay) ** 2 + 2 * decay * bend), recent)
    # By one factor per step; a sum of products of two powers is one of the larger, times a sum of their ratio's.
    log_factor = jnp.log(jnp.where(is_power, b, 1) / jnp.where(is_power, a, 1)) / n
    rate = jnp.where(is_power, a * jnp.exp(log_factor * j), rate)
    area = jnp.where(is_power, a * jnp.exp(log_factor) * _geometric(log_factor, j), area)
    both = jnp.exp(jnp.maximum(log_factor, log_decay) * (j - 1)) * _geometric(-jnp.abs(log_factor - log_decay), j)
    recent = jnp.where(is_power, -a * jnp.expm1(log_factor) * both, recent)
    counted = (kind != WARMUP).astype(a.dtype)
    return Progress(rate, area, counted * (a - rate), counted * recent)


def _geometric(log_x: Float[Array, ""], j: Float[Array, ""]) -> Float[Array, ""]:
    """1 + x + ... + x^(j-1) for 0 < x <= 1; j where x is one."""
    one = log_x > -jnp.finfo(log_x.dtype).tiny
    safe = jnp.where(one, -1, log_x)
    return jnp.where(one, j, jnp.expm1(j * safe) / jnp.expm1(safe))
