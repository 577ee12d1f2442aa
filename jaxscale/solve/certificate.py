"""The certificate: what was checked before a point is called the optimum."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxscale.core.results import RESULTS

# Two values closer than this share of the value belong to one optimum (method: share within 1e-6 of the best).
SAME = 1e-6


@dataclass(frozen=True)
class Certificate:
    """Evidence about an optimum.

    - `code`: how the best lane ended.
    - `starts`, `finished`: starts tried, starts that converged.
    - `share_best`: share of all starts that reached the best value (to 1e-6).
    - `distinct`: number of distinct local optima found; `second_gap`: relative excess of the second best.
    - `gradient_norm`: of the exact gradient in coordinates whitened by the exact Hessian, in units of the
      square root of twice the objective: below `tolerance` it is zero to rounding.
    - `smallest_eigenvalue`: of the exact Hessian scaled to unit diagonal, without parameters on an edge.
    - `condition`: condition number of that matrix.
    - `on_edge`: parameters that the runs do not determine because they vanished.
    """

    code: RESULTS
    starts: int
    finished: int
    share_best: float
    distinct: int
    second_gap: float | None
    gradient_norm: float
    tolerance: float
    smallest_eigenvalue: float
    condition: float
    on_edge: tuple[str, ...]

    @property
    def is_local_optimum(self) -> bool:
        """Gradient zero to rounding and curvature positive."""
        return bool(is_local_optimum(self))

    @property
    def certified(self) -> bool:
        """A local optimum that at least two starts reached independently."""
        return bool(is_certified(self))

    def remarks(self) -> tuple[str, ...]:
        """What a reader must know, as sentences; empty where all is well."""
        found = []
        if self.code != RESULTS.converged:
            found.append(f"Not certified: {self.code.sentence}")
        elif self.gradient_norm > self.tolerance:
            found.append(
                f"Not certified: the whitened gradient is {self.gradient_norm:.1e}, expected at most "
                f"{self.tolerance:.1e}; use float64, or add starts (`starts=...`)."
            )
        elif not self.smallest_eigenvalue > 0:
            found.append(
                f"Not certified: the Hessian's smallest scaled eigenvalue is {self.smallest_eigenvalue:.1e}, "
                f"not positive. {RESULTS.singular.sentence}"
            )
        elif self.starts < 2:
            found.append(
                "Not certified: a local optimum from a single start; add some to look for others (`starts=...`)."
            )
        elif not self.certified:
            found.append(
                f"Not certified: only one of {self.starts} starts reached the best value; add some (`starts=...`), or "
                "fix a parameter."
            )
        if self.on_edge:
            found.append(f"On the edge of the support: {', '.join(self.on_edge)}. {RESULTS.on_edge.sentence}")
        return tuple(found)


def is_local_optimum(seen: Any) -> Any:
    """Gradient zero to rounding and curvature positive: of a `Certificate`, or of its numbers inside jit."""
    flat = (seen.gradient_norm <= seen.tolerance) & (seen.smallest_eigenvalue > 0)
    return (seen.code == int(RESULTS.converged)) & flat


def is_certified(seen: Any) -> Any:
    """A local optimum that at least two starts reached independently, of the same."""
    return is_local_optimum(seen) & (seen.share_best * seen.starts >= 1.5)  # a whole number but for rounding


def share_best(values: Any, codes: Any, resolution: Any, xp: Any = np) -> Any:
    """Share of all lanes, (m,) each, that converged at the best value; 0 where none did. `xp`: numpy or jax.numpy."""
    found = xp.where((codes == int(RESULTS.converged)) & xp.isfinite(values), values, xp.inf)
    best = xp.min(found)
    same = xp.maximum(SAME * xp.abs(best), resolution)
    return xp.mean(xp.where(xp.isfinite(best) & (found <= best + same), 1.0, 0.0))


def count_optima(values: np.ndarray, codes: np.ndarray, resolution: float) -> tuple[float, int, float | None]:
    """Share of all lanes at the best value, number of distinct values, relative gap to the second.

    Lanes that did not converge count in the share's denominator only. `resolution` is the absolute
    difference below which values are equal.
    """
    good = np.sort(values[(codes == RESULTS.converged) & np.isfinite(values)])
    if good.size == 0:
        return 0.0, 0, None
    same = max(SAME * abs(good[0]), resolution)
    jumps = np.flatnonzero(np.diff(good) > same)
    gap = float((good[jumps[0] + 1] - good[0]) / max(abs(good[0]), resolution)) if jumps.size else None
    return float(share_best(values, codes, resolution)), 1 + jumps.size, gap
