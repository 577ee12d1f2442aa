"""The verdict on chains: what must hold before draws are called a posterior."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np

from jaxscale.core.ranges import Range, check_fields
from jaxscale.infer.posterior import convergence

# A step of acceptance .8 in a round Gaussian errs in energy by .13 +- .51: it takes 4.3 of those to be accepted this
# rarely, once in 100,000 transitions.
_REJECTED = 0.1


@dataclass(frozen=True)
class Gates:
    """Thresholds of Vehtari et al. 2021 and of Stan's own checks, and one on rejections.

    `rejected` is a twentieth of the transitions in a tail of 5 %, if all of them begin there. What a tail keeps out is
    not among the draws, so that no autocorrelation shows it: on 14 runs chains that by luck met no divergence passed
    every other gate with standard deviations up to 9 % too small. 1.2 % of theirs were rejected; of 20,000 on 240 runs,
    none.
    """

    rhat: Annotated[float, Range(1.0, 1e30, like="1.01")] = 1.01
    ess: Annotated[float, Range(0.0, 1e30, like="400")] = 400.0
    bfmi: Annotated[float, Range(0.0, 1e30, like="0.3")] = 0.3
    saturated: Annotated[float, Range(0.0, 1.0, like="0.01")] = 0.01
    rejected: Annotated[float, Range(0.0, 1.0, like="0.0025")] = 0.0025

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class Diagnosis:
    """Evidence about chains.

    - `rhat`, `ess_bulk`, `ess_tail`: per unconstrained coordinate in `names`, shape (p,).
    - `divergences`: transitions whose energy went astray, of `draws` in all.
    - `bfmi`: per chain. `saturated`: share of draws that used every doubling allowed.
    - `rejected`: share of transitions whose states had a mean acceptance below a tenth: where they led, the step is
      too long.
    - `leapfrogs`: mean number of gradient evaluations per draw.
    """

    names: tuple[str, ...]
    rhat: np.ndarray
    ess_bulk: np.ndarray
    ess_tail: np.ndarray
    divergences: int
    draws: int
    bfmi: np.ndarray
    saturated: float
    rejected: float
    leapfrogs: float
    gates: Gates = field(default_factory=Gates)

    @property
    def passed(self) -> bool:
        """Whether every gate is passed."""
        return not self.failures()

    @property
    def rough(self) -> bool:
        """Whether the geometry is at fault, so that longer chains of the same kind would not help."""
        efficient = np.all(self.ess_bulk > 0.2 * self.draws)
        stiff = self.divergences or self.rejected > self.gates.rejected
        return bool(stiff or self.saturated > self.gates.saturated or not efficient)

    def failures(self) -> tuple[str, ...]:
        """One sentence per gate that is not passed, with what to do."""
        g, found = self.gates, []

        def least(values: np.ndarray) -> int:
            return int(np.argmin(np.where(np.isfinite(values), values, -np.inf)))

        def named(values: np.ndarray, at: int) -> str:
            return f"{values[at]:.4g} for {self.names[at]}"

        if not np.all(self.rhat < g.rhat):
            found.append(
                f"R-hat is {named(self.rhat, least(-self.rhat))}, expected below {g.rhat}: the chains do not agree; "
                "look for a second mode or a ridge, and draw longer chains (`draws=...`)."
            )
        for kind, values in (("bulk", self.ess_bulk), ("tail", self.ess_tail)):
            if not np.all(values > g.ess):
                found.append(
                    f"The {kind} effective sample size is {named(values, least(values))}, expected above {g.ess:g}; "
                    "draw more (`draws=...`)."
                )
        if self.divergences:
            found.append(
                f"{self.divergences} of {self.draws} transitions diverged: a region was not explored; fix a "
                "parameter that the runs do not determine, give it a tighter prior, or add runs."
            )
        if self.rejected > g.rejected:
            found.append(
                f"{self.rejected:.2%} of transitions were all but rejected, expected at most {g.rejected:.2%}: a "
                "region is entered and left too rarely to have its share of the draws; fix a parameter that the runs "
                "do not determine, give it a tighter prior, or add runs."
            )
        if not np.all(self.bfmi > g.bfmi):
            found.append(
                f"E-BFMI is {self.bfmi[least(self.bfmi)]:.2f} in the worst chain, expected above {g.bfmi}: heavy tails "
                "are explored slowly; draw more (`draws=...`), or tighten a prior."
            )
        if self.saturated > g.saturated:
            found.append(
                f"{self.saturated:.1%} of trajectories used the full tree depth, expected at most {g.saturated:.0%}; "
                "fix a parameter that the runs do not determine, or add runs."
            )
        return tuple(found)

    def remarks(self) -> tuple[str, ...]:
        """The verdict where it is bad, as sentences; empty where all gates are passed."""
        return tuple(f"Posterior not converged: {sentence}" for sentence in self.failures())


def diagnose(
    x: np.ndarray, names: tuple[str, ...], stats: Mapping[str, np.ndarray], depth: int, gates: Gates | None = None
) -> Diagnosis:
    """Judge draws (chain, draw, p) with the sampler's `accept`, `diverging`, `energy`, `steps`, each (chain, draw)."""
    steps = np.asarray(stats["steps"])
    with np.errstate(invalid="ignore", divide="ignore"):
        return Diagnosis(
            names=names,
            rhat=convergence.rhat(x),
            ess_bulk=convergence.ess_bulk(x),
            ess_tail=convergence.ess_tail(x),
            divergences=int(np.sum(stats["diverging"])),
            draws=steps.size,
            bfmi=convergence.bfmi(np.asarray(stats["energy"], np.float64)),
            saturated=float(np.mean(steps >= 2**depth - 1)),
            rejected=float(np.mean(~(np.asarray(stats["accept"]) >= _REJECTED))),  # one that is not a number counts
            leapfrogs=float(np.mean(steps)),
            gates=Gates() if gates is None else gates,
        )
