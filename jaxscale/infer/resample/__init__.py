"""Resamples of the runs: schemes, the bootstrap, and two recipes resampled together."""

from jaxscale.infer.resample.bootstrap import bootstrap
from jaxscale.infer.resample.paired import Matched, matched
from jaxscale.infer.resample.schemes import Bayesian, Pairs, Parametric, Wild

__all__ = ["Bayesian", "Matched", "Pairs", "Parametric", "Wild", "bootstrap", "matched"]
