"""Posterior draws and their diagnosis: NUTS, importance sampling, a posterior for every resample."""

from jaxscale.infer.posterior.bag import Bagged, bag
from jaxscale.infer.posterior.diagnosis import Diagnosis
from jaxscale.infer.posterior.nuts import NUTS
from jaxscale.infer.posterior.posterior import Posterior
from jaxscale.infer.posterior.sample import sample, sample_from

__all__ = ["NUTS", "Bagged", "Diagnosis", "Posterior", "bag", "sample", "sample_from"]
