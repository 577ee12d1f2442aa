r"""Noise models: the logarithm of the residual's standard deviation, run by run."""

from collections.abc import Iterable, Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxscale.core import priors as p
from jaxscale.core import quantities as q
from jaxscale.core import supports as s
from jaxscale.core.errors import BadInput
from jaxscale.core.parametric import AbstractParametric, param
from jaxscale.core.runs import Runs


class ConstantNoise(AbstractParametric):
    """One scale for all runs."""

    sigma: q.Pure = param(
        s.positive, init=0.01, prior=p.LogNormal(0.005, 1.0), doc="scale of the residual", symbol=r"\sigma"
    )

    def __call__(self, runs: Runs) -> Float[Array, " n"]:
        return jnp.broadcast_to(jnp.log(self.sigma), runs.target.shape)


class Slope(AbstractParametric):
    """How the log scale grows with the log of one input."""

    slope: q.Pure = param(s.real, init=0.0, prior=p.Normal(0.0, 0.3), doc="growth of the noise per unit of log input")


class InputNoise(AbstractParametric):
    r"""$\log\sigma_i = \log\sigma + \sum_x s_x (\log x_i - \overline{\log x})$ over the named inputs."""

    by: dict[str, Slope]
    sigma: q.Pure = param(
        s.positive, init=0.01, prior=p.LogNormal(0.005, 1.0), doc="scale at the typical run", symbol=r"\sigma"
    )

    def __init__(self, inputs: Iterable[str] | Mapping[str, Slope], sigma: Any = 0.01):
        self.sigma = sigma
        self.by = dict(inputs) if isinstance(inputs, Mapping) else {name: Slope() for name in inputs}

    def __call__(self, runs: Runs) -> Float[Array, " n"]:
        log_sigma = jnp.broadcast_to(jnp.log(self.sigma), runs.target.shape)
        for name, term in self.by.items():
            if name not in runs.inputs:
                raise BadInput(
                    f"noise: expected inputs of the law ({', '.join(runs.inputs)}) for the noise to grow with, got "
                    f"{name!r}; name one of those"
                )
            logs = jnp.log(runs.inputs[name])
            centre = jnp.sum(runs.weight * logs) / jnp.sum(runs.weight)
            log_sigma = log_sigma + term.slope * (logs - centre)
        return log_sigma


type Noise = ConstantNoise | InputNoise
