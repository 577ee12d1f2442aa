"""A forecast at points, with its three uncertainties and their total, and how it came out where the loss is known."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from jaxscale.infer.backtest.noise import unit_quantile
from jaxscale.infer.forecast.calibration import LEVELS, Bands


@dataclass(frozen=True)
class Outlined:
    """A forecast at m points.

    - `point`: of what was chosen, shape (m,). `decades`: beyond the runs; 0 inside.
    - `spread`: relative standard deviation of the parameters, shape (m,).
    - `noise`: relative scale of one run's Student-t noise, shape (m,).
    - `others`: what each ranked law says, by label, shape (m,).
    - `chosen`: what forecast: a law, alone or with its correction.
    - `correction`: the part of log `point` that is not the law's, shape (m,); zero for a law alone.
    """

    inputs: Mapping[str, np.ndarray]
    point: np.ndarray
    decades: np.ndarray
    spread: np.ndarray
    noise: np.ndarray
    bands: Bands
    others: Mapping[str, np.ndarray]
    chosen: str
    correction: np.ndarray
    doubts: tuple[str, ...] = ()

    @property
    def inside(self) -> np.ndarray:
        """Whether each point lies within the runs' ranges, shape (m,)."""
        return self.decades <= 0

    def half_widths(self, level: float) -> dict[str, np.ndarray]:
        """Relative half-widths of `parameters`, `noise`, `law` alone and of the `total`, shape (m,) each.

        Raises `BadInput` on a level outside (0, 1).
        """
        known = np.hypot(self.noise, self.spread)
        law = self.bands.half_width(level, self.decades)
        total = self.bands.half_width(level, self.decades, known)
        unit = unit_quantile(level)
        return {"parameters": unit * self.spread, "noise": unit * self.noise, "law": law, "total": total}

    def interval(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Ends of the total band, shape (m,) each. Raises `BadInput` on a level outside (0, 1)."""
        half = self.half_widths(level)["total"]
        return self.point * np.exp(-half), self.point * np.exp(half)

    def remarks(self) -> tuple[str, ...]:
        """What a reader must know, as sentences."""
        found = []
        if self.decades.max() > self.bands.reach:
            found.append(
                f"Extrapolation: the furthest point lies {self.decades.max():.1f} decades beyond the runs; the "
                f"forecasts that the bands were learnt from went {self.bands.reach:.1f}. Calibrated on these runs, not "
                "guaranteed."
            )
        if self.correction.any():
            size = np.expm1(self.correction)
            ends = dict.fromkeys(f"{x:+.2%}" for x in (size.min(), size.max()))
            found.append(
                f"Corrected: {self.chosen} adds {' to '.join(ends)} to what the law says, by what it leaves out of the "
                "runs, and never more than there."
            )
        half = self.half_widths(0.9)["total"]
        with np.errstate(invalid="ignore"):
            apart = {label: np.abs(np.log(y / self.point)) for label, y in self.others.items()}
        far = [
            f"{label} by up to {size[size > half].max():.1%}" for label, size in apart.items() if (size > half).any()
        ]
        if far:
            found.append(f"Laws disagree: outside the 90 % band of {self.chosen} lie {', '.join(far)}.")
        found.extend(self.doubts)
        return tuple(found)


@dataclass(frozen=True)
class Tested:
    """Forecasts of m runs whose loss is known, and which of the bands held it, by level."""

    outlined: Outlined
    observed: np.ndarray
    levels: tuple[float, ...] = LEVELS

    @property
    def error(self) -> np.ndarray:
        """Absolute relative error, shape (m,)."""
        return np.abs(self.outlined.point / self.observed - 1)

    def coverage(self, level: float) -> float:
        """Share of the runs inside the band."""
        low, high = self.outlined.interval(level)
        return float(np.mean((low <= self.observed) & (self.observed <= high)))

    def width(self, level: float) -> float:
        """Mean full width of the band, relative to the forecast."""
        low, high = self.outlined.interval(level)
        return float(np.mean((high - low) / self.outlined.point))
