"""RESULTS: how a solve ended, as a code inside jit and a sentence outside."""

from enum import IntEnum


class RESULTS(IntEnum):
    """One code per lane of a batched solve. Only `converged` is a success."""

    converged = 0
    max_steps = 1
    singular = 2
    non_finite = 3
    on_edge = 4
    ambiguous = 5
    exact = 6
    too_few = 7

    @property
    def sentence(self) -> str:
        """What happened and what to do about it."""
        return _SENTENCES[self]


_SENTENCES = {
    RESULTS.converged: "The solver converged: the whitened gradient is zero to rounding and the curvature is positive.",
    RESULTS.max_steps: "The solver used all its steps before the gradient vanished; add starts (`starts=...`) or steps "
    "(`solver=GaussNewton(max_steps=1000)`).",
    RESULTS.singular: "The curvature is singular: the runs do not determine every parameter; "
    "fix a parameter or add runs off the ridge.",
    RESULTS.non_finite: "The objective or its gradient is not finite; check the runs and the start values.",
    RESULTS.on_edge: "A parameter ended on the edge of its support, where the runs no longer determine it; "
    "fix it or use a law without it.",
    RESULTS.ambiguous: "Starts reached the same value at parameters far apart, between which the runs do not tell; "
    "fix a parameter or add runs off the ridge.",
    RESULTS.exact: "The residuals vanish: the law passes through every run to rounding, so that the scale of a "
    "likelihood has no optimum. The estimates are exact and have no interval; a penalty (log-huber:1e-3) has an "
    "optimum there.",
    RESULTS.too_few: "The runs, or those of a resample, are too few for the parameters; "
    "add runs or fix a parameter, or for resamples draw residuals instead (`scheme=Wild()`).",
}
