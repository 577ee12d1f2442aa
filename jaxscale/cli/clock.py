"""Seconds spent compiling and seconds spent running, told apart by jax's own events."""

import time
from typing import Any, Self

import jax.monitoring

_COMPILING = "/jax/core/compile/"  # tracing, lowering, backend


class Clock:
    """Wall time of a block: `seconds` is `{"compile", "run"}`, run being the rest."""

    def __init__(self) -> None:
        self._spans: list[tuple[float, float]] = []
        self._start = self._stop = 0.0

    def __enter__(self) -> Self:
        jax.monitoring.register_event_duration_secs_listener(self._hear)
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop = time.perf_counter()
        jax.monitoring.unregister_event_duration_listener(self._hear)

    def _hear(self, event: str, duration_secs: float, **_: Any) -> None:
        if event.startswith(_COMPILING):
            now = time.perf_counter()
            self._spans.append((now - duration_secs, now))

    @property
    def seconds(self) -> dict[str, float]:
        """Events nest (a jitted function traced inside another): the union of their spans counts."""
        compiling, reached = 0.0, self._start
        for first, last in sorted(self._spans):
            first, last = max(first, reached), min(last, self._stop)
            compiling += max(0.0, last - first)
            reached = max(reached, last)
        return {"compile": round(compiling, 4), "run": round(self._stop - self._start - compiling, 4)}
