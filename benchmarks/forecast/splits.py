"""Splits: what of a ladder is fitted and what is forecast. One rule for all; none was chosen by its outcome."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.forecast.ladders import PLAIN, ladders
from jaxscale import Study, load

SHARES = (0.5, 0.75)  # of the independent runs, by compute, below the cuts of every ladder
LEAST = 6  # fitted rows: one more than the simplest law of N and D has parameters
_HAIR = 1e-3  # relative; the 6ND of runs of one budget differ by rounding, and a cut must not part them
_CORPORA = ("stdlib", "zipf")


@dataclass(frozen=True, eq=False)
class Split:
    """`fitted` and `held` runs of one ladder; `demanded`: the bound on the mean error that the project set beforehand.

    The bound was written down before the first run of the benchmark; None where there is none.
    """

    ladder: str
    cut: str
    fitted: Study
    held: Study
    demanded: float | None = None

    @property
    def name(self) -> str:
        return f"{self.ladder}, {self.cut}"

    @property
    def enough(self) -> bool:
        """Whether there is anything to fit: a split with fewer rows is listed and not scored."""
        return len(self.fitted) >= LEAST

    @property
    def observed(self) -> np.ndarray:
        """Loss of the m held-out rows."""
        return self.held.columns["loss"]

    @property
    def inputs(self) -> dict[str, np.ndarray]:
        """N and D of the m held-out rows."""
        return {name: self.held.columns[name] for name in ("N", "D")}

    @property
    def decades(self) -> np.ndarray:
        """Powers of ten in compute between the largest fitted run and each of the m held-out rows."""
        return np.log10(compute(self.held) / compute(self.fitted).max())


def compute(study: Study) -> np.ndarray:
    """6ND of every row."""
    return 6 * study.columns["N"] * study.columns["D"]


def splits() -> Iterator[Split]:
    """The demanded ones first, then every ladder at two cuts, then the registered runs of our own study."""
    yield from demanded()
    for name, read in ladders().items():
        study = read()
        cuts = {quantile(study, share): share for share in reversed(SHARES)}  # two that are one count as the lower
        for at, share in sorted(cuts.items()):
            yield cut(name, f"{share:.0%} of runs", study, at)
    for corpus in _CORPORA:
        grid, larger = (load(f"pocket_{x}", where=f"corpus == '{corpus}'", mapping=PLAIN) for x in ("grid", "larger"))
        yield Split(f"Pocket {corpus}", "registered runs", grid, larger)


def demanded() -> Iterator[Split]:
    """The five splits for which the project set bounds."""
    farseer, chinchilla = (ladders()[name]() for name in ("Farseer", "Chinchilla runs"))
    test = np.array([x == "test" for x in farseer.table["split"]])
    yield Split("Farseer", "404 to 7", farseer.select(~test, "train"), farseer.select(test, "test"), 0.005)
    yield cut("Farseer", "C < 3e20", farseer, 3e20, 0.0075)
    yield cut("Farseer", "C < 3e19", farseer, 3e19, 0.01)
    yield cut("Chinchilla runs", "C < 3e20", chinchilla, 3e20, 0.01)
    yield cut("Chinchilla runs", "C < 1e20", chinchilla, 1e20, 0.01)


def cut(ladder: str, label: str, study: Study, at: float, demanded: float | None = None) -> Split:
    """Fitted are the runs that end below `at` FLOP, forecast the rows from there up.

    Earlier rows of a run that goes on beyond the cut are in neither: they share its noise.
    """
    C = compute(study)
    return Split(
        ladder,
        label,
        study.select(at > _last(study)[study.cluster], f"runs that end below {at:g} FLOP"),
        study.select(at <= C, f"C >= {at:g} FLOP"),
        demanded,
    )


def quantile(study: Study, share: float) -> float:
    """The least compute at which that share of the independent runs has ended, less a hair."""
    return float(np.quantile(_last(study), share, method="inverted_cdf")) * (1 - _HAIR)


def _last(study: Study) -> np.ndarray:
    """Largest compute of every independent run."""
    found = np.zeros(study.cluster.max() + 1)
    np.maximum.at(found, study.cluster, compute(study))
    return found
